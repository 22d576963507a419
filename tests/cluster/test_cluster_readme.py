"""`make demo`, and that the README shows what it prints."""

import pytest

from tests.support.readme import README, differences, outputs, shown, walkthrough


@pytest.mark.timeout(120)
def test_the_readme_shows_what_the_demo_prints() -> None:
    text = README.read_text(encoding="utf-8")
    assert set(shown(text)) == {"devices", *(f"test{n}" for n in range(1, 6)), "split", "children"}
    assert list(differences(text, outputs(walkthrough()))) == []
