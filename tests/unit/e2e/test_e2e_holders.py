from tests.support.holders import Holders, Share
from tests.support.tables import cases

SHARES = {
    "whole": Share("p", 16),
    "half-0": Share("p", 8),
    "half-1": Share("p", 8),
    "quarter-0": Share("p", 4),
    "other": Share("q", 16),
}
History = list[tuple[str, tuple[str, ...]]]


def problems(history: History) -> list[str]:
    holders = Holders(SHARES)
    return [problem for claim, devices in history for problem in holders.see(claim, devices)]


@cases(
    ("history",),
    {
        "nothing": ([("a", ())],),
        "full": ([("a", ("half-0",)), ("b", ("half-1",)), ("c", ("other",))],),
        "one after the other": ([("a", ("whole",)), ("a", ()), ("b", ("half-0", "half-1"))],),
        "seen again": ([("a", ("whole",)), ("a", ("whole",))],),
        "unknown claim that goes": ([("a", ()), ("b", ("whole",))],),
    },
)
def test_fits(history: History) -> None:
    assert problems(history) == []


@cases(
    ("history", "found"),
    {
        "two holders": (
            [("a", ("quarter-0",)), ("b", ("quarter-0",))],
            ["quarter-0 is held by a and b"],
        ),
        "child beside its whole": (
            [("a", ("whole",)), ("b", ("quarter-0",))],
            ["20 units of p are held: quarter-0, whole"],
        ),
        "too many units": (
            [("a", ("half-0", "half-1")), ("b", ("quarter-0",))],
            ["20 units of p are held: half-0, half-1, quarter-0"],
        ),
        "not offered": ([("a", ("gone",))], ["gone is not offered"]),
    },
)
def test_does_not_fit(history: History, found: list[str]) -> None:
    assert problems(history) == found
