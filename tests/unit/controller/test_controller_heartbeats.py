"""Plugins that have gone silent: how that is known, and what follows from it."""

import logging

import pytest

from api.nas import Heartbeat
from api.objects import JSON, Key, NodeName
from controller.nodes.infos import Heartbeats
from controller.outcome import After
from controller.queue.silences import SilenceLog
from testing.clock import Clock
from tests.support.build import (
    POD_CLAIM,
    claim,
    holding,
    nas,
    node,
    pod,
    preparing,
    resource_class,
    scheduling,
)
from tests.support.controllerrig import Rig

PSC = "psc:default/pod"
CLAIM = "claim:default/claim"
NODE = NodeName("node-1")
SECONDS = 150


def beating(state: JSON, time: str = "2026-01-01T00:00:00Z", seconds: int | None = SECONDS) -> JSON:
    """Return a NAS with a heartbeat; without `seconds` it is the last one."""
    due = {} if seconds is None else {"durationSeconds": seconds}
    return {**state, "heartbeat": {"renewTime": time, **due}}


def known(*steps: tuple[float, Heartbeat | None]) -> tuple[Heartbeats, Clock]:
    """Return what is known after some time and a heartbeat, again and again."""
    clock = Clock()
    heartbeats = Heartbeats(clock)
    for seconds, heartbeat in steps:
        clock.now += seconds
        heartbeats.saw(NODE, heartbeat)
    return heartbeats, clock


FIRST, SECOND = Heartbeat("12:00", 150), Heartbeat("12:01", 150)


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        ([], None),
        ([(0, None)], None),
        ([(0, FIRST)], 150),
        ([(0, FIRST), (149, FIRST)], 1),
        ([(0, FIRST), (150, FIRST)], 0),
        ([(0, FIRST), (1000, FIRST)], 0),
        ([(0, FIRST), (1000, SECOND)], 150),
        ([(0, SECOND), (60, FIRST)], 150),
        ([(0, FIRST), (0, Heartbeat("12:00", 3))], 3),
        ([(0, FIRST), (149, Heartbeat("12:02"))], None),
        ([(0, FIRST), (1000, None)], None),
        ([(0, Heartbeat("2126", 150)), (10, Heartbeat("2126", 150))], 140),
    ],
    ids=[
        "unknown",
        "older plugin",
        "first",
        "nearly overdue",
        "overdue",
        "long overdue",
        "heard again",
        "clock of the node set back",
        "another period",
        "ended",
        "state made anew",
        "clock of the node far ahead",
    ],
)
def test_a_plugin_is_silent_when_its_next_heartbeat_is_overdue_by_our_clock(
    steps: list[tuple[float, Heartbeat | None]], left: float | None
) -> None:
    heartbeats, _ = known(*steps)
    assert heartbeats.seconds_left(NODE) == left
    assert heartbeats.is_silent(NODE) is (left == 0)


def waiting_pod(*states: JSON, selected: str = "", clock: Clock | None = None) -> Rig:
    names = [state["metadata"]["name"] for state in states]
    return Rig(
        pod("pod", (POD_CLAIM, "claim")),
        claim(),
        resource_class(),
        scheduling(potential=names, selected=selected),
        *states,
        clock=clock or Clock(),
    )


def unsuitable(rig: Rig) -> list[str]:
    (entry,) = rig.scheduling()["status"]["resourceClaims"]
    found: list[str] = entry["unsuitableNodes"]
    return found


def test_a_silent_node_is_unsuitable_and_suits_again_once_it_is_heard() -> None:
    clock = Clock()
    rig = waiting_pod(beating(nas()), nas("node-2"), clock=clock)
    assert rig.handle(PSC) == "waiting"
    assert unsuitable(rig) == []
    clock.now += SECONDS
    rig.resync()
    assert rig.handle(PSC) == "waiting"
    assert unsuitable(rig) == ["node-1"]
    value = rig.metrics.registry.get_sample_value
    assert value("fake_dra_controller_unsuitable_nodes_total", {"reason": "Silent"}) == 1
    rig.queued()
    rig.see(beating(nas(), "2026-01-01T01:00:00Z"))
    assert rig.queued() == [PSC]
    assert rig.handle(PSC) == "waiting"
    assert unsuitable(rig) == []


