import pytest

from tests.support.effort import VARIABLE, tries
from tests.support.tables import cases
from tests.support.timelimits import near_limit


def report(seconds: float, limit: float) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid="test_a",
        location=("a.py", 1, "test_a"),
        keywords={},
        outcome="passed",
        longrepr=None,
        when="call",
        duration=seconds,
        user_properties=[("limit", limit)],
    )


@cases(
    ("seconds", "limit", "said"),
    {
        "a fifth": (6.0, 30, None),
        "more than a fifth": (6.5, 30, "near its limit of 30 s: test_a call 6.5 s"),
        "no limit": (99.0, 0, None),
    },
)
def test_near_limit(seconds: float, limit: float, said: str | None) -> None:
    assert near_limit(report(seconds, limit)) == said


@cases(
    ("given", "tried"),
    {
        "unset": (None, 60),
        "empty": ("", 60),
        "double": ("2", 120),
        "half": ("0.5", 30),
        "at least one": ("0.001", 1),
    },
)
def test_effort_comes_from_the_environment(
    given: str | None, tried: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if given is None:
        monkeypatch.delenv(VARIABLE, raising=False)
    else:
        monkeypatch.setenv(VARIABLE, given)
    assert tries(60) == tried


@pytest.mark.parametrize("given", ["0", "-1", "nan", "inf"])
def test_effort_that_is_none_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, given)
    with pytest.raises(ValueError, match="FUZZ"):
        tries(60)
