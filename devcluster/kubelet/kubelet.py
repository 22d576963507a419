"""One virtual kubelet: everything that acts for one node, put together, started and stopped.

The cluster makes one for each node. What a kubelet leaves on disk is picked up by the next one of
the same root.
"""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from api.errors import DriverError
from api.objects import JSON, uid_of
from api.resources import PODS
from devcluster.apiserver.remotecommand import Command
from devcluster.claimapi import CLASSIC, STRUCTURED
from devcluster.kubelet.checkpoint import Checkpoint
from devcluster.kubelet.claims import ClaimManager
from devcluster.kubelet.containerenv import service_variables
from devcluster.kubelet.devicehealth import DeviceHealth
from devcluster.kubelet.dialect import Dialect
from devcluster.kubelet.errors import StartFailed
from devcluster.kubelet.execution import Execution
from devcluster.kubelet.housekeeping import Housekeeping
from devcluster.kubelet.launching import Launcher
from devcluster.kubelet.layout import NodeDirectories
from devcluster.kubelet.node import NodeAgent
from devcluster.kubelet.pluginmanager import PluginManager
from devcluster.kubelet.podlogs import choose_run, read_log
from devcluster.kubelet.podset import PodSet
from devcluster.kubelet.podworker import NodePorts
from devcluster.kubelet.runtime import Runtime
from devcluster.kubelet.slicewiping import SliceWiping, wipe
from kube.client import Client
from kube.events import EventRecorder
from kube.reflector import Reflector
from kube.store import Handler, Store
from ops.apiserver import watch_failures
from ops.logs import get_logger

ADDRESS: Final = "127.0.0.1"
"""Of every node and pod: containers are processes in the network of this machine."""

STOP_GRACE: Final = 1.0
_JOIN_SECONDS: Final = 1.0

_log = get_logger("kubelet")


