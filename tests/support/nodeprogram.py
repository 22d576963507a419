"""A node on a MemoryApi: its disk, its kubelet's list of claims, and the plugin's process."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

from api.contract import FAKE
from api.invariants import Violation, check_files
from api.nas import NodeAllocationState
from api.objects import NodeName, object_key
from api.resources import STATES
from dra.claims import ClaimRef
from dra.kubelet.protocol.pluginregistration_pb2 import RegistrationStatus
from dra.metrics import PluginMetrics
from dra.places import PLUGIN_SOCKET
from dra.repairs import Repair
from dra.wiring import COLLECT, FILES, Surroundings, Telemetry
from fsck.nodefiles import read_files
from kube.events import EventRecorder
from ops.communication import Communication
from ops.metrics import Metrics
from plugin.classic.startup import recover
from plugin.classic.wiring import REPAIR, Site, build
from plugin.devices import FakeDeviceSource
from testing.apiserver import MemoryApi
from tests.support.build import SYSTEM
from tests.support.pluginrig import IMPATIENT, places_of


class NodeProgram:
    """A node: its disk, the plugin's process, and the claims that its kubelet has prepared."""

    def __init__(
        self,
        api: MemoryApi,
        root: Path,
        name: str,
        devices: int,
        communication: Communication = Communication.NAS,
    ) -> None:
        self.api = api
        self.communication = communication
        self.name = NodeName(name)
        self.cdi_root = root / name / "cdi"
        self.directory = root / name / "plugin"
        self.directory.mkdir(parents=True)
        self.places = places_of(self.directory, self.cdi_root, self.directory / PLUGIN_SOCKET)
        self.source = FakeDeviceSource(FAKE, self.name, devices, "M")
        self.running: dict[str, ClaimRef] = {}
        self.present = True
        self.repairs: list[Repair] = []
        self.start()

    def start(self) -> None:
        """Start a process, up to the point where it serves."""
        client: Any = self.api
        events: Any = Mock(spec_set=EventRecorder)
        metrics = Metrics()
        self.metrics = PluginMetrics(metrics.registry)
        around = Surroundings(client, events, metrics, self.name, self.places, IMPATIENT)
        site = Site(FAKE, SYSTEM, self.source, communication=self.communication)
        self.program = build(around, site, Telemetry(self.metrics, self._report))
        self.cache, self.queue = self.program.cache, self.program.queue
        self.node_state = self.program.node_state
        self.sync = self.program.sync
        self.state = self.program.plugin.state
        self.driver = self.program.plugin.node
        self.program.plugin.registration.notify(RegistrationStatus(plugin_registered=True))
        self.see()
        recover(self.program)
        self.program.readiness.serving(True)
        self.program.readiness.write()

    def see(self) -> None:
        """Let the watch cache see what the API server has."""
        stored = self.api.objects.get((STATES.plural, object_key(SYSTEM, self.name)))
        self.cache.replace([stored] if stored else [], self.api.version())

    def keep(self) -> None:
        """Do once what the plugin does every minute."""
        self.see()
        for task in (REPAIR, COLLECT, FILES):
            self.sync.handle(task)
        while len(self.queue) and (key := self.queue.get()):
            self.sync.handle(key)
            self.queue.done(key)

    def violations(self, state: NodeAllocationState) -> list[Violation]:
        return check_files(state, read_files(FAKE, self.cdi_root, self.directory, self.name))

    def _report(self, kind: Repair, _text: str) -> None:
        self.repairs.append(kind)
