"""The driver's programs on a GuardedApi: put together as their own wiring does, run step by step.

Threads of the programs are run in the thread of the test: watches end when they have told what
there is to tell, and the queue is worked off key by key.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from api.contract import FAKE
from api.objects import NodeName
from api.resources import DRA_VERSIONS, NODES, PODS, STATES
from controller.election import take_part
from controller.wiring import Site as ControllerSite
from controller.wiring import build
from dra.places import Places
from dra.wiring import Surroundings, Telemetry
from kube.errors import KubeError
from kube.events import EventRecorder
from kube.leases import Timing
from ops.communication import Communication
from ops.metrics import Metrics
from plugin.classic.startup import recover
from plugin.classic.wiring import Site
from plugin.classic.wiring import build as build_plugin
from plugin.devices import FakeDeviceSource
from testing.clock import Clock
from tests.support.build import SYSTEM
from tests.support.guardedapi import GuardedApi, Turn
from tests.support.pluginrig import IMPATIENT

NODE = NodeName("node-1")


class PluginProgram:
    """The kubelet plugin of a node, without its sockets.

    Attributes:
        parts: as wired.
        driver: what serves the kubelet's calls.
    """

    name = "kubeletplugin"

    def __init__(self, api: GuardedApi, root: Path) -> None:
        self._turn = Turn()
        client = api.client(self.name, self._turn)
        self.events = EventRecorder(client, component=self.name, host=NODE)
        places = Places.of(FAKE, str(root / "cdi"), str(root / "registry"), str(root / "plugins"))
        for place in (places.cdi_root, places.directory):
            place.path.mkdir(parents=True)
        around = Surroundings(client, self.events, Metrics(), NODE, places, IMPATIENT)
        site = Site(FAKE, SYSTEM, FakeDeviceSource(FAKE, NODE, 2, "M"))
        self.parts = build_plugin(around, site, Telemetry.over(around))
        self.driver = self.parts.plugin.node

    def watch(self) -> None:
        """Let the cache see its state, and what has changed since."""
        self._turn.clear()
        self.parts.reflector.run(self._turn)

    def recover(self) -> None:
        """Begin as plugin.classic.startup does."""
        recover(self.parts)

    def serve(self) -> None:
        """Say that the sockets serve."""
        self.parts.readiness.serving(True)
        self.parts.readiness.write()


class ControllerProgram:
    """The controller, leading.

    Attributes:
        parts: as wired.
        client: by which it asks the API server.
        clock: of its decisions.
    """

    name = "controller"

    def __init__(self, api: GuardedApi, version: str) -> None:
        self._turn = Turn()
        self.clock = Clock(1000.0)
        self._resources = DRA_VERSIONS[version]
        self.client = api.client(self.name, self._turn)
        self.events = EventRecorder(self.client, component=self.name)
        self.parts = build(
            self.client,
            FAKE,
            self.events,
            Metrics(),
            ControllerSite(version, SYSTEM, 60.0, Communication.NAS, self.name),
            clock=self.clock,
        )

    def resources(self) -> list[str]:
        """Return the plurals of what is cached."""
        kinds = self._resources
        nodes = [NODES] if kinds.immediate else []
        cached = (kinds.claims, kinds.contexts, kinds.classes, STATES, PODS, *kinds.parameters)
        return [resource.plural for resource in (*cached, *nodes)]

    def watch(self, *plurals: str) -> None:
        """Let some caches, or all, see what has changed."""
        wanted = {f"reflector-{plural}" for plural in plurals or self.resources()}
        for name, body in self.parts.caches.threads(self._turn):
            if name in wanted:
                self._turn.clear()
                body()

    def work(self) -> None:
        """Look at every cached object, as soon as all caches are filled."""
        caches = self.parts.caches
        if caches.unsynced():
            return
        for kind, store in (
            ("nas", caches.states),
            ("claim", caches.claims),
            ("psc", caches.contexts),
        ):
            for obj in store.list():
                meta = obj["metadata"]
                self.parts.reconciler.handle(f"{kind}:{meta['namespace']}/{meta['name']}")


class Candidate:
    """A controller in the election; a `kube.elector.Listener`, and as much of a Lifecycle.

    Attributes:
        identity: of the candidate.
        leads: whether it has begun to.
        failures: of its requests.
    """

    def __init__(self, api: GuardedApi, identity: str) -> None:
        self.identity = identity
        self.leads = False
        self.failures: list[str] = []
        self.stop = Turn()
        self._threads: dict[str, Callable[[], None]] = {}
        client = api.client(ControllerProgram.name, self.stop)
        listener: Any = self
        take_part(listener, client, listener, SYSTEM, Timing())

    def attempt(self) -> None:
        """Look at the Lease, and take or renew it if that is allowed."""
        self._elector().attempt()

    def release(self) -> None:
        """Give the Lease back."""
        self._elector().release()

    def watch(self) -> None:
        """See the Lease by its watch."""
        self.stop.clear()
        self._threads["reflector-lease"]()

    def spawn(self, name: str, body: Callable[[], None]) -> None:
        self._threads[name] = body

    def on_stop(self, _name: str, _action: Callable[[], None]) -> None:
        return

    def started(self) -> None:
        self.leads = True

    def lost(self) -> None:
        self.leads = False

    def standby(self, holder: str) -> None:
        return

    def failed(self, error: KubeError) -> None:
        self.failures.append(str(error))

    watch_failed = failed

    def _elector(self) -> Any:
        # the body of the thread is a method of the Elector
        body: Any = self._threads["election"]
        return body.__self__
