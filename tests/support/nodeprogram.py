"""A node on a MemoryApi: its disk, its kubelet's list of claims, and the plugin's process."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

from api.claims.versions import CLASSIC
from api.contract import FAKE
from api.invariants import Violation, check_files
from api.nas import NodeAllocationState
from api.objects import NodeName, object_key
from api.resources import STATES
from dra.claims import ClaimReader, ClaimRef
from dra.devicestate.state import State
from dra.garbage import Collector
from dra.metrics import PluginMetrics
from dra.publish.nas import NasPublisher
from dra.publish.nodestate import NodeState
from dra.repairs import Repair
from fsck.nodefiles import read_files
from kube.events import EventRecorder
from kube.store import Store
from kube.workqueue import WorkQueue
from ops.metrics import Metrics
from plugin.devices import FakeDeviceSource
from plugin.driver import NodeDriver
from plugin.fakes import Fakes
from plugin.heartbeat import PERIOD_SECONDS, Heartbeats
from plugin.readiness import Readiness
from plugin.sync import COLLECT, FILES, REPAIR, NodeSync
from testing.apiserver import MemoryApi
from tests.support.build import SYSTEM
from tests.support.pluginrig import IMPATIENT


class NodeProgram:
    """A node: its disk, the plugin's process, and the claims that its kubelet has prepared."""

    def __init__(self, api: MemoryApi, root: Path, name: str, devices: int) -> None:
        self.api = api
        self.name = NodeName(name)
        self.cdi_root = root / name / "cdi"
        self.directory = root / name / "plugin"
        self.directory.mkdir(parents=True)
        self.source = FakeDeviceSource(FAKE, self.name, devices, "M")
        self.running: dict[str, ClaimRef] = {}
        self.present = True
        self.repairs: list[Repair] = []
        self.start()

    def start(self) -> None:
        """Start a process, up to the point where it serves."""
        client: Any = self.api
        self.metrics = PluginMetrics(Metrics().registry)
        self.cache = Store()
        self.see()
        self.node_state = NodeState(
            client, self.cache, self.name, SYSTEM, self.source.devices(), FAKE.device_key
        )
        events = Mock(spec_set=EventRecorder)
        fakes = Fakes(FAKE, self.name)
        publisher = NasPublisher(self.node_state, report=self._report)
        self.state = State(
            fakes.directory(self.cdi_root),
            fakes.checkpoint(self.directory),
            publisher,
            report=self._report,
            write_ahead=False,
            remake=fakes.remake,
        )
        claims = ClaimReader(client, CLASSIC)
        collector = Collector(
            self.state,
            self.state.discard,
            claims,
            self.name,
            FAKE.driver_name,
            self.metrics,
            self._report,
        )
        registration: Any = type("Registered", (), {"problem": None, "refused": False})
        readiness = Readiness(self.node_state, registration)
        self.queue = Mock(spec_set=WorkQueue)
        heartbeats = Heartbeats(self.node_state, PERIOD_SECONDS, self.metrics.beat)
        self.sync = NodeSync(
            *(self.node_state, publisher, self.state),
            *(collector, readiness.write, heartbeats, self.queue),
            report=self._report,
        )
        self.driver = NodeDriver(
            self.name,
            FAKE,
            claims,
            self.node_state,
            self.source,
            self.state,
            patience=IMPATIENT,
            metrics=self.metrics,
            events=events,
        )
        self.node_state.ensure()
        self.state.recover()
        readiness.serving(True)
        readiness.write()

    def see(self) -> None:
        """Let the watch cache see what the API server has."""
        stored = self.api.objects.get((STATES.plural, object_key(SYSTEM, self.name)))
        self.cache.replace([stored] if stored else [], self.api.version())

    def keep(self) -> None:
        """Do once what the plugin does every minute."""
        self.see()
        for task in (REPAIR, COLLECT, FILES):
            self.sync.handle(task)
        for queued in self.queue.add.call_args_list:
            self.sync.handle(*queued.args)
        self.queue.reset_mock()

    def violations(self, state: NodeAllocationState) -> list[Violation]:
        return check_files(state, read_files(FAKE, self.cdi_root, self.directory, self.name))

    def _report(self, kind: Repair, _text: str) -> None:
        self.repairs.append(kind)
