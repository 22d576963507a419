"""The node's side of the plugin on real directories; it can be killed and restarted."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import Mock

from prometheus_client import CollectorRegistry

from api.contract import FAKE
from api.nas import Device
from api.objects import JSON, ClaimUID, NodeName
from api.resources import DRA_V1ALPHA2, NODES, STATES
from dra.claims import ClaimRef
from dra.devicestate import cdi
from dra.metrics import PluginMetrics
from dra.patience import Patience
from dra.places import CDI_SETTING, PLUGIN_SOCKET, PLUGINS_SETTING, Place, Places
from dra.repairs import Repair
from dra.wiring import COLLECT, Surroundings, Telemetry
from kube.events import EventRecorder
from ops.communication import Communication
from ops.metrics import Metrics
from plugin.classic.wiring import Site, build
from plugin.devices import FakeDeviceSource
from plugin.fakes import Fakes
from testing.kubeletcalls import KubeletCalls
from tests.support.build import NAMESPACE, SYSTEM, allocated, claim
from tests.support.tripwire import Tripwire, TripwireApi

NODE = NodeName("node-1")

FAKES = Fakes(FAKE, NODE)

IMPATIENT = Patience(lambda _seconds: True)
"""Never waits, for tests of what one attempt does."""


class PluginRig:
    """One node with its plugin; `restart` replaces the process, files and API server stay.

    The watch cache sees allocations while `watching` is set, and else only when told to `see`.
    """

    def __init__(
        self,
        root: Path,
        *,
        devices: int = 8,
        versions: tuple[str, ...] = (),
        patience: Patience = IMPATIENT,
        communication: Communication = Communication.NAS,
    ) -> None:
        self.communication = communication
        self.tripwire = Tripwire()
        self.api = TripwireApi(self.tripwire, *(versions or ("v1alpha2",)))
        self.api.put(NODES, node_object())
        self.cdi_root = root / "cdi"
        self.directory = root / "plugin"
        self.directory.mkdir()
        self.socket = root / PLUGIN_SOCKET
        self.source = FakeDeviceSource(FAKE, NODE, devices, "M")
        self.warnings: list[str] = []
        self.repairs: list[Repair] = []
        self.watching = False
        self.patience = patience
        self.restart()

    def restart(self) -> None:
        """Start a new process, up to the point where it serves."""
        self.boot()
        self.recover()

    def boot(self) -> None:
        """Make the parts of a new process, with nothing done yet."""
        self.registry = CollectorRegistry()
        self.metrics = PluginMetrics(self.registry)
        self.events = Mock(spec_set=EventRecorder)
        client: Any = self.api
        metrics = Mock(spec_set=Metrics)
        places = places_of(self.directory, self.cdi_root, self.socket)
        around = Surroundings(client, self.events, metrics, NODE, places, self.patience)
        site = Site(FAKE, SYSTEM, self.source, communication=self.communication)
        program = build(around, site, Telemetry(self.metrics, self.report))
        self.program = program
        self.cache = program.cache
        self.node_state = program.node_state
        self.publisher = program.publisher
        self.state = program.plugin.state
        self.driver = program.plugin.node

    @contextmanager
    def serving(self) -> Iterator[KubeletCalls]:
        """Serve on a socket, whose path has to be short; yield a kubelet's connection to it."""
        server = self.program.plugin.plugin_server
        server.start()
        try:
            with KubeletCalls(self.socket) as calls:
                yield calls
        finally:
            server.stop(0)

    def collect(self) -> None:
        """Unprepare what is not for this node any more."""
        self.program.plugin.tasks[COLLECT].run()

    def report(self, kind: Repair, text: str) -> None:
        self.repairs.append(kind)
        self.warnings.append(text)

    def recover(self) -> None:
        self.node_state.ensure()
        self.state.recover()

    def allocate(
        self, name: str, *indexes: int, split: int = 0, share: tuple[int, int] | None = None
    ) -> ClaimRef:
        """Allocate devices to a claim, as the controller does; return how the kubelet names it.

        Args:
            name: of the claim.
            indexes: of the devices.
            split: children of each.
            share: number and largest number of clients, if the claim shares them.
        """
        stored = self.api.put(DRA_V1ALPHA2.claims, allocated(claim(name)))
        uid = stored["metadata"]["uid"]
        how: JSON = {"split": split}
        if share is not None:
            how = {"timeSliced": {"client": share[0], "maxClients": share[1]}}
        devices = [{"uuid": self.device(i).id, **how} for i in indexes]
        self.edit_nas(
            {
                "allocatedClaims": {
                    uid: {
                        "claimInfo": {"namespace": NAMESPACE, "name": name},
                        "fake": {"devices": devices},
                    }
                }
            }
        )
        if self.watching:
            self.see()
        return ClaimRef(NAMESPACE, name, ClaimUID(uid))

    def edit_nas(self, spec: JSON) -> None:
        """Merge into the spec of the NAS, as others would."""
        waiting, self.tripwire.left = self.tripwire.left, None
        self.api.patch(STATES, NODE, {"spec": spec}, namespace=SYSTEM)
        self.tripwire.left = waiting

    def see(self) -> None:
        """Let the watch cache see what the API server has."""
        self.cache.replace(self.api.all(STATES), self.api.version())

    def device(self, index: int) -> Device:
        return self.source.devices()[index]

    def nas(self) -> JSON:
        return self.api.find(STATES, NODE, SYSTEM)

    def shown(self) -> dict[str, list[str]]:
        """Return the prepared device ids by claim uid, as the NAS shows them."""
        prepared = self.nas()["spec"].get("preparedDevices") or {}
        return {uid: [d["uuid"] for d in c["fake"]["devices"]] for uid, c in prepared.items()}

    def saved(self) -> dict[str, list[str]]:
        """Return the prepared device ids by claim uid, as the checkpoint has them."""
        claims = FAKES.checkpoint(self.directory).load()
        return {uid: [d.name or d.device for d in c.devices] for uid, c in claims.items()}

    def injected(self) -> dict[str, list[str]]:
        """Return the device ids by claim uid, as a container runtime would inject them."""
        found = {}
        for path in sorted(self.cdi_root.iterdir()):
            uid = path.name.removeprefix(FAKE.cdi_file_prefix).removesuffix(cdi.FILE_SUFFIX)
            if uid != "common":
                found[uid] = [_first_value(d) for d in json.loads(path.read_text())["devices"]]
        return found

    def assert_agreed(self) -> None:
        """Files, checkpoint and NAS name the same claims with the same devices."""
        assert self.injected() == self.saved() == self.shown()


def places_of(directory: Path, cdi_root: Path, socket: Path) -> Places:
    """Return the places of a plugin whose sockets are side by side."""
    own, registration = Place(directory, PLUGINS_SETTING), socket.with_name("registration.sock")
    sockets = (Place(path, PLUGINS_SETTING) for path in (socket, registration))
    return Places(Place(cdi_root, CDI_SETTING), own, own, *sockets)


def node_object(version: str = "v1.30.14") -> JSON:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE, "uid": "uid-node"},
        "status": {"nodeInfo": {"kubeletVersion": version}},
    }


def _first_value(device: JSON) -> str:
    value: str = device["containerEdits"]["env"][0].partition("=")[2]
    return value
