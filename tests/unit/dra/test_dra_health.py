"""The stream of health over a real socket, from drivers that tell, wait, end and fail."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
import pytest

from api.objects import NodeName
from dra.driver import DeviceHealth
from dra.kubelet.health import LEASE_SECONDS, Health, repeat_after
from dra.kubelet.protocol import dra_health_pb2 as messages
from dra.kubelet.server import UnixServer
from dra.kubelet.wire import LONGEST_TEXT
from dra.places import Place
from testing.kubeletcalls import HEALTH_V1, HEALTH_V1ALPHA1, KubeletCalls

WELL = DeviceHealth("pool", "card-0", True)
ILL = DeviceHealth("pool", "card-0", False, "hot")
List = Sequence[DeviceHealth]


class Told:
    """A driver that tells what a test puts into its queue: lists, an error, None for the end."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[List | BaseException | None] = SimpleQueue()
        self.begun = 0
        self.closed = threading.Event()

    def health(self) -> Iterator[List]:
        self.begun += 1
        try:
            while (told := self.queue.get(timeout=10)) is not None:
                if isinstance(told, BaseException):
                    raise told
                yield told
        finally:
            self.closed.set()


class Served:
    """A driver's health on a socket."""

    def __init__(self, driver: Any, path: Path) -> None:
        self.health = Health(driver, NodeName("node-1"), now=lambda: 1234.9)
        place = Place(path / "plugin.sock", "--x")
        self.server = UnixServer(place, self.health.handlers(), workers=8)
        self.server.start()
        self.calls = KubeletCalls(place.path)

    def watch(self, service: str = HEALTH_V1) -> Any:
        return self.calls.watch_health(service)

    def stop(self) -> None:
        self.health.stop()
        self.calls.__exit__(None, None, None)
        self.server.stop(10)


@contextmanager
def served(driver: Any, path: Path) -> Iterator[Served]:
    made = Served(driver, path)
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def driver() -> Iterator[Told]:
    made = Told()
    yield made
    made.queue.put(None)


@pytest.fixture
def node(driver: Told, short_path: Path) -> Iterator[Served]:
    with served(driver, short_path) as made:
        yield made


def states(answer: messages.NodeWatchResourcesResponse) -> list[tuple[str, str, int]]:
    return [(d.device.pool_name, d.device.device_name, d.health) for d in answer.devices]


