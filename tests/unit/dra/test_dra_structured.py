"""Starts, stops and changes of devices of a driver's plugin."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.objects import JSON
from dra.errors import CannotServe
from dra.inventory import Device, Inventory, Pool
from kube.errors import ConnectFailed, KubeError
from tests.support.driverrig import SLICES, DriverRig, Gpus, devices


class Watching(Gpus):
    """A driver that tells of changes, until its `over` is set.

    Attributes:
        blocks: whether `start` does not return.
    """

    blocks = False

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()
        self.publish: Callable[[], None] = lambda: None

    def start(self, publish: Callable[[], None]) -> None:
        self.publish = publish
        self._instead("start", None, lambda: None)
        if self.blocks:
            self.over.wait()


@pytest.fixture
def rig(short_path: Path) -> Iterator[DriverRig]:
    made = DriverRig(short_path, Watching())
    yield made
    made.driver.over.set()
    made.stop()


def named(*names: str) -> Callable[[JSON | None], bool]:
    """Tell whether a slice has these devices."""
    return lambda found: (
        found is not None and [each["name"] for each in found["spec"]["devices"]] == list(names)
    )


def slice_key(rig: DriverRig) -> str:
    with rig.api.changed:
        assert rig.api.changed.wait_for(lambda: rig.api.peek(SLICES), 15)
    return str(rig.api.peek(SLICES)[0]["metadata"]["name"])


def raising(_given: Any) -> Any:
    raise ValueError("bus is asleep")


def offering(*found: Any, **pool: Any) -> Callable[[Any], Any]:
    """Return what offers a pool of what may be no devices, with other fields."""
    return lambda _: Inventory((Pool(**{"devices": found, **pool}),))


def device(**fields: Any) -> Callable[[Any], Any]:
    return offering(Device(**{"name": "a", **fields}))


REFUSED: list[Any] = [
    pytest.param(raising, "discover of node node-1: ValueError: bus is asleep", id="raises"),
    pytest.param(lambda _: None, "NoneType from discover", id="nothing"),
    pytest.param(lambda _: [Device("a")], "list from discover", id="list"),
    pytest.param(device(name="A"), "'A': name is no DNS label of at most 63", id="limit"),
    pytest.param(
        lambda _: Inventory((Device("a"),)),  # type: ignore[arg-type]
        "inventory.pools[0] is Device, it must be Pool",
        id="device for a pool",
    ),
    pytest.param(
        lambda _: Inventory(Pool()),  # type: ignore[arg-type]
        "inventory.pools is Pool, it must be tuple of Pool",
        id="pool for pools",
    ),
    *(
        pytest.param(discover, f"inventory.pools[0].{text}", id=text)
        for discover, text in [
            (offering("a"), "devices[0] is str, it must be Device"),
            (offering(devices=Device("a")), "devices is Device, it must be tuple of Device"),
            (offering(counters={"a": 1}), "counters is dict, it must be tuple of CounterSet"),
            (device(name=5), "devices[0].name is int, it must be str"),
            (
                device(attributes={"x": 1.5}),
                "devices[0].attributes['x'] is float, it must be bool or int or str or Version",
            ),
            (device(attributes={"x": None}), "devices[0].attributes['x'] is NoneType"),
            (device(attributes={5: "x"}), "devices[0].attributes: name 5 is int"),
            (device(attributes=["x"]), "devices[0].attributes is list, it must be Mapping"),
            (
                device(capacity={"memory": 16}),
                "devices[0].capacity['memory'] is int, it must be Capacity or str",
            ),
            (device(taints=("x",)), "devices[0].taints[0] is str, it must be Taint"),
        ]
    ),
]


class TestStart:
    @pytest.mark.parametrize(("discover", "text"), REFUSED)
    def test_of_devices_that_cannot_be_published(
        self, rig: DriverRig, discover: Callable[[Any], Any], text: str
    ) -> None:
        rig.driver.does["discover"] = discover
        with pytest.raises(CannotServe, match=re.escape(text)):
            rig.start()
        assert rig.api.peek(SLICES) == []
        assert not list(rig.places.registrar.path.iterdir())

    def test_leaves_its_traceback_in_the_log(
        self, rig: DriverRig, caplog: pytest.LogCaptureFixture
    ) -> None:
        rig.driver.does["discover"] = raising
        with pytest.raises(CannotServe):
            rig.start()
        assert [type(r.exc_info[1]) for r in caplog.records if r.exc_info] == [ValueError]

    def test_removes_the_sockets_of_instances_that_were_killed(self, rig: DriverRig) -> None:
        directory = rig.places.directory.path
        directory.mkdir(parents=True)
        uid = "5f0f2a1c-6a59-4b8e-9c39-0a1b2c3d4e5f"
        killed = [
            rig.places.registrar.path / f"{rig.driver.contract.driver_name}-{uid}-reg.sock",
            directory / f"dra-{uid}.sock",
        ]
        for path in killed:
            with socket.socket(socket.AF_UNIX) as gone:
                gone.bind(str(path))
        with rig:
            assert [path for path in killed if path.exists()] == []
            told = [text for _, reason, text in rig.events.told if reason == "StaleSocket"]
            assert len(told) == 2, rig.events.told

    def test_leaves_no_socket_at_its_end(self, rig: DriverRig) -> None:
        rig.start().stop()
        assert not list(rig.places.registrar.path.iterdir())
        assert not list(rig.places.directory.path.glob("*.sock"))
        assert list(rig.places.cdi_root.path.iterdir()) == []


class TestReadiness:
    def ready(self, rig: DriverRig) -> str | None:
        return rig.plugin.readiness_checks()["slices"]()

    def test_comes_when_the_devices_are_published(self, rig: DriverRig) -> None:
        rig.api.fault = lambda verb, *_: ConnectFailed("away") if verb == "create" else None
        failed = threading.Event()
        rig.api.fault = self.failing(rig, failed)
        with rig:
            assert failed.wait(15)
            assert self.ready(rig) is not None
            assert "pool node-1: " in str(self.ready(rig))
            rig.api.fault = lambda *_: None
            rig.api.wait_for(SLICES, slice_key(rig), named("gpu-0", "gpu-1", "gpu-2", "gpu-3"))
            for _ in range(1500):
                if self.ready(rig) is None:
                    break
                threading.Event().wait(0.01)
            assert self.ready(rig) is None

    def failing(
        self, rig: DriverRig, failed: threading.Event
    ) -> Callable[[str, str, Any], KubeError | None]:
        def fault(verb: str, plural: str, _body: Any) -> KubeError | None:
            if (verb, plural) != ("create", "resourceslices"):
                return None
            failed.set()
            return ConnectFailed("away")

        return fault


class TestChanges:
    def test_are_published_when_the_driver_says_so(self, rig: DriverRig) -> None:
        with rig:
            key = slice_key(rig)
            rig.driver.does["discover"] = lambda _: devices(1)
            rig.driver.publish()
            rig.api.wait_for(SLICES, key, named("gpu-0"))

    @pytest.mark.parametrize(
        "discover",
        [
            pytest.param(raising, id="raises"),
            pytest.param(lambda _: None, id="nothing"),
            pytest.param(lambda _: Inventory.of(Device("A")), id="beyond a limit"),
        ],
    )
    def test_that_cannot_be_published_leave_what_there_is(
        self, rig: DriverRig, discover: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dra.sync.RETRY_SECONDS", 0.05)
        asked = threading.Semaphore(0)

        def bad(given: Any) -> Any:
            asked.release()
            return discover(given)

        with rig:
            key = slice_key(rig)
            rig.driver.does["discover"] = bad
            # in the thread of the driver, which has nothing to do with it
            rig.driver.publish()
            # it is tried again
            assert asked.acquire(timeout=15)
            assert asked.acquire(timeout=15)
            assert not rig.life.stop.is_set()
            rig.api.wait_for(SLICES, key, named("gpu-0", "gpu-1", "gpu-2", "gpu-3"))
            rig.driver.does["discover"] = lambda _: devices(2)
            rig.api.wait_for(SLICES, key, named("gpu-0", "gpu-1"))

    def test_are_told_from_a_start_that_does_not_return(self, rig: DriverRig) -> None:
        rig.driver.blocks = True
        with rig:
            key = slice_key(rig)
            rig.driver.does["discover"] = lambda _: devices(1)
            rig.driver.publish()
            rig.api.wait_for(SLICES, key, named("gpu-0"))

    def test_are_not_noticed_by_a_driver_that_raises_so_the_program_ends(
        self, rig: DriverRig
    ) -> None:
        rig.driver.does["start"] = raising
        rig.start()
        assert rig.life.stop.wait(15)
        assert rig.life.wait() == 1
        rig.calls.__exit__(None, None, None)