def test_a_pod_goes_to_a_silent_node_if_no_other_suits() -> None:
    clock = Clock()
    full = holding(nas("node-2", 1), "other", 0)
    rig = waiting_pod(beating(nas()), full, selected="node-1", clock=clock)
    clock.now += SECONDS
    rig.handle(PSC)
    assert rig.allocated("node-1") == {"uid-claim": ["node-1-0"]}


def test_a_selected_node_that_is_silent_is_refused_while_another_suits() -> None:
    clock = Clock()
    rig = waiting_pod(beating(nas()), nas("node-2"), selected="node-1", clock=clock)
    clock.now += SECONDS
    rig.handle(PSC)
    assert rig.allocated("node-1") == {}
    assert unsuitable(rig) == ["node-1"]


def test_a_plugin_that_never_gave_a_heartbeat_is_not_silent() -> None:
    clock = Clock()
    rig = waiting_pod(nas(), nas("node-2"), clock=clock)
    clock.now += 10 * SECONDS
    rig.handle(PSC)
    assert unsuitable(rig) == []


@pytest.mark.parametrize(
    ("other", "chosen"),
    [
        (node("node-2"), "node-2"),
        (node("node-2", taints=[{"key": "own", "effect": "NoSchedule"}]), "node-2"),
        (node("node-2", unschedulable=True), "node-1"),
    ],
    ids=["good", "tainted", "cordoned"],
)
def test_an_immediate_claim_goes_to_a_silent_node_last(other: JSON, chosen: str) -> None:
    clock = Clock()
    given = [beating(nas("node-1", 8)), nas("node-2", 2), other]
    rig = Rig(claim(mode="Immediate"), resource_class(), *given, clock=clock)
    clock.now += SECONDS
    assert rig.handle(CLAIM) == "done"
    assert rig.allocated(chosen) == {"uid-claim": [f"{chosen}-0"]}
    messages = [message for _, reason, message in rig.told() if reason == "NodeOfLastResort"]
    assert ["heartbeats" in message for message in messages] == (
        [] if other == node("node-2") else [chosen == "node-1"]
    )


@pytest.mark.parametrize(
    ("changed", "looked_at"), [(False, []), (True, ["nas:fake-system/node-1"])], ids=str
)
def test_a_heartbeat_alone_makes_no_work(
    monkeypatch: pytest.MonkeyPatch, changed: bool, looked_at: list[str]
) -> None:
    state = holding(nas(devices=1), "other", 0)
    rig = waiting_pod(beating(state))
    rig.handle(PSC)
    rig.queued()
    later: list[str] = []
    monkeypatch.setattr(rig.controller.queue, "add_after", lambda key, _: later.append(key))
    newer = preparing(state, "other", 0) if changed else state
    rig.see(beating(newer, "2026-01-01T00:01:00Z"))
    assert rig.queued() == []
    assert later == looked_at


def test_nodes_are_counted_as_silent() -> None:
    clock = Clock()
    states = [beating(nas()), nas("node-2"), beating(nas("node-3", status="NotReady"))]
    rig = Rig(*states, clock=clock)
    value = rig.metrics.registry.get_sample_value
    statuses = ("ready", "silent", "unavailable")
    assert [value("fake_dra_nodes", {"status": s}) for s in statuses] == [2, 0, 1]
    clock.now += SECONDS
    assert [value("fake_dra_nodes", {"status": s}) for s in statuses] == [1, 1, 1]


class TestLog:
    KEY = "nas:fake-system/node-1"

    def lines(self, caplog: pytest.LogCaptureFixture) -> list[str]:
        return [r.getMessage() for r in caplog.records if "silent" in r.getMessage()]

    def test_silence_and_its_end_are_logged_once(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        clock = Clock()
        rig = Rig(beating(nas()), clock=clock)
        rig.handle(self.KEY)
        assert self.lines(caplog) == []
        clock.now += SECONDS
        for _ in range(2):
            rig.handle(self.KEY)
        (silent,) = self.lines(caplog)
        assert "gone silent" in silent
        rig.see(beating(nas(), "2026-01-01T01:00:00Z"))
        rig.handle(self.KEY)
        assert len(self.lines(caplog)) == 2

    def test_the_look_comes_when_a_plugin_may_have_gone_silent(self) -> None:
        heartbeats, clock = known((0, Heartbeat("12:00", 20)))

        log, key = SilenceLog(lambda _: After(60.0), heartbeats), Key("fake-system/node-1")
        assert log.sync(key) == After(20.0)
        clock.now += 20
        assert log.sync(key) == After(60.0)
