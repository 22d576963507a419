"""docs/architecture.md lists every package, and every module of dra and of the two programs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
APART = {"tests"}


def rows(heading: str, *, number: int = 0) -> list[str]:
    """Return the names in the first cells of a table that follows a line, one for each time."""
    after = PAGE.partition(f"\n{heading}\n")[2]
    table = re.findall(r"^\|.*?(?=\n\n|\Z)", after, re.MULTILINE | re.DOTALL)[number]
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_the_table_of_packages_is_complete() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - APART
    assert sorted(rows("## The packages")) == sorted(f"{name}/" for name in packages)


ROOMS = "Inside `controller/` every room is one step of the way, and imports go up this list only:"


@pytest.mark.parametrize(
    ("package", "heading"),
    [
        ("controller", ROOMS),
        ("plugin", "Inside `plugin/` the rooms are the two kinds:"),
        ("webhook", "Inside `webhook/`, where what decides comes before what serves:"),
    ],
    ids=["controller", "plugin", "webhook"],
)
def test_the_table_of_modules_is_complete(package: str, heading: str) -> None:
    modules = [path.stem for path in (ROOT / package).glob("*.py") if path.stem != "__init__"]
    inner = [f"{path.parent.name}/" for path in (ROOT / package).glob("*/__init__.py")]
    assert sorted(rows(heading)) == sorted([*modules, *inner])


def in_rooms(package: str) -> list[str]:
    return [
        f"{path.parent.name}.{path.stem}"
        for path in (ROOT / package).glob("*/*.py")
        if path.stem != "__init__"
    ]


def test_the_table_of_the_rooms_of_the_controller_is_complete() -> None:
    assert sorted(rows(ROOMS, number=1)) == sorted(in_rooms("controller"))


def test_the_table_of_dra_is_complete() -> None:
    apart = [path.stem for path in (ROOT / "dra").glob("*.py") if path.stem != "__init__"]
    assert sorted(rows("Inside `dra/`:")) == sorted([*apart, *in_rooms("dra")])


@pytest.mark.parametrize(
    ("room", "heading"),
    [
        ("slices", "[below](#slices-that-no-reader-misunderstands):"),
        (
            "status",
            "Inside `dra/publish/status/`, which shows in claims how a driver's devices are:",
        ),
    ],
    ids=["slices", "status"],
)
def test_the_table_of_what_is_published_is_complete(room: str, heading: str) -> None:
    modules = [path.stem for path in (ROOT / "dra/publish" / room).glob("*.py")]
    assert sorted(rows(heading)) == sorted(name for name in modules if name != "__init__")


def test_the_table_of_explain_is_complete() -> None:
    modules = [path.stem for path in (ROOT / "explain").glob("*.py") if path.stem != "__init__"]
    assert sorted(rows("Inside `explain/`, where imports go up this list only:")) == sorted(modules)


def test_the_table_of_ui_is_complete() -> None:
    modules = [path.stem for path in (ROOT / "ui").glob("*.py") if path.stem != "__init__"]
    listed = rows("Inside `ui/`, where imports go up this list only:")
    assert sorted(listed) == sorted([*modules, "assets/"])
