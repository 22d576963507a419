"""docs/architecture.md lists every package, and every module of the two programs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
APART = {"tests"}


def rows(heading: str) -> list[str]:
    """Return the names in the first cells of the table that follows a line, one for each time."""
    after = PAGE.partition(f"\n{heading}\n")[2]
    table = re.search(r"^\|.*?(?=\n\n|\Z)", after, re.MULTILINE | re.DOTALL)
    assert table, heading
    cells = [line.split("|")[1] for line in table[0].splitlines()[2:]]
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_the_table_of_packages_is_complete() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - APART
    assert sorted(rows("## The packages")) == sorted(f"{name}/" for name in packages)


@pytest.mark.parametrize("package", ["controller", "plugin"])
def test_the_table_of_modules_is_complete(package: str) -> None:
    modules = [path.stem for path in (ROOT / package).glob("*.py") if path.stem != "__init__"]
    inner = [f"{path.parent.name}/" for path in (ROOT / package).glob("*/__init__.py")]
    assert sorted(rows(f"Inside `{package}/`:")) == sorted([*modules, *inner])
