import re
from collections.abc import Callable

import pytest

from testing.waiting import until
from tools.shape import ROOT, Walk, allocating, lines, preparing, walk_of


def test_walk_has_the_files_of_the_project_that_ran_and_no_others() -> None:
    def outer() -> None:
        until("there", lambda: True)

    assert walk_of(outer).files == frozenset()


def test_claim_is_allocated_and_prepared() -> None:
    allocated, prepared = allocating(), preparing()
    assert "controller/decide/allocator.py" in allocated.files
    assert "plugin/classic/driver.py" in prepared.files
    assert not {f for f in allocated.files | prepared.files if f.startswith(("tests", "tools"))}
    assert all((ROOT / file).is_file() for file in allocated.files | prepared.files)
    assert min(allocated.frames, prepared.frames) > 1


@pytest.mark.parametrize(
    ("said", "walk"),
    [("Allocating one claim", allocating), ("Preparing one", preparing)],
    ids=["allocating", "preparing"],
)
def test_a_walk_is_no_longer_than_the_documentation_says(
    said: str, walk: Callable[[], Walk]
) -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    counts = re.search(rf"{said} runs (\d+) files and is (\d+) frames deep", page)
    assert counts is not None
    files, frames = map(int, counts.groups())
    found = walk()
    assert len(found.files) <= files
    assert found.frames <= frames


def test_lines_of_code_and_tests_are_apart() -> None:
    code, tests = lines()
    assert code > 0
    assert tests > 0
