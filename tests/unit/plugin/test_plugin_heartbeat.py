from threading import Event, Thread
from typing import Any

import pytest

from api.nas import Heartbeat
from kube.errors import ConnectFailed
from plugin.classic.heartbeat import Heartbeats
from tests.support.pluginrig import NODE, PluginRig

NOON = 1_767_268_800.25
"""2026-01-01T12:00:00.25Z in seconds since 1970."""


class Record:
    """What is written, and whether it is stored."""

    def __init__(self) -> None:
        self.written: list[Heartbeat] = []
        self.stores = True
        self.error: Exception | None = None

    def beat(self, heartbeat: Heartbeat) -> bool:
        if self.error:
            raise self.error
        self.written.append(heartbeat)
        return self.stores


class Rig:
    def __init__(self, period: float = 60.0, rand: float = 0.0, record: Any = None) -> None:
        self.record = record or Record()
        self.measured: list[float] = []
        self.now = NOON
        self.heartbeats = Heartbeats(
            self.record,
            period,
            self.measured.append,
            wall=lambda: self.now,
            rand=lambda: rand,
        )


@pytest.mark.parametrize(
    ("period", "rand", "promised", "pause"),
    [(60.0, 0.0, 150, 60.0), (60.0, 0.5, 150, 57.0), (1.0, 0.0, 3, 1.0), (7.5, 0.999, 19, 6.75)],
)
def test_a_heartbeat_says_when_the_next_follows_and_that_is_kept(
    period: float, rand: float, promised: int, pause: float
) -> None:
    rig = Rig(period, rand)
    assert rig.heartbeats.beat() == pytest.approx(pause, rel=1e-3)
    assert rig.record.written == [Heartbeat("2026-01-01T12:00:00.250000Z", promised)]
    assert rig.measured == [NOON]


def test_one_heartbeat_is_told_from_the_next_within_a_second() -> None:
    rig = Rig(1.0)
    rig.heartbeats.beat()
    rig.now += 0.1
    rig.heartbeats.beat()
    assert len({heartbeat.renewed for heartbeat in rig.record.written}) == 2


def test_an_api_server_that_does_not_store_it_is_asked_seldom() -> None:
    rig = Rig(60.0)
    rig.record.stores = False
    assert rig.heartbeats.beat() == 600.0
    assert rig.measured == []
    rig.record.stores = True
    assert rig.heartbeats.beat() == 60.0
    assert rig.measured == [NOON]


def test_an_error_is_left_to_the_caller() -> None:
    rig = Rig()
    rig.record.error = ConnectFailed("away")
    with pytest.raises(ConnectFailed):
        rig.heartbeats.beat()
    assert rig.measured == []


def test_after_the_last_one_none_is_due_and_none_is_given() -> None:
    rig = Rig()
    rig.heartbeats.beat()
    rig.now += 30
    rig.heartbeats.end()
    assert rig.heartbeats.beat() == 60.0
    assert rig.record.written[1:] == [Heartbeat("2026-01-01T12:00:30.250000Z", None)]


def test_the_last_one_waits_for_the_one_that_is_being_written() -> None:
    writing, go_on = Event(), Event()

    class Slow(Record):
        def beat(self, heartbeat: Heartbeat) -> bool:
            if heartbeat.seconds is not None:
                writing.set()
                assert go_on.wait(10)
            return super().beat(heartbeat)

    rig = Rig(record=Slow())
    threads = [Thread(target=rig.heartbeats.beat), Thread(target=rig.heartbeats.end)]
    threads[0].start()
    assert writing.wait(10)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert [heartbeat.seconds for heartbeat in rig.record.written] == [150, None]


def test_heartbeats_are_in_the_nas_and_nothing_else_changes(rig: PluginRig) -> None:
    before = rig.nas()
    given = Heartbeats(rig.node_state, 60.0, rig.metrics.beat, wall=lambda: NOON, rand=lambda: 0.0)
    assert given.beat() == 60.0
    after = rig.nas()
    heartbeat = {"renewTime": "2026-01-01T12:00:00.250000Z", "durationSeconds": 150}
    assert after.pop("heartbeat") == heartbeat
    version = after["metadata"]["resourceVersion"]
    assert after == {**before, "metadata": {**before["metadata"], "resourceVersion": version}}
    assert rig.node_state.current().heartbeat == Heartbeat(heartbeat["renewTime"], 150)  # type: ignore[arg-type]
    name = "fake_dra_plugin_last_heartbeat_timestamp_seconds"
    assert rig.registry.get_sample_value(name) == NOON
    given.end()
    assert rig.nas()["heartbeat"] == {"renewTime": "2026-01-01T12:00:00.250000Z"}
    assert rig.node_state.current().node == NODE
