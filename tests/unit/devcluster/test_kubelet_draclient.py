"""The gRPC client of a driver, against real servers of each generation."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from devcluster.kubelet.devicehealth import Health
from devcluster.kubelet.dialect import DIALECTS, Dialect
from devcluster.kubelet.draclient import Answer, CdiDevice, ClaimRequest, DraClient
from devcluster.kubelet.errors import PluginCallFailed
from devcluster.kubelet.services import HEALTH_V1, V1
from dra.kubelet.protocol import dra_health_pb2 as messages
from tests.support.fakedriver import Driver, serving, short_directory
from tests.support.tables import cases

CLAIMS = [ClaimRequest("ns", "u1", "one", "h1"), ClaimRequest("ns", "u2", "two", "h2")]


@pytest.fixture
def socket() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory / "dra.sock"


def client_of(socket: Path, minor: str) -> DraClient:
    return DraClient(socket, DIALECTS[minor])


@cases(
    ("minor", "generations", "calls"),
    {
        "singles": ("1.27", ["v1alpha2", "v1alpha3"], [["u1"], ["u2"]]),
        "batch": ("1.28", ["v1alpha2", "v1alpha3"], [["u1", "u2"]]),
        "batch-1.29": ("1.29", ["v1alpha2", "v1alpha3"], [["u1", "u2"]]),
        "batch-only": ("1.30", ["v1alpha3"], [["u1", "u2"]]),
        "devices": ("1.31", ["v1alpha4"], [["u1", "u2"]]),
        "fallback": ("1.29", ["v1alpha2"], [["u1"], ["u2"]]),
    },
)
def test_each_minor_speaks_to_a_driver_in_its_way(
    socket: Path, minor: str, generations: list[str], calls: list[list[str]]
) -> None:
    generation = {"1.27": "v1alpha2", "1.31": "v1alpha4"}.get(minor, "v1alpha3")
    if generations == ["v1alpha2"]:
        generation = "v1alpha2"
    with serving(Driver(generations=generations), socket) as driver:
        client = client_of(socket, minor)
        prepared = client.prepare(CLAIMS)
        unprepared = client.unprepare(CLAIMS)
        client.close()
    names = frozenset({"a/b"}) if generation == "v1alpha4" else frozenset()
    assert prepared == {uid: Answer((CdiDevice(f"cdi/dev={uid}", names),)) for uid in ("u1", "u2")}
    assert unprepared == {"u1": Answer(), "u2": Answer()}
    assert driver.calls == [
        (f"{generation} {verb}", uids) for verb in ("prepare", "unprepare") for uids in calls
    ]
    assert driver.handles == (["", ""] if generation == "v1alpha4" else ["h1", "h2"])


@pytest.mark.parametrize(("minor", "remembers"), [("1.28", False), ("1.29", True), ("1.30", True)])
def test_the_fallback_is_remembered_from_1_29_on(socket: Path, minor: str, remembers: bool) -> None:
    """Seen in what happens when the driver learns the batch calls later."""
    client = client_of(socket, minor)
    with serving(Driver(generations=["v1alpha2"]), socket):
        client.prepare(CLAIMS[:1])
    socket.unlink(missing_ok=True)
    with serving(Driver(), socket) as driver:
        retried(lambda: client.prepare(CLAIMS[:1]))
    client.close()
    assert driver.calls[-1][0] == ("v1alpha2 prepare" if remembers else "v1alpha3 prepare")


def retried(call: object) -> None:
    """Repeat a call until the connection to a restarted server is up again."""
    for _ in range(100):
        try:
            call()  # type: ignore[operator]
        except PluginCallFailed:
            continue
        return
    raise AssertionError("no connection to the new server")


@pytest.mark.parametrize("minor", ["1.27", "1.31"])
def test_without_a_common_generation_the_call_fails(socket: Path, minor: str) -> None:
    generations = {"1.27": ["v1alpha3"], "1.31": ["v1alpha2"]}[minor]
    with serving(Driver(generations=generations), socket):
        client = client_of(socket, minor)
        with pytest.raises(PluginCallFailed, match="UNIMPLEMENTED"):
            client.prepare(CLAIMS)
        client.close()


def test_an_error_other_than_unimplemented_is_no_reason_to_fall_back(socket: Path) -> None:
    with serving(Driver(status=grpc.StatusCode.INTERNAL), socket) as driver:
        client = client_of(socket, "1.30")
        with pytest.raises(PluginCallFailed, match="code = INTERNAL, desc = as told"):
            client.prepare(CLAIMS)
        client.close()
    assert driver.calls == [("v1alpha3 prepare", ["u1", "u2"])]


def test_an_error_of_one_claim_is_an_answer(socket: Path) -> None:
    with serving(Driver(error="no device", ids={"u1": []}), socket):
        client = client_of(socket, "1.30")
        assert client.prepare(CLAIMS[:1]) == {"u1": Answer(error="no device")}
        client.close()


def test_no_driver_behind_the_socket(socket: Path) -> None:
    client = client_of(socket, "1.30")
    with pytest.raises(PluginCallFailed, match="UNAVAILABLE"):
        client.prepare(CLAIMS)
    client.close()


def test_a_call_that_takes_too_long_fails(socket: Path) -> None:
    hold = threading.Event()
    with serving(Driver(hold=hold), socket):
        client = DraClient(socket, Dialect("v1.30.0", call_seconds=0.1))
        with pytest.raises(PluginCallFailed, match="DEADLINE_EXCEEDED"):
            client.prepare(CLAIMS)
        client.close()
        hold.set()


def test_the_singles_of_a_batch_share_one_deadline(socket: Path) -> None:
    times = iter([0.0, 44.0, 44.0, 46.0])
    with serving(Driver(generations=["v1alpha2"]), socket) as driver:
        client = DraClient(socket, DIALECTS["1.30"], lambda: next(times))
        with pytest.raises(PluginCallFailed, match="DEADLINE_EXCEEDED"):
            client.prepare(CLAIMS)
        client.close()
    assert driver.calls == [("v1alpha2 prepare", ["u1"])]


def test_a_closed_connection_is_a_failed_call(socket: Path) -> None:
    client = client_of(socket, "1.30")
    client.close()
    with pytest.raises(PluginCallFailed, match="unregistered"):
        client.prepare(CLAIMS)
    assert client.watch_resources() == "CANCELLED"


def device(health: messages.HealthStatus, **others: Any) -> messages.DeviceHealth:
    named = messages.DeviceIdentifier(pool_name="p", device_name="d")
    return messages.DeviceHealth(device=named, health=health, **others)


def test_health_is_told_until_the_stream_ends(socket: Path) -> None:
    told = [
        device(messages.HEALTHY),
        device(messages.UNHEALTHY, message="x" * 1025, health_check_timeout_seconds=5),
        device(messages.UNKNOWN, health_check_timeout_seconds=-1),
    ]
    heard: list[Any] = []
    with serving(Driver(generations=["v1"], health=told), socket):
        client = DraClient(socket, DIALECTS["1.37"], service=V1)
        assert client.watch_health(HEALTH_V1, heard.append) == "OK"
        client.close()
    assert heard == [
        {("p", "d"): Health("Healthy")},
        {("p", "d"): Health("Unhealthy", "x" * 1021 + "...", 5)},
        {("p", "d"): Health("Unknown")},
    ]
    assert client.watch_health(HEALTH_V1, heard.append) == "CANCELLED"


def test_a_driver_without_health_is_told_apart(socket: Path) -> None:
    with serving(Driver(generations=["v1"]), socket):
        client = DraClient(socket, DIALECTS["1.37"], service=V1)
        assert client.watch_health(HEALTH_V1, lambda _told: None) == "UNIMPLEMENTED"
        client.close()


@pytest.mark.parametrize(("streams", "status"), [(False, "UNIMPLEMENTED"), (True, "OK")])
def test_resources_of_1_30_are_ignored(socket: Path, streams: bool, status: str) -> None:
    with serving(Driver(streams=streams), socket):
        client = client_of(socket, "1.30")
        assert client.watch_resources() == status
        client.close()
