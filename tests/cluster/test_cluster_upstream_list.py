"""That the documents about these tests say what the tests do; needs no cluster."""

from tests.support.anycluster import ROOT
from tests.support.upstreamcases import (
    CASES,
    INAPPLICABLE,
    all_tests,
    named_tests,
    repeated,
    rows,
    structured_rows,
)

FOLDERS = [ROOT / "tests" / "cluster", ROOT / "tests" / "e2e"]
REPEATED = repeated(FOLDERS)


def test_every_case_is_repeated_or_cannot_apply() -> None:
    assert sorted([*REPEATED, *INAPPLICABLE]) == list(CASES)


def test_the_documentation_lists_every_case() -> None:
    told = rows((ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8"))
    assert list(told) == list(CASES)
    assert {n: told[n].removeprefix("no: ") for n in INAPPLICABLE} == INAPPLICABLE
    assert all(told[n].startswith("yes") for n in REPEATED)


def test_the_documentation_lists_every_case_of_a_structured_driver() -> None:
    told = structured_rows((ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8"))
    tested = repeated([ROOT / "tests" / "e2e" / "structured"])
    assert tested <= told.keys()
    assert {number for number, text in told.items() if "yes" in text.split(" | ")} <= tested


def test_the_documentation_of_deviations_names_tests_that_exist() -> None:
    page = (ROOT / "docs" / "devcluster-deviations.md").read_text(encoding="utf-8")
    assert named_tests(page)
    assert named_tests(page) <= all_tests(FOLDERS)
