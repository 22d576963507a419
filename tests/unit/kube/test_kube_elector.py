"""Candidates for one Lease, on a clock that the tests turn; and the threads of one."""

import random
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.resources import LEASES
from kube.elector import Elector
from kube.errors import Forbidden, KubeError
from kube.leases import Timing, holder_of
from testing.apiserver import MemoryApi
from tests.support.backups import Backup
from tests.support.effort import tries
from tests.support.leaseworld import CUT, NAME, SPACE, STRAIGHT, Candidate, Way, World, at_once, cut


def two(**settings: object) -> tuple[World, Candidate, Candidate]:
    world = World(0.0, -1e6, **settings)  # type: ignore[arg-type]
    first, second = world.candidates
    second.due = 1.0
    world.run(2.0)
    assert world.leaders == {"c0"}
    return world, first, second


def test_the_first_candidate_leads_and_the_second_says_who_does() -> None:
    world, first, second = two()
    world.run(100.0)
    assert (first.told, second.told) == (["started"], ["standby c0"])
    spec = world.lease["spec"]
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("c0", 0)


def test_the_leader_renews_every_retry_period() -> None:
    world, _, _ = two(lag=None)
    world.run(98.0)
    assert len([verb for verb, _ in world.api.writes() if verb == "update"]) == 20


def test_a_released_lease_is_taken_at_once() -> None:
    world, first, second = two(lag=lambda: 0.1)
    world.run(30.0)
    first.leave()
    spec = world.lease["spec"]
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"]) == ("", 1)
    world.run(0.11)
    assert second.told == ["standby c0", "started"]
    assert world.lease["spec"]["leaseTransitions"] == 1
    assert world.worst == 1


def test_without_a_watch_a_released_lease_is_taken_within_a_retry_period() -> None:
    world, first, second = two(lag=None)
    world.run(30.0)
    first.leave()
    left = world.now
    world.run(5.0)
    assert second.told[-1] == "started"
    assert world.took_over[-1][0] - left <= 5.0


@pytest.mark.parametrize("moment", [0.0, 0.1, 2.5, 4.9])
@pytest.mark.parametrize("seed", range(3))
def test_takeover_from_a_dead_leader_takes_no_longer_than_the_lease(
    moment: float, seed: int
) -> None:
    world, first, _ = two(seed=seed)
    world.run(50.0 - world.now + moment)
    died = world.now
    first.crash()
    world.run(20.0)
    when, who = world.took_over[-1]
    assert who == "c1"
    assert 10.0 <= when - died <= 15.001


def test_a_leader_that_cannot_renew_stops_at_the_deadline_and_tries_all_the_time() -> None:
    world, first, second = two()
    world.run(2.9)
    world.fate = cut
    world.run(5.0)
    assert world.leaders == {"c0"}
    world.run(0.2)
    assert first.told == ["started", *["ReadTimeout"] * 5, "lost"]
    assert not world.leaders
    world.fate = at_once
    world.run(20.0)
    assert second.told[-1] == "started"
    assert world.worst == 1


def test_a_leader_whose_request_hangs_stops_at_the_deadline() -> None:
    world, first, _ = two()
    world.fate = lambda _: (1000.0, False, 0.0, False)
    world.candidates[1].crash()
    world.run(9.0)
    assert world.now == 1005.0
    assert first.told == ["started", "lost"]


@pytest.mark.parametrize("leader_lives", [True, False], ids=["leader lives", "leader dies"])
def test_a_restore_of_etcd_costs_no_leader(leader_lives: bool) -> None:
    """What the API server has then is older than what the candidates know."""
    world, first, second = two()
    backup = Backup.of(world.api._storage)
    world.run(60.0)
    backup.restore(world.api._storage)
    if not leader_lives:
        first.crash()
    world.run(30.0)
    assert world.leaders == {"c0" if leader_lives else "c1"}
    assert (first.told, world.worst) == (["started"], 1)
    assert second.told == ["standby c0", *([] if leader_lives else ["started"])]


def test_errors_that_pass_before_the_deadline_change_nothing() -> None:
    world, first, _ = two()
    world.run(2.9)
    world.fate = cut
    world.run(3.5)
    world.fate = at_once
    world.run(60.0)
    assert first.told == ["started", "ReadTimeout", "ReadTimeout", "ReadTimeout", "ReadTimeout"]
    assert world.leaders == {"c0"}


def test_a_renewal_whose_answer_was_lost_is_renewed_again() -> None:
    world, first, _ = two(lag=None)
    world.run(2.9)
    fates = iter([(0.0, False, 0.0, True)])
    world.fate = lambda _: next(fates, STRAIGHT)
    world.run(60.0)
    assert first.told == ["started", "ReadTimeout"]
    assert world.leaders == {"c0"}


def test_a_leader_stops_when_somebody_else_was_made_the_holder() -> None:
    world, first, _ = two()
    taken = world.lease
    taken["spec"]["holderIdentity"] = "administrator"
    world.api.update(LEASES, taken)
    world.tell_watches()
    world.run(0.1)
    assert first.told == ["started", "lost"]


