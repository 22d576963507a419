"""`make demo`, and that the README shows what it prints."""

import re

import pytest

from tests.support.readme import README, differences, outputs, renewed, shown, walkthrough

DEVICE = re.compile(r"FAKE-[0-9a-f-]{36}")


@pytest.mark.nas
@pytest.mark.timeout(120)
def test_the_readme_shows_what_the_demo_prints() -> None:
    text = README.read_text(encoding="utf-8")
    assert set(shown(text)) == {"devices", *(f"test{n}" for n in range(1, 6)), "split", "children"}
    assert list(differences(text, outputs(walkthrough()))) == []


def test_outputs_of_two_demos_that_are_swapped_are_seen() -> None:
    text = README.read_text(encoding="utf-8")
    found = shown(text)
    second, third = (DEVICE.findall(found[name])[0] for name in ("test2", "test3"))
    found["test2"] = found["test2"].replace(second, third)
    found["test3"] = found["test3"].replace(third, second)
    assert list(differences(text, found)) == ["test2", "test3"]
    assert shown(renewed(text, found)) == found


@pytest.mark.parametrize(
    ("part", "put", "same"),
    [
        (r"(?<= )[0-9a-f]{8}-", "11111111-", True),
        (r"(?<=pod0-fakes-)\w{5}", "22222", True),
        (r"FAKE-[0-9a-f]{8}", "FAKE-11111111", False),
        (r"Split:  2", "Split:  3", False),
    ],
    ids=["uid of a claim", "generated name", "device", "value"],
)
def test_only_what_no_run_repeats_may_differ(part: str, put: str, same: bool) -> None:
    text = README.read_text(encoding="utf-8")
    found = shown(text)
    found["split"], changes = re.subn(part, put, found["split"], count=1)
    assert changes == 1
    assert (list(differences(text, found)) == []) is same
    assert (renewed(text, found) == text) is same
