"""docs/explain.md shows what the command says, for each cause."""

import pytest

from tests.support.readme import shown
from tests.support.waitingpods import CASES, PAGE


def test_page_shows_every_case() -> None:
    assert set(shown(PAGE.read_text("utf-8"))) == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_page_shows_what_the_command_says(name: str) -> None:
    assert shown(PAGE.read_text("utf-8"))[name] == CASES[name].output()