def status(stream: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        next(stream)
    error: Any = caught.value
    return error.code(), error.details()


@pytest.mark.parametrize("service", [HEALTH_V1, HEALTH_V1ALPHA1])
def test_devices_are_told_with_everything_that_kubelets_read(
    driver: Told, node: Served, service: str
) -> None:
    driver.queue.put([DeviceHealth("", "a", None, "x" * 2000, 7), WELL, ILL])
    answer = next(node.watch(service))
    assert states(answer) == [
        ("node-1", "a", messages.UNKNOWN),
        ("pool", "card-0", messages.HEALTHY),
        ("pool", "card-0", messages.UNHEALTHY),
    ]
    first, second, third = answer.devices
    assert (len(first.message), first.message[-4:]) == (LONGEST_TEXT, "x...")
    assert (first.health_check_timeout_seconds, second.health_check_timeout_seconds) == (7, 0)
    assert (second.message, third.message, third.last_updated_time) == ("", "hot", 1234)


def test_every_change_is_told(driver: Told, node: Served) -> None:
    stream = node.watch()
    for devices, health in (([WELL], messages.HEALTHY), ([ILL], messages.UNHEALTHY)):
        driver.queue.put(devices)
        assert states(next(stream)) == [("pool", "card-0", health)]


def test_several_streams_share_one_reader(driver: Told, node: Served) -> None:
    driver.queue.put([WELL])
    streams = [node.watch(service) for service in (HEALTH_V1, HEALTH_V1ALPHA1, HEALTH_V1)]
    assert [states(next(stream)) for stream in streams] == [
        [("pool", "card-0", messages.HEALTHY)]
    ] * 3
    driver.queue.put([ILL])
    assert [states(next(stream)) for stream in streams] == [
        [("pool", "card-0", messages.UNHEALTHY)]
    ] * 3
    assert driver.begun == 1


def test_stream_that_begins_later_gets_the_last_list_at_once(driver: Told, node: Served) -> None:
    driver.queue.put([ILL])
    next(node.watch())
    assert states(next(node.watch())) == [("pool", "card-0", messages.UNHEALTHY)]


def test_list_is_repeated_before_the_shortest_lease_is_half_over(
    driver: Told, node: Served
) -> None:
    driver.queue.put([WELL, DeviceHealth("pool", "card-1", True, timeout=1)])
    stream = node.watch()
    assert next(stream) == next(stream)


@pytest.mark.parametrize(
    ("timeouts", "seconds"),
    [([], LEASE_SECONDS), ([0], LEASE_SECONDS), ([-5], LEASE_SECONDS), ([60, 0, 10], 10)],
    ids=["no devices", "default", "negative", "shortest"],
)
def test_repetition(timeouts: Sequence[int], seconds: float) -> None:
    found = repeat_after([DeviceHealth("", "a", True, timeout=each) for each in timeouts])
    assert 0 < found < seconds / 2


@pytest.mark.parametrize(
    "error",
    [OSError("lost"), NotImplementedError("lost"), SystemExit("lost")],
    ids=["fault", "not implemented", "exit"],
)
def test_error_of_the_driver_is_a_status_that_kubelets_come_back_after(
    driver: Told, node: Served, error: BaseException
) -> None:
    stream = node.watch()
    driver.queue.put([WELL])
    next(stream)
    driver.queue.put(error)
    code, text = status(stream)
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert f"{type(error).__name__}: lost" in text
    driver.queue.put([ILL])
    assert states(next(node.watch())) == [("pool", "card-0", messages.UNHEALTHY)]


class Broken:
    """A driver whose method is no generator."""

    def __init__(self, health: Callable[[], Any]) -> None:
        self.health = health


@pytest.mark.parametrize(
    "health",
    [
        pytest.param(lambda: 1 // 0, id="raises"),
        pytest.param(lambda: None, id="is no iterator"),
        pytest.param(lambda: [1], id="is no list of lists"),
        pytest.param(lambda: [[1]], id="has something else"),
    ],
)
def test_defect_of_the_driver_is_never_unimplemented(
    short_path: Path, health: Callable[[], Any]
) -> None:
    with served(Broken(health), short_path) as node:
        code, _ = status(node.watch())
        assert code in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INTERNAL)


def test_list_of_lists_is_told_to_its_last_and_ends(short_path: Path) -> None:
    with served(Broken(lambda: [[WELL]]), short_path) as node:
        for _ in range(2):
            assert [states(each) for each in node.watch()] == [
                [("pool", "card-0", messages.HEALTHY)]
            ]


def test_cancelled_stream_ends_the_drivers_iterator(driver: Told, node: Served) -> None:
    stream = node.watch()
    driver.queue.put([WELL])
    next(stream)
    stream.cancel()
    # nobody listens any more: each list is the last one that is taken
    while not driver.closed.wait(0.01):
        driver.queue.put([WELL])
    driver.queue.put([ILL])
    assert next(node.watch()).devices
    assert driver.begun == 2


def test_streams_that_were_cancelled_keep_no_thread(driver: Told, node: Served) -> None:
    """There are eight threads; every stream needs one."""
    driver.queue.put([WELL])
    last = node.watch()
    next(last)
    for _ in range(20):
        stream = node.watch()
        next(stream)
        stream.cancel()
    driver.queue.put([ILL])
    assert states(next(last)) == [("pool", "card-0", messages.UNHEALTHY)]


def test_program_that_ends_ends_the_streams(driver: Told, node: Served) -> None:
    streams = [node.watch(), node.watch()]
    driver.queue.put([WELL])
    for stream in streams:
        next(stream)
    node.health.stop()
    assert [list(stream) for stream in (*streams, node.watch())] == [[], [], []]
