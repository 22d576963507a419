"""The arithmetic of a rolling update: never too many pods, never too few, and it ends."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcluster.workloads.rollout import Limits, Size, next_sizes, resolved
from tests.support.tables import cases


@pytest.mark.parametrize(
    ("value", "of", "up", "down"),
    [(2, 10, 2, 2), ("25%", 10, 3, 2), ("0%", 10, 0, 0), ("100%", 3, 3, 3), ("25%", 1, 1, 0)],
)
def test_numbers_and_percentages(value: int | str, of: int, up: int, down: int) -> None:
    assert (resolved(value, of, up=True), resolved(value, of, up=False)) == (up, down)


@cases(
    ("surge", "unavailable", "limits"),
    {
        "usual": ("25%", "25%", Limits(4, 1, 1)),
        "one may be missing if nothing else may": (0, "10%", Limits(4, 0, 1)),
        "surge only": (2, 0, Limits(4, 2, 0)),
        "no more than there are": (0, 9, Limits(4, 0, 4)),
    },
)
def test_limits_of_a_rolling_update(
    surge: int | str, unavailable: int | str, limits: Limits
) -> None:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    assert Limits.of({"replicas": 4, "strategy": {"rollingUpdate": rolling}}) == limits


def test_limits_of_a_deployment_that_recreates() -> None:
    assert Limits.of({"replicas": 4, "strategy": {"type": "Recreate"}}) == Limits(4, 0, 4)


USUAL = Limits(4, 1, 1)
STEPS: Mapping[str, tuple[Limits, tuple[int, int], Sequence[tuple[int, int]], dict[str, int]]] = {
    "first": (USUAL, (0, 0), [], {"new": 4}),
    "surge": (USUAL, (0, 0), [(4, 4)], {"new": 1}),
    "an old one goes at once": (USUAL, (1, 0), [(4, 4)], {"old0": 3}),
    "room again": (USUAL, (1, 0), [(3, 3)], {"new": 2}),
    "too few are available": (USUAL, (2, 0), [(3, 3)], {}),
    "a new one is available": (USUAL, (2, 1), [(3, 3)], {"old0": 2}),
    "done": (USUAL, (4, 4), [(0, 0)], {}),
    "unhealthy old ones go first": (USUAL, (1, 0), [(2, 0), (2, 2)], {"old0": 1}),
    "oldest first": (USUAL, (4, 4), [(1, 1), (1, 1)], {"old0": 0, "old1": 0}),
    "smaller": (Limits(2, 1, 0), (4, 4), [], {"new": 2}),
    "bigger": (Limits(6, 2, 1), (4, 4), [], {"new": 6}),
    "without surge": (Limits(3, 0, 1), (0, 0), [(3, 3)], {"old0": 2}),
    "without missing ones": (Limits(3, 1, 0), (1, 0), [(3, 3)], {}),
}


@cases(("limits", "new", "olds", "sizes"), STEPS)
def test_next_step(
    limits: Limits, new: tuple[int, int], olds: Sequence[tuple[int, int]], sizes: dict[str, int]
) -> None:
    named = [Size(f"old{number}", *old) for number, old in enumerate(olds)]
    assert next_sizes(limits, Size("new", *new), named) == sizes


@given(
    st.integers(0, 8),
    st.integers(0, 4),
    st.integers(0, 8),
    st.lists(st.integers(0, 6), max_size=3),
    st.randoms(use_true_random=False),
)
def test_every_rollout_ends_and_keeps_its_limits(
    replicas: int, surge: int, unavailable: int, olds: list[int], chance: st.DataObject
) -> None:
    limits = Limits(replicas, surge, min(max(unavailable, int(not surge)), replicas))
    wanted = {"new": 0} | {f"old{n}": size for n, size in enumerate(olds)}
    available = dict(wanted)
    begun = sum(wanted.values())
    for _ in range(200):
        sizes = {name: Size(name, wanted[name], available[name]) for name in wanted}
        before, enough = sum(wanted.values()), sum(available.values())
        step = next_sizes(limits, sizes.pop("new"), list(sizes.values()))
        wanted |= step
        available = {name: min(available[name], wanted[name]) for name in wanted}
        least = limits.replicas - limits.unavailable
        assert sum(wanted.values()) <= max(before, limits.replicas + limits.surge)
        assert sum(available.values()) >= min(enough, least)
        late = [name for name in wanted if available[name] < wanted[name]]
        if not step and not late:
            break
        if late and (not step or chance.random() < 0.5):
            available[chance.choice(late)] += 1
    assert wanted == {name: replicas if name == "new" else 0 for name in wanted}, begun
