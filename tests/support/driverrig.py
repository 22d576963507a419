"""A driver of one class in the framework, on real sockets and files and the API server of tests."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from api.contract import Contract
from api.objects import JSON, ClaimUID, NodeName
from api.resources import NODES, STRUCTURED_VERSIONS
from devcluster.apiserver.resourceapi import structured as structured_api
from dra.claims import ClaimRef
from dra.devicestate.checkpoint import Checkpoint
from dra.driver import Driver, Edits, PreparedClaim, PreparedDevice, PreparingClaim
from dra.inventory import Device, Inventory
from dra.patience import Patience
from dra.places import NodeLock, Places
from dra.structured import Files, structured
from dra.wiring import Surroundings
from ops.lifecycle import Lifecycle
from ops.metrics import Metrics
from testing.apiserver import MemoryApi
from testing.kubeletcalls import V1, Answered, KubeletCalls

NODE: Final = "node-1"
CONTRACT: Final = Contract("gpu.example.com", "gpu")
CLAIMS: Final = STRUCTURED_VERSIONS["v1"].claims
SLICES: Final = STRUCTURED_VERSIONS["v1"].slices


class Gpus:
    """A driver of four devices, of which each method may be replaced.

    Attributes:
        held: consumers of each claim that has something of the driver's.
        calls: method and claim of each call for a claim.
        does: instead of giving the devices.
    """

    contract = CONTRACT

    def __init__(self) -> None:
        self.held: dict[ClaimUID, list[str]] = {}
        self.calls: list[tuple[str, str]] = []
        self.does: dict[str, Callable[[Any], Any]] = {}

    def discover(self) -> Inventory:
        offered: Inventory = self._instead("discover", None, lambda: devices(4))
        return offered

    def prepare(self, claim: PreparingClaim) -> Sequence[PreparedDevice]:
        self.calls.append(("prepare", claim.name))
        self.held[claim.uid] = [consumer.name for consumer in claim.consumers]
        given: Sequence[PreparedDevice] = self._instead("prepare", claim, lambda: given_to(claim))
        return given

    def unprepare(self, claim: PreparedClaim) -> None:
        self.calls.append(("unprepare", claim.name))
        self._instead("unprepare", claim, lambda: None)
        self.held.pop(claim.uid, None)

    def _instead(self, method: str, given: object, usual: Callable[[], Any]) -> Any:
        return self.does[method](given) if method in self.does else usual()


def devices(count: int) -> Inventory:
    """Return an inventory of so many devices."""
    return Inventory.of(*(Device(f"gpu-{number}") for number in range(count)))


def given_to(claim: PreparingClaim) -> list[PreparedDevice]:
    """Return each device of a claim, with an edit of its own."""
    return [
        PreparedDevice.of(result, Edits({f"GPU_{result.device[-1]}": claim.label}))
        for result in claim.results
    ]


class Events:
    """Remembers what users are told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []

    def normal(self, _obj: JSON, reason: str, message: str) -> None:
        self.told.append(("Normal", reason, message))

    def warning(self, _obj: JSON, reason: str, message: str) -> None:
        self.told.append(("Warning", reason, message))


class DriverRig:
    """A node with one driver; `start` makes a new process, files and API server stay.

    Attributes:
        waited: called by whoever waits inside a call, instead of sleeping.
        slept: seconds that passed by that.
        files: of the driver, if it has others than any.
    """

    def __init__(self, root: Path, driver: Any = None, *, minor: int = 37) -> None:
        self.files: Files | None = None
        self.api = MemoryApi(api=structured_api(minor))
        self.api.put(NODES, {"metadata": {"name": NODE, "uid": f"uid-{NODE}"}})
        self.driver: Any = driver or Gpus()
        self.gpus: Gpus = self.driver
        self.waited: Callable[[], None] = lambda: None
        self.slept = 0.0
        self.life = Lifecycle()
        self.life.stop.set()
        (root / "registry").mkdir()
        contract = self.driver.contract
        self.places = Places.of(
            contract, str(root / "cdi"), str(root / "registry"), str(root / "plugins")
        )

    def start(self) -> Self:
        """Start a process of the driver.

        Raises:
            CannotServe: it cannot run.
        """
        self.life = Lifecycle()
        try:
            with self.life:
                self._start()
        except BaseException:
            self.life.stop.set()
            raise
        self.calls = KubeletCalls(self.places.plugin_socket.path)
        return self

    def _start(self) -> None:
        self.events, self.metrics = Events(), Metrics()
        events: Any = self.events
        driver: Driver = self.driver
        self.places.make_usable()
        lock = NodeLock(self.places.directory)
        self.life.on_stop("node lock", lock.release)
        patience = Patience(self._wait, clock=lambda: time.monotonic() + self.slept)
        around = Surroundings(self.api, events, self.metrics, NodeName(NODE), self.places, patience)
        self.plugin = structured(around, driver, rolling=False, files=self.files)
        self.plugin.start(self.life, lock)

    def stop(self) -> None:
        """End the process."""
        if self.life.stop.is_set():
            return
        self.calls.__exit__(None, None, None)
        self.life.stop.set()
        self.life.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def claim(self, name: str, *names: str, **fields: Any) -> ClaimRef:
        """Store a claim with devices, `gpu-0` by default; see `allocated`."""
        stored = self.api.put(CLAIMS, allocated(name, *(names or ("gpu-0",)), **fields))
        return ClaimRef("default", name, ClaimUID(stored["metadata"]["uid"]))

    def prepare(self, *refs: ClaimRef, seconds: float = 10.0) -> dict[str, Answered]:
        """Prepare claims by name, as the kubelet does."""
        answers = self.calls.prepare(*refs, by=V1, seconds=seconds)
        return {ref.name: answers[ref.uid] for ref in refs}

    def unprepare(self, *refs: ClaimRef, seconds: float = 10.0) -> dict[str, str]:
        """Unprepare claims: the error of each by name."""
        errors = self.calls.unprepare(*refs, by=V1, seconds=seconds)
        return {ref.name: errors[ref.uid] for ref in refs}

    def saved(self) -> dict[ClaimUID, PreparedClaim]:
        """Return what the checkpoint has."""
        checkpoint = Checkpoint(self.places.directory.path, self.driver.contract)
        return dict(checkpoint.load())

    def cdi_files(self) -> list[str]:
        """Return the names of the CDI files."""
        return sorted(path.name for path in self.places.cdi_root.path.iterdir())

    def _wait(self, seconds: float) -> bool:
        self.slept += seconds
        self.waited()
        return False


def allocated(
    name: str,
    *names: str,
    uid: str = "",
    driver: str = CONTRACT.driver_name,
    pods: Sequence[str] = ("pod",),
    config: Sequence[JSON] = (),
    node: str = NODE,
) -> JSON:
    """Return a claim that has devices and is reserved for pods."""
    results = [
        {"request": "r", "driver": driver, "pool": NODE, "device": device} for device in names
    ]
    wish = {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": len(names)}
    terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]
    return {
        "metadata": {"name": name, "namespace": "default", "uid": uid or f"uid-{name}"},
        "spec": {"devices": {"requests": [{"name": "r", "exactly": wish}]}},
        "status": {
            "allocation": {
                "devices": {"results": results, **({"config": list(config)} if config else {})},
                "nodeSelector": {"nodeSelectorTerms": terms},
            },
            "reservedFor": [{"resource": "pods", "name": p, "uid": f"uid-{p}"} for p in pods],
        },
    }