class Kubelet:
    """The kubelet of one node; thread-safe."""

    def __init__(
        self,
        client: Client,
        node_name: str,
        root: Path,
        *,
        dialect: Dialect,
        events: EventRecorder,
        api_server: tuple[str, int] = ("10.96.0.1", 443),
        driver_name: str,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Make the node's directories and load what an earlier kubelet held.

        Args:
            client: the API server.
            node_name: of the Node object.
            root: directory of this node alone; short, because sockets are below it.
            dialect: which kubelet to emulate.
            events: where to record events on pods.
            api_server: host and port that containers are told.
            driver_name: of the driver whose sockets have to fit below `root`.
            clock: monotonic seconds.
            wall: seconds since the epoch.

        Raises:
            StateDirError: `root` is too long or cannot be written.
            CheckpointCorrupt: the record of held claims cannot be read.
        """
        self._directories = NodeDirectories(root.absolute()).create(driver_name)
        self._clock, self._wall = clock, wall
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._runtime = Runtime(wall)
        self._health = DeviceHealth(clock) if dialect.shows_health else None
        self._plugins = self._plugin_manager(dialect)
        self._slices = self._slice_wiping(client, node_name) if dialect.structured else None
        claims = self._claim_manager(client, dialect)
        launcher = Launcher((self._directories.cdi,), ADDRESS, service_variables(*api_server))
        self._pods = PodSet(self._ports(client, claims, launcher, events), self._stop)
        self._store, self._reflector = _watch_of_pods(client, node_name, self._pods.changed)
        agent = NodeAgent(client, node_name, dialect.version, ADDRESS, wall)
        self._house = Housekeeping(agent, claims, self._directories, self._known_pods)

    @property
    def plugins(self) -> list[str]:
        """Names of the registered drivers."""
        return self._plugins.names()

    def start(self) -> None:
        """Begin: register the node, plugins and pods. Returns at once."""
        if self._slices is not None:
            self._spawn("slices", self._slices.run)
        self._spawn("housekeeping", self._house.run)
        self._spawn("plugins", self._plugins.run)
        self._spawn("pods", self._reflector.run)

    def wake(self) -> None:
        """Look again at the node and at all pods, who may wait for a plugin."""
        self._pods.wake_all()
        self._house.wake()

    def stop(self, grace: float = STOP_GRACE) -> None:
        """End all containers and threads, but unprepare nothing, as when a machine goes down.

        Args:
            grace: seconds between SIGTERM and SIGKILL, for all containers together.
        """
        self._stop.set()
        self._reflector.stop()
        self._plugins.close()
        self.wake()
        deadline = self._clock() + _JOIN_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - self._clock()))
        self._pods.join(lambda: max(0.0, deadline - self._clock()))
        self._plugins.close()
        self._runtime.stop_all(grace)

    def read(
        self, pod: JSON, container: str, *, follow: bool, previous: bool, tail: int | None
    ) -> Iterator[bytes]:
        """Return what a container wrote; see devcluster.apiserver.logs.LogSource.

        A log that is followed ends with the container, or with the kubelet.
        """
        uid = uid_of(pod)
        directory = self._directories.pod(uid)
        run = choose_run(pod, container, directory.runs(container), previous=previous)

        def ended() -> bool:
            worker = self._pods.get(uid)
            runs = worker is not None and worker.runs(container)
            return not runs or directory.runs(container)[-1:] != [run]

        path = directory.log(container, run)
        return read_log(path, tail=tail, follow=follow, ended=ended, wait=self._stop.wait)

    def execute(self, pod: JSON, container: str, command: Command) -> Execution:
        """Start a command in a container; see devcluster.apiserver.remotecommand.CommandSource."""
        worker = self._pods.get(uid_of(pod))
        process = worker.process(container) if worker is not None else None
        if process is None:
            raise StartFailed(f'container not found ("{container}")')
        return Execution(process, command, self._wall)

    def _slice_wiping(self, client: Client, node_name: str) -> SliceWiping:
        delete = partial(wipe, client, STRUCTURED.slices, node_name)
        return SliceWiping(delete, self._plugins.endpoints, self._clock)

    def _plugin_manager(self, dialect: Dialect) -> PluginManager:
        return PluginManager(
            self._directories.registry,
            dialect,
            on_registered=lambda _: self.wake(),
            on_health=lambda: self._pods.wake_all(),
            health=self._health,
            clock=self._clock,
        )

    def _claim_manager(self, client: Client, dialect: Dialect) -> ClaimManager:
        claims = (STRUCTURED if dialect.structured else CLASSIC).claims
        return ClaimManager(
            lambda namespace, name: client.get(claims, name, namespace),
            self._plugins.get,
            dialect,
            Checkpoint(self._directories.held_claims),
            self._health,
        )

    def _ports(
        self, client: Client, claims: ClaimManager, launcher: Launcher, events: EventRecorder
    ) -> NodePorts:
        return NodePorts(
            api=client,
            claims=claims,
            launcher=launcher,
            runtime=self._runtime,
            events=events,
            directories=self._directories,
            clock=self._clock,
            wall=self._wall,
        )

    def _known_pods(self) -> set[str] | None:
        return self._pods.uids() if self._store.has_synced() else None

    def _spawn(self, name: str, run: Callable[[threading.Event], None]) -> None:
        thread = threading.Thread(
            target=_guarded, args=(name, run, self._stop), name=f"kubelet-{name}", daemon=True
        )
        self._threads.append(thread)
        thread.start()


def _watch_of_pods(client: Client, node_name: str, changed: Handler) -> tuple[Store, Reflector]:
    store = Store()
    store.subscribe(changed)
    selector = f"spec.nodeName={node_name}"
    failed = watch_failures(_log.with_(node=node_name), PODS)
    return store, Reflector(client, PODS, store, field_selector=selector, on_error=failed)


def _guarded(name: str, run: Callable[[threading.Event], None], stop: threading.Event) -> None:
    try:
        run(stop)
    except (DriverError, OSError) as error:
        _log.error("Thread of the kubelet ended", error, thread=name)
