"""The rules of leader election, without threads and without an API server."""

from typing import Any

import pytest

from api.objects import JSON
from api.times import micro_time
from kube.leases import ElectionState, Timing, holder_of

ME = "me"
OTHER = "other"
WALL = 1_767_225_600.25


def lease(holder: str = OTHER, version: int = 1, **spec: Any) -> JSON:
    fields = {"holderIdentity": holder, "leaseDurationSeconds": 15, **spec}
    meta = {"name": "lease", "namespace": "system", "resourceVersion": str(version)}
    return {"metadata": meta, "spec": fields}


def state(seen: JSON | None = None, at: float = 0.0) -> ElectionState:
    made = ElectionState(ME, Timing())
    made.seen(seen, at)
    return made


def leader(sent: float = 0.0) -> ElectionState:
    made = state()
    assert made.won(lease(ME), sent, sent)
    return made


@pytest.mark.parametrize(
    ("timing", "problem"),
    [
        (Timing(), None),
        (Timing(15, 10, 8.3), None),
        (Timing(15, 10, 8.4), "1.2 times the retry period"),
        (Timing(10, 10, 5), "longer than the renew deadline"),
        (Timing(15, 10, 0), "more than 0"),
    ],
    ids=["usual", "just enough", "retry too long", "lease too short", "no retry"],
)
def test_times_have_to_fit_together(timing: Timing, problem: str | None) -> None:
    found = timing.problem()
    assert (found is None) if problem is None else (problem in str(found))


@pytest.mark.parametrize(
    ("seen", "now", "free"),
    [
        (None, 0.0, True),
        (lease(""), 0.0, True),
        (lease(ME), 0.0, True),
        (lease(OTHER), 14.9, False),
        (lease(OTHER), 15.0, True),
        (lease(OTHER, leaseDurationSeconds=60), 59.0, False),
        (lease(OTHER, leaseDurationSeconds=1), 1.0, True),
        (lease(OTHER, leaseDurationSeconds=None), 14.0, False),
        ({"metadata": {"resourceVersion": "1"}}, 0.0, True),
    ],
    ids=[
        "no lease",
        "released",
        "ours",
        "another's",
        "expired",
        "another's, of a longer time",
        "another's, of a shorter time",
        "another's, without a time",
        "without spec",
    ],
)
def test_who_may_write_the_lease(seen: JSON | None, now: float, free: bool) -> None:
    assert state(seen).is_free(now) is free


def test_a_lease_expires_after_its_last_change_that_was_seen() -> None:
    candidate = state(lease(version=1), at=100.0)
    candidate.seen(lease(version=2), 105.0)
    candidate.seen(lease(version=2), 119.0)
    assert not candidate.is_free(119.9)
    assert candidate.is_free(120.0)


def test_the_times_in_the_lease_are_not_believed() -> None:
    candidate = state(lease(renewTime="1999-01-01T00:00:00.000000Z"), at=100.0)
    assert not candidate.is_free(114.0)


def test_what_is_older_than_known_is_ignored() -> None:
    candidate = state(lease(ME, version=9))
    candidate.seen(lease(OTHER, version=8), 1.0)
    assert candidate.holder == ME


def test_a_first_claim_is_to_be_created() -> None:
    body = state().claim("system", "lease", WALL)
    assert body["metadata"] == {"name": "lease", "namespace": "system"}
    assert body["spec"] == {
        "holderIdentity": ME,
        "leaseDurationSeconds": 15,
        "acquireTime": "2026-01-01T00:00:00.250000Z",
        "renewTime": "2026-01-01T00:00:00.250000Z",
        "leaseTransitions": 0,
    }


def test_a_takeover_counts_as_transition() -> None:
    found = lease(OTHER, 7, leaseTransitions=3, acquireTime="then")
    body = state(found).claim("system", "lease", WALL)
    assert body["metadata"] == found["metadata"]
    assert body["spec"]["leaseTransitions"] == 4
    assert body["spec"]["acquireTime"] == micro_time(WALL)