def test_a_lease_that_was_deleted_is_made_again_by_the_leader() -> None:
    world, first, second = two(lag=None)
    second.due = 20.0
    world.api.remove(LEASES, NAME, SPACE)
    world.run(50.0)
    assert first.told == ["started", "NotFound"]
    assert world.leaders == {"c0"}
    assert holder_of(world.lease) == "c0"


def test_who_may_not_read_leases_says_so_and_stays_a_candidate() -> None:
    world = World(0.0)
    world.api.fault = lambda *_: Forbidden(403, "Forbidden", "no rights")
    world.run(12.0)
    world.api.fault = lambda *_: None
    world.run(6.0)
    told = world.candidates[0].told
    assert told[0] == "Forbidden"
    assert told[-1] == "started"


def test_slow_answers_do_not_stretch_the_deadline() -> None:
    world, _, _ = two(lag=None, timing=Timing(15, 10, 5))
    world.run(2.9)
    fates = iter([(0.0, False, 4.5, False)])
    world.fate = lambda name: next(fates, CUT) if name == "c0" else STRAIGHT
    world.run(10.0)
    assert world.now == pytest.approx(14.9)
    assert world.leaders == {"c0"}
    world.run(0.2)
    assert not world.leaders


@settings(max_examples=tries(60), deadline=None)
@given(
    rand=st.randoms(use_true_random=False),
    offsets=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=3),
    timing=st.sampled_from([Timing(), Timing(15, 14.9, 12), Timing(3, 2, 0.5)]),
)
def test_two_never_lead_at_the_same_time(
    rand: random.Random, offsets: list[float], timing: Timing
) -> None:
    """With any delays, lost requests and answers, lagging watches, crashes and restarts."""
    moods: dict[str, Way] = {}

    def delay() -> float:
        return rand.choice([0.0, 0.0, rand.uniform(0, 1), rand.uniform(0, 1.5 * timing.duration)])

    def chaos() -> Way:
        return delay(), rand.random() < 0.2, delay(), rand.random() < 0.2

    def fate(name: str) -> Way:
        return moods.get(name) or chaos()

    world = World(
        *offsets,
        timing=timing,
        fate=fate,
        lag=rand.choice([None, delay, lambda: 0.0]),
        seed=rand.randrange(1000),
    )
    for _ in range(15):
        world.run(rand.uniform(0, timing.duration))
        chosen = rand.choice(world.candidates)
        moods[chosen.name] = rand.choice([STRAIGHT, CUT, chaos(), chaos()])
        if chosen.alive and not chosen.busy and rand.random() < 0.2:
            chosen.leave() if rand.random() < 0.5 else chosen.crash()
            world.join()
        assert world.worst <= 1
    world.fate = at_once
    world.run(3 * timing.duration)
    assert world.worst <= 1
    assert len(world.leaders) == min(1, sum(each.alive for each in world.candidates))


class Told:
    """Listens with events that tests can wait for."""

    def __init__(self) -> None:
        self.leads, self.over = threading.Event(), threading.Event()

    def started(self) -> None:
        self.leads.set()

    def lost(self) -> None:
        self.over.set()

    def standby(self, holder: str) -> None:
        del holder

    def failed(self, error: KubeError) -> None:
        del error


class TestThreads:
    def candidate(self, api: object, told: Told, name: str = "me") -> Elector:
        return Elector(
            api,  # type: ignore[arg-type]
            told,
            namespace=SPACE,
            name=NAME,
            identity=name,
            timing=Timing(3600, 1800, 900),
        )

    def leading(self, elector: Elector, told: Told) -> list[threading.Thread]:
        threads = [threading.Thread(target=body) for body in (elector.run, elector.guard)]
        for thread in threads:
            thread.start()
        assert told.leads.wait(10)
        return threads

    def test_stop_releases_the_lease_and_ends_both_threads(self) -> None:
        api, told = MemoryApi(), Told()
        elector = self.candidate(api, told)
        threads = self.leading(elector, told)
        assert holder_of(api.find(LEASES, NAME, SPACE)) == "me"
        elector.stop()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
        assert holder_of(api.find(LEASES, NAME, SPACE)) == ""
        assert not told.over.is_set()

    def test_a_released_lease_wakes_up_who_stands_by(self) -> None:
        api, told, other = MemoryApi(), Told(), Told()
        leader, standby = self.candidate(api, told), self.candidate(api, other, "other")
        leader.attempt()
        standby.attempt()
        thread = threading.Thread(target=standby.run)
        thread.start()
        leader.release()
        standby.saw(None, api.find(LEASES, NAME, SPACE))
        assert other.leads.wait(10)
        standby.stop()
        thread.join(10)
        assert not told.over.is_set()

    def test_losing_ends_both_threads(self) -> None:
        api, told = MemoryApi(), Told()
        elector = self.candidate(api, told)
        threads = self.leading(elector, told)
        taken = api.find(LEASES, NAME, SPACE)
        taken["spec"]["holderIdentity"] = "other"
        elector.saw(None, api.update(LEASES, taken))
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
        assert told.over.is_set()
        assert holder_of(api.find(LEASES, NAME, SPACE)) == "other"
