"""One virtual kubelet: everything that acts for one node, put together, started and stopped.

The cluster makes one for each node. What a kubelet leaves on disk is picked up by the next one of
the same root.
"""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from api.errors import DriverError
from api.objects import JSON, uid_of
from devcluster.kubelet import registrar
from devcluster.kubelet.checkpoint import Checkpoint
from devcluster.kubelet.claims import ClaimManager
from devcluster.kubelet.containerenv import service_variables
from devcluster.kubelet.dialect import Dialect
from devcluster.kubelet.draclient import GrpcDraClient
from devcluster.kubelet.errors import UnprepareFailed
from devcluster.kubelet.launching import Launcher
from devcluster.kubelet.layout import NodeDirectories
from devcluster.kubelet.node import RENEW_SECONDS, NodeAgent
from devcluster.kubelet.plugins import PluginRegistry
from devcluster.kubelet.podlogs import choose_run, read_log
from devcluster.kubelet.podset import PodSet
from devcluster.kubelet.podworker import Events, NodePorts
from devcluster.kubelet.runtime import Runtime
from devcluster.kubelet.watcher import RegistrationWatcher
from devcluster.resources import CLAIMS
from kube.client import Client
from kube.errors import KubeError
from kube.reflector import Reflector
from kube.resources import PODS
from kube.store import Store
from ops.logs import get_logger

ADDRESS: Final = "127.0.0.1"
"""Of every node and pod: containers are processes in the network of this machine."""

STOP_GRACE: Final = 1.0
_JOIN_SECONDS: Final = 1.0
_REGISTER_RETRY: Final = 1.0


class Kubelet:
    """The kubelet of one node; thread-safe."""

    def __init__(
        self,
        client: Client,
        node_name: str,
        root: Path,
        *,
        dialect: Dialect,
        events: Events,
        api_server: tuple[str, int] = ("10.96.0.1", 443),
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
            clock: monotonic seconds.
            wall: seconds since the epoch.

        Raises:
            StateDirError: `root` is too long or cannot be written.
            CheckpointCorrupt: the record of held claims cannot be read.
        """
        self._directories = NodeDirectories(root.absolute())
        self._directories.create()
        self._dialect = dialect
        self._clock = clock
        self._stop = threading.Event()
        self._housekeeping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._log = get_logger("kubelet").with_(node=node_name)
        self._agent = NodeAgent(client, node_name, dialect.version, ADDRESS, wall)
        self._plugins = PluginRegistry(self._connect)
        self._watcher = RegistrationWatcher(
            self._directories.registry,
            self._plugins,
            registrar,
            on_registered=self._registered,
            clock=clock,
        )
        self._claims = ClaimManager(
            lambda namespace, name: client.get(CLAIMS, name, namespace),
            self._plugins.get,
            dialect,
            Checkpoint(self._directories.held_claims),
        )
        self._runtime = Runtime(wall)
        ports = NodePorts(
            api=client,
            claims=self._claims,
            launcher=Launcher((self._directories.cdi,), ADDRESS, service_variables(*api_server)),
            runtime=self._runtime,
            events=events,
            directories=self._directories,
            clock=clock,
            wall=wall,
        )
        self._pods = PodSet(ports, self._stop)
        self._store = Store()
        self._store.subscribe(self._pods.changed)
        self._reflector = Reflector(
            client,
            PODS,
            self._store,
            field_selector=f"spec.nodeName={node_name}",
            on_error=self._watch_failed,
        )

    @property
    def plugins(self) -> list[str]:
        """Names of the registered drivers."""
        return self._plugins.names()

    def start(self) -> None:
        """Begin: register the node, plugins and pods. Returns at once."""
        self._spawn("housekeeping", self._keep_house)
        self._spawn("plugins", lambda: self._watcher.run(self._stop))
        self._spawn("pods", lambda: self._reflector.run(self._stop))

    def stop(self, grace: float = STOP_GRACE) -> None:
        """End all containers and threads, but unprepare nothing, as when a machine goes down.

        Args:
            grace: seconds between SIGTERM and SIGKILL, for all containers together.
        """
        self._stop.set()
        self._reflector.stop()
        self._plugins.close()
        self._housekeeping.set()
        self._pods.wake_all()
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

    def _connect(self, endpoint: Path) -> GrpcDraClient:
        client = GrpcDraClient(endpoint, self._dialect, self._clock)
        if self._dialect.monitors_resources:
            threading.Thread(
                target=self._monitor, args=(client,), name="plugin-resources", daemon=True
            ).start()
        return client

    def _monitor(self, client: GrpcDraClient) -> None:
        self._log.debug("Plugin reports no resources", status=client.watch_resources())

    def _registered(self, _name: str) -> None:
        """Let those who waited for a plugin try again."""
        self._pods.wake_all()
        self._housekeeping.set()

    def _watch_failed(self, error: KubeError) -> None:
        self._log.warning("Watch of pods interrupted", err=error)

    def _keep_house(self) -> None:
        """Register the node, renew its Lease, and clean up after pods that an earlier run left."""
        registered = False
        while not self._stop.is_set():
            self._housekeeping.clear()
            try:
                if not registered:
                    self._agent.register()
                    registered = True
                self._agent.renew()
            except KubeError as error:
                self._log.warning("Node not reported", err=error)
            if self._store.has_synced():
                self._tidy()
            if not self._stop.is_set():
                self._housekeeping.wait(RENEW_SECONDS if registered else _REGISTER_RETRY)

    def _tidy(self) -> None:
        # in this order: a pod that appears in between has a worker before it holds anything
        found = self._claims.pods() | set(self._directories.pods_on_disk())
        for uid in sorted(found - self._pods.uids()):
            try:
                self._claims.unprepare(uid)
            except UnprepareFailed as error:
                self._log.warning("Claims of a pod that is gone not unprepared", pod=uid, err=error)
            else:
                self._directories.pod(uid).remove()

    def _spawn(self, name: str, target: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                target()
            except (DriverError, OSError) as error:
                self._log.error("Thread ended", error, thread=name)

        thread = threading.Thread(target=guarded, name=f"kubelet-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()
