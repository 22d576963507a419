"""A machine for hypothesis: a driver of one class lives through anything, and nothing is lost.

The program is killed at any write and before and after what its driver does, files and slices are
damaged, and the API server is away or drops fields. Nothing here has threads or takes time.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from allocation.pools import readable
from api.errors import DriverError
from api.objects import JSON, NodeName
from api.resources import NODES, STRUCTURED_VERSIONS
from devcluster.apiserver.resourceapi import structured as structured_api
from devcluster.apiserver.structuredkinds import structured_kinds
from dra.claims import ClaimRef
from dra.devicestate.checkpoint import FILE_NAME, Checkpoint
from dra.driver import PreparedClaim, PreparedDevice, PreparingClaim
from dra.inventory import Consumption, CounterSet, Device, Inventory
from dra.patience import Patience
from dra.places import Places
from dra.publish.slices.server import as_v1
from dra.structured import structured
from dra.wiring import COLLECT, FILES, Surroundings
from kube.client import Client
from kube.errors import ConnectFailed
from ops.metrics import Metrics
from testing.apiserver import NOW
from tests.support.driverrig import CLAIMS, NODE, SLICES, Events, Gpus, allocated, devices
from tests.support.tripwire import Killed, Tripwire, TripwireApi

PODS = st.sampled_from(["a", "b", "c", "d"])
MOMENTS = st.none() | st.integers(1, 12)
GATES: Sequence[tuple[str, ...]] = ((), ("DRAPartitionableDevices",), ("DRADeviceTaints",))
TRIES = 20


def shared(*names: str) -> Inventory:
    """Return devices of which each takes all of one counter: only one can be had at a time."""
    counters = CounterSet("card", {"units": "1"})
    taken = (Consumption("card", {"units": "1"}),)
    return Inventory.of(*(Device(name, consumes=taken) for name in names), counters=(counters,))


INVENTORIES = (devices(2), devices(4), devices(200), shared("gpu-0", "gpu-1", "gpu-2"))


class Mortal(Gpus):
    """A driver that may be killed before and after what it does."""

    def __init__(self, tripwire: Tripwire) -> None:
        super().__init__()
        self.tripwire = tripwire
        self.offered = INVENTORIES[1]

    def discover(self) -> Inventory:
        return self.offered

    def prepare(self, claim: PreparingClaim) -> Sequence[PreparedDevice]:
        with self.tripwire.around():
            return super().prepare(claim)

    def unprepare(self, claim: PreparedClaim) -> None:
        with self.tripwire.around():
            if claim.results or claim.devices:
                super().unprepare(claim)


class StructuredMachine(RuleBasedStateMachine):
    """Steps of everybody; `home` is set by `structured_machine_in`."""

    home: Path

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("os.fsync", lambda _descriptor: None)
        self.tripwire = Tripwire()
        self.tripwire.install(self.patch)
        self.api = TripwireApi(self.tripwire, api=structured_api(37))
        self.api.put(NODES, {"metadata": {"name": NODE, "uid": "uid-node"}})
        self.api.answered = self._read
        self.driver = Mortal(self.tripwire)
        root = Path(tempfile.mkdtemp(dir=self.home))
        paths = (str(root / name) for name in ("cdi", "registry", "plugins"))
        self.places = Places.of(self.driver.contract, *paths)
        for place in (self.places.cdi_root, self.places.directory):
            place.path.mkdir(parents=True)
        self.pods: dict[str, ClaimRef] = {}
        self.orphans = False
        self.damaged = False
        self.forged = False
        self.numbers = iter(range(10_000))
        self._start()

    def teardown(self) -> None:
        try:
            for name in list(self.pods):
                self._end(name)
            self._rest()
            assert self.driver.held == {}
            assert list(self.places.cdi_root.path.iterdir()) == []
            assert self._saved() == {}
        finally:
            self.patch.undo()

    @rule(name=PODS, count=st.integers(1, 2), moment=MOMENTS)
    def pod_comes(self, name: str, count: int, moment: int | None) -> None:
        free = sorted(self._published() - self._allocated())[:count]
        if name in self.pods or not free or self._counted():
            return
        uid = f"uid-{name}-{next(self.numbers)}"
        stored = self.api.put(CLAIMS, allocated(name, *free, uid=uid, pods=[name]))
        self.pods[name] = ClaimRef("default", name, stored["metadata"]["uid"])
        self._attempt(lambda: self.plugin.node.prepare(self.pods[name]), moment)

    @rule(name=PODS, moment=MOMENTS)
    def kubelet_repeats(self, name: str, moment: int | None) -> None:
        if name in self.pods:
            self._attempt(lambda: self.plugin.node.prepare(self.pods[name]), moment)

    @rule(name=PODS, moment=MOMENTS)
    def pod_goes(self, name: str, moment: int | None) -> None:
        if name in self.pods:
            ref = self.pods[name]
            if self._attempt(lambda: self.plugin.node.unprepare(ref), moment):
                self._forget(name)

    @rule(name=PODS, moment=MOMENTS)
    def claim_vanishes(self, name: str, moment: int | None) -> None:
        """The kubelet never asks for it again; what a damaged checkpoint had nobody knows then."""
        if name in self.pods and not self.damaged:
            self.orphans = True
            self._forget(name)
            self._attempt(lambda: self.plugin.tasks[COLLECT].run(), moment)

    @rule(moment=MOMENTS)
    def program_restarts(self, moment: int | None) -> None:
        self._attempt(self._start, moment)

    @rule(moment=MOMENTS, offered=st.sampled_from(range(len(INVENTORIES))))
    def devices_change(self, moment: int | None, offered: int) -> None:
        self.driver.offered = INVENTORIES[offered]
        self._attempt(self._offer, moment)

    @rule(moment=MOMENTS)
    def kubelet_deletes_all_slices(self, moment: int | None) -> None:
        for each in self.api.peek(SLICES):
            self.api.remove(SLICES, each["metadata"]["name"])
        self._attempt(self._work, moment)

    @rule(how=st.sampled_from(["emptied", "renamed", "counted", "copied"]), moment=MOMENTS)
    def somebody_forges_a_slice(self, how: str, moment: int | None) -> None:
        self.forged = True
        for found in self.api.all(SLICES)[:1]:
            forge(found, how, next(self.numbers))
            self.api.put(SLICES, found)
        self._attempt(self._work, moment)

    @rule(gates=st.sampled_from(GATES), moment=MOMENTS)
    def api_server_has_other_gates(self, gates: tuple[str, ...], moment: int | None) -> None:
        api = structured_api(37, off=gates)
        self.api._structured = list(structured_kinds(api, lambda: NOW))
        self.api.served = api.versions
        # objects that were stored keep their fields until they are written
        self.forged = True
        self.slices.publisher.republish()
        self._attempt(self._work, moment)

    @rule(name=PODS)
    def api_server_is_away(self, name: str) -> None:
        with self._away():
            if name in self.pods:
                self._attempt(lambda: self.plugin.node.prepare(self.pods[name]), None)
            self._attempt(lambda: self.plugin.tasks[COLLECT].run(), None)
            self._attempt(self._offer, None)

    @rule()
    def cdi_files_vanish(self) -> None:
        for path in self.places.cdi_root.path.iterdir():
            path.unlink()

    @rule()
    def checkpoint_is_damaged(self) -> None:
        path = self.places.directory.path / FILE_NAME
        if path.exists() and not self.orphans:
            self.damaged = True
            path.write_bytes(path.read_bytes()[:-9])
            self._start()

    @rule()
    def all_come_to_rest(self) -> None:
        self._rest()

    def _rest(self) -> None:
        """Let everybody do what they would do by and by, and look."""
        assert self._attempt(self.plugin.tasks[COLLECT].run, None)
        for name, ref in list(self.pods.items()):
            if self._attempt(lambda ref=ref: self.plugin.node.prepare(ref), None):
                continue
            # a device that has left, and was not prepared before
            assert not self._allocated(name) <= self._offered(), name
            self._end(name)
        assert self._attempt(self.plugin.tasks[FILES].run, None)
        self._settle()
        self.orphans = self.damaged = False
        saved = self._saved()
        known = {entry.claim.uid: entry.claim for entry in self.plugin.state.entries()}
        assert saved == known
        held = {ref.uid: [name] for name, ref in self.pods.items()}
        assert self.driver.held == held
        assert {uid: bool(c.devices) for uid, c in saved.items()} == dict.fromkeys(held, True)
        files = [path.name for path in self.places.cdi_root.path.iterdir()]
        assert len(files) == len(held), files
        assert not list(self.places.directory.path.glob("*.tmp"))

    def _settle(self) -> None:
        """Publish until nothing is left to do; then every reader sees the devices."""
        self.slices.publisher.republish()
        for _ in range(TRIES):
            before = self.api.version()
            self._work()
            if self.api.version() == before:
                break
        else:
            raise AssertionError("slices are written for ever")
        assert self.slices.publisher.problem is None
        self.forged = False
        self._read()
        wanted = self._offered()
        found = self._published()
        assert found >= (wanted if not self._counted() else set()), (wanted, found)
        assert found <= wanted | self._allocated()

    def _read(self) -> None:
        """Read what is stored as a scheduler does, at each write."""
        if self.forged:
            return
        for pool in readable([as_v1(each) for each in self.api.peek(SLICES)]):
            names = [each["name"] for each in pool.devices]
            assert "duplicate" not in pool.problem, pool.problem
            assert len(set(names)) == len(names)

    def _start(self) -> None:
        """Start a process, as far as it has no threads."""
        around = Surroundings(
            self.api,
            Events(),  # type: ignore[arg-type]
            Metrics(),
            NodeName(NODE),
            self.places,
            Patience(lambda _seconds: True),
        )
        made = structured(around, self.driver, rolling=False)
        self.made, self.plugin, self.slices = made, made.plugin, made.slices
        self.plugin.state.recover()
        self.slices.publisher.update(made.offered)
        self._work()

    def _offer(self) -> None:
        self.made.publish()
        self._work()

    def _work(self) -> None:
        """See the slices as the watch does, and publish what is queued."""
        store, resource = self.slices.watch._store, STRUCTURED_VERSIONS["v1"].slices
        page = Client.list(self.api, resource)
        store.replace([as_v1(each) for each in page.items], page.resource_version)
        for _ in range(len(self.slices.queue)):
            pool = self.slices.queue.get()
            assert pool is not None
            self.slices.publisher.handle(pool)
            self.slices.queue.done(pool)

    def _attempt(self, work: Callable[[], object], moment: int | None) -> bool:
        """Do something unless the program is killed by then; tell whether it succeeded."""
        if moment is not None:
            self.tripwire.arm(moment)
        try:
            work()
            died = moment is not None and not self.tripwire.disarm()
            done = not died
        except (DriverError, Killed, RuntimeError) as error:
            if isinstance(error, RuntimeError) and str(error) != repr(Killed()):
                raise
            died = moment is not None and not self.tripwire.disarm()
            done = False
        if died:
            self._start()
        return done

    def _end(self, name: str) -> None:
        ref = self.pods[name]
        assert self._attempt(lambda: self.plugin.node.unprepare(ref), None)
        self._forget(name)

    def _forget(self, name: str) -> None:
        self.api.remove(CLAIMS, self.pods.pop(name).name, "default")

    @contextmanager
    def _away(self) -> Iterator[None]:
        self.api.fault = lambda *_: ConnectFailed("away")
        yield
        self.api.fault = lambda *_: None

    def _published(self) -> set[str]:
        pools = readable([as_v1(each) for each in self.api.peek(SLICES)])
        usable = [pool for pool in pools if pool.complete and not pool.problem]
        return {each["name"] for pool in usable for each in pool.devices}

    def _offered(self) -> set[str]:
        return {device.name for pool in self.driver.offered.pools for device in pool.devices}

    def _allocated(self, name: str = "") -> set[str]:
        """Return the devices of a claim, or of all."""
        stored = [x for x in self.api.peek(CLAIMS) if name in ("", x["metadata"]["name"])]
        claims = [each["status"]["allocation"]["devices"] for each in stored]
        return {result["device"] for each in claims for result in each["results"]}

    def _counted(self) -> bool:
        return bool(self.driver.offered.pools[0].counters)

    def _saved(self) -> dict[str, PreparedClaim]:
        return dict(Checkpoint(self.places.directory.path, self.driver.contract).read())


def forge(found: JSON, how: str, number: int) -> None:
    """Change a slice as nobody should."""
    spec = found["spec"]
    if how == "emptied":
        spec["devices"] = []
    elif how == "renamed":
        spec["devices"] = [{"name": "forged"}]
    elif how == "counted":
        spec["pool"]["resourceSliceCount"] += 1
    else:
        found["metadata"]["name"] += f"-copy{number}"
        found["metadata"]["uid"] = f"uid-copy{number}"


def structured_machine_in(home: Path) -> type[StructuredMachine]:
    """Return the machine, keeping its files in a directory."""
    return type("Structured", (StructuredMachine,), {"home": home})