def test_a_renewal_keeps_when_it_was_acquired() -> None:
    body = state(lease(ME, 7, leaseTransitions=3, acquireTime="then")).claim("s", "l", WALL)
    assert (body["spec"]["leaseTransitions"], body["spec"]["acquireTime"]) == (3, "then")
    assert body["spec"]["renewTime"] == micro_time(WALL)


def test_a_release_leaves_nobody_and_a_short_time() -> None:
    body = state(lease(ME, 7, leaseTransitions=3)).release("system", "lease", WALL)
    assert body is not None
    assert holder_of(body) == ""
    assert (body["spec"]["leaseDurationSeconds"], body["spec"]["leaseTransitions"]) == (1, 3)
    assert state(lease(OTHER)).release("system", "lease", WALL) is None


class TestLeader:
    def test_the_first_win_makes_a_leader(self) -> None:
        candidate = state()
        assert candidate.won(lease(ME, 1), 0.0, 0.1)
        assert candidate.leading
        assert not candidate.won(lease(ME, 2), 5.0, 5.1)

    def test_the_deadline_counts_from_when_the_last_renewal_was_sent(self) -> None:
        candidate = leader(sent=100.0)
        candidate.won(lease(ME, 2), 105.0, 109.0)
        assert not candidate.is_over(114.9)
        assert candidate.seconds_left(113.0) == pytest.approx(2.0)
        assert candidate.is_over(115.0)
        assert candidate.seconds_left(116.0) == 0.0

    def test_an_answer_after_its_deadline_makes_no_leader(self) -> None:
        candidate = state()
        assert not candidate.won(lease(ME), 100.0, 110.0)
        assert not candidate.leading
        assert candidate.is_free(110.0)

    def test_a_renewal_after_the_deadline_comes_too_late(self) -> None:
        candidate = leader(sent=100.0)
        assert not candidate.won(lease(ME, 2), 109.9, 110.1)
        assert candidate.is_over(110.1)

    @pytest.mark.parametrize(
        ("seen", "over"),
        [(lease(OTHER, 2), True), (lease("", 2), False), (None, False)],
        ids=["taken", "released by somebody", "deleted"],
    )
    def test_it_is_over_when_somebody_else_has_the_lease(
        self, seen: JSON | None, over: bool
    ) -> None:
        candidate = leader()
        candidate.seen(seen, 1.0)
        assert candidate.is_over(1.0) is over

    def test_who_gave_up_never_leads_again(self) -> None:
        candidate = leader()
        candidate.give_up()
        assert not candidate.won(lease(ME, 2), 1.0, 1.0)
        assert (candidate.leading, candidate.is_out) == (False, True)
        assert candidate.seconds_left(1.0) is None
        assert not candidate.is_over(99.0)


class TestPause:
    def test_a_leader_renews_every_retry_period(self) -> None:
        assert leader(sent=100.0).pause(100.5, 0.5) == pytest.approx(4.5)
        assert leader(sent=100.0).pause(106.0, 0.5) == 0.0

    def test_a_leader_tries_again_soon_after_a_failure(self) -> None:
        candidate = leader(sent=100.0)
        candidate.failed()
        assert candidate.pause(107.0, 0.5) == pytest.approx(1.0)
        candidate.won(lease(ME, 2), 108.0, 108.0)
        assert candidate.pause(108.0, 0.5) == pytest.approx(5.0)

    @pytest.mark.parametrize(
        ("rand", "seconds"), [(0.0, 5.0), (0.999, 4.001)], ids=["late", "early"]
    )
    def test_others_look_within_a_retry_period(self, rand: float, seconds: float) -> None:
        assert state(lease(OTHER)).pause(0.0, rand) == pytest.approx(seconds)

    def test_others_look_when_the_lease_expires(self) -> None:
        assert state(lease(OTHER), at=100.0).pause(113.5, 0.0) == pytest.approx(1.5)

    def test_others_look_later_when_it_has_expired_already(self) -> None:
        assert state(lease(OTHER), at=100.0).pause(115.0, 0.0) == pytest.approx(5.0)
