"""The parts of an embedded cluster, started and stopped in order.

Runs inside the process that serves the API (see server.py): control plane and kubelets are threads
that ask it as everybody else does, the driver's programs are processes of their own.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from flask import Flask

from allocation.gates import Gates
from api.objects import JSON
from devcluster.apiserver.remotecommand import Command
from devcluster.apiserver.resourceapi import CLASSIC as CLASSIC_API
from devcluster.apiserver.resourceapi import ResourceApi, structured
from devcluster.apiserver.server import ApiServer
from devcluster.claimapi import CLASSIC, FIRST_WITH_RULES, STRUCTURED
from devcluster.claimcontroller import ClaimController
from devcluster.claimsview import Features
from devcluster.config import ClusterConfig
from devcluster.controls import add_controls
from devcluster.deviceeviction import DeviceEviction
from devcluster.errors import DevclusterError
from devcluster.inprocess import InProcess
from devcluster.kubelet.dialect import DIALECTS, NEWEST_CLASSIC
from devcluster.kubelet.execution import Execution
from devcluster.kubelet.kubelet import Kubelet
from devcluster.kubelet.node import MAX_PODS
from devcluster.manifests import SYSTEM_NAMESPACE, install
from devcluster.nodecontroller import NodeController
from devcluster.programs import Program, Programs, driver_programs
from devcluster.scheduler import Scheduler
from devcluster.together import together
from devcluster.virtualnodes import VirtualNodes
from devcluster.workloads.controller import WorkloadController
from kube.access import Access
from kube.client import Client
from kube.connections import Connections, open_connections
from kube.errors import KubeError
from kube.events import EventRecorder
from kube.ratelimit import TokenBucket
from kube.transport import Transport
from ops.lifecycle import Lifecycle

QPS: Final = 1000.0
START_SECONDS: Final = 30.0

_THREADS, _THREADS_PER_KUBELET = 64, 8


class Cluster:
    """One embedded cluster.

    Attributes:
        life: its threads, and what to stop.
    """

    def __init__(self, config: ClusterConfig, life: Lifecycle, say: Callable[[str], None]) -> None:
        """Make the API server; nothing else exists before `start`.

        Args:
            config: what the user chose.
            life: started and stopped by whoever owns the process.
            say: tells the user about progress.
        """
        self._config = config
        self._say = say
        self._programs = Programs(config, life)
        self._nodes: VirtualNodes | None = None
        self._recorders: list[EventRecorder] = []
        self._minor = served_minor(config)
        self._resources = resource_api(config)
        self._api = ApiServer(
            logs=self,
            commands=self,
            version=DIALECTS[self._minor].version,
            resource_api=self._resources,
        )
        add_controls(self._api.app, lambda: self._nodes)
        self.life = life

    @property
    def app(self) -> Flask:
        """The API server as a WSGI application."""
        return self._api.app

    def read(
        self, pod: JSON, container: str, *, follow: bool, previous: bool, tail: int | None
    ) -> Iterator[bytes]:
        """Return a container's log from the pod's node: the API server's port for logs."""
        kubelet = self._kubelet_of(pod)
        if kubelet is None:
            return iter(())
        return kubelet.read(pod, container, follow=follow, previous=previous, tail=tail)

    def execute(self, pod: JSON, container: str, command: Command) -> Execution:
        """Start a command in a container: the API server's port for exec."""
        kubelet = self._kubelet_of(pod)
        if kubelet is None:
            raise DevclusterError(f'container not found ("{container}")')
        return kubelet.execute(pod, container, command)

    def start(self, url: str) -> None:
        """Start everything; returns when the kubeconfig is there for users.

        Args:
            url: at which the API server answers, or is about to.

        Raises:
            DevclusterError: a part did not start.
        """
        self._api.start()
        self.life.on_stop("API server", self._api.stop)
        draft = self._config.draft_kubeconfig
        draft.write_text(json.dumps(kubeconfig(url), indent=2), encoding="utf-8")
        network = open_connections(Access(url), size=connections(len(self._config.all_nodes)))
        self._await_api(_client(url, network))
        client = _client(url, InProcess(self.app, network))
        self.life.on_stop("API client", client.close)
        self.life.on_stop("events", lambda: together(each.stop for each in self._recorders))
        self._say(f"API server of Kubernetes {self._minor} at {url}")
        if self._config.driver:
            name = self._config.contract.driver_name
            install(client, name, structured=self._config.dialect.structured)
        self._start_control_plane(client)
        programs = driver_programs(self._config, SYSTEM_NAMESPACE) if self._config.driver else []
        self._start_nodes(client, url, programs)
        draft.rename(self._config.kubeconfig)
        self._start_driver(programs)
        self._say("the cluster runs until Ctrl-C; to use it:")
        self._say(f"export KUBECONFIG={self._config.kubeconfig}")

    def _kubelet_of(self, pod: JSON) -> Kubelet | None:
        name = str(pod["spec"].get("nodeName", ""))
        return self._nodes.kubelet(name) if self._nodes is not None else None

    def _await_api(self, client: Client) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                client.server_version()
            except KubeError as error:
                if time.monotonic() > deadline:
                    raise DevclusterError(f"the API server does not answer: {error}") from error
                time.sleep(0.05)
            else:
                return

    def _start_control_plane(self, client: Client) -> None:
        structured_kind = self._config.dialect.structured
        offered = features(self._resources) if structured_kind else None
        known = STRUCTURED if structured_kind else CLASSIC
        events = partial(self._events, client)
        scheduler = Scheduler(client, events=events("default-scheduler"), features=offered)
        claims = ClaimController(client, events=events("resource_claim"), known=known)
        workloads = WorkloadController(client, events=events)
        parts = {
            "scheduler": scheduler.start,
            "claim controller": claims.start,
            "workload controller": workloads.start,
            "node controller": NodeController(client).start,
        }
        if offered and offered.taint_rules:
            evictions = DeviceEviction(client, events=events("device-taint-eviction"))
            parts["device eviction"] = evictions.start
        for name, start in parts.items():
            start(self.life)
            self._say(f"{name} runs")

    def _start_nodes(self, client: Client, url: str, programs: Sequence[Program]) -> None:
        nodes = VirtualNodes(
            {
                name: partial(
                    self._kubelet, client, url, name, self._events(client, "kubelet", name)
                )
                for name in self._config.node_names
            },
            {program.name: program for program in programs},
            self._programs,
        )
        self.life.on_stop("kubelets", nodes.stop_kubelets)
        self._nodes = nodes
        for name in self._config.node_names:
            nodes.start_kubelet(name)
            self._say(f"kubelet of {name} runs")

    def _kubelet(self, client: Client, url: str, name: str, events: EventRecorder) -> Kubelet:
        address = urlsplit(url)
        return Kubelet(
            client,
            name,
            self._config.node_root(name),
            dialect=self._config.dialect,
            events=events,
            driver_name=self._config.contract.driver_name,
            api_server=(address.hostname or "", address.port or 0),
        )

    def _start_driver(self, programs: Sequence[Program]) -> None:
        self.life.on_stop("programs", self._programs.stop_all)
        for program in programs:
            self._programs.start(program)
            self._say(f"{program.name} starts, log in {self._config.logs / program.name}.log")

    def _events(self, client: Client, component: str, host: str = "") -> EventRecorder:
        events = EventRecorder(client, component=component, host=host)
        events.start()
        self._recorders.append(events)
        return events


def _client(url: str, connections: Connections) -> Client:
    transport = Transport(Access(url), connections, user_agent="devcluster")
    return Client(transport, limiter=TokenBucket(QPS, int(QPS)))


def served_minor(config: ClusterConfig) -> str:
    """Return the minor that the API server claims to be of."""
    structured_kind = config.dialect.structured
    return config.kubernetes if structured_kind else min(config.kubernetes, NEWEST_CLASSIC)


def resource_api(config: ClusterConfig) -> ResourceApi:
    """Return what the API server serves of resource.k8s.io."""
    return structured(config.dialect.minor) if config.dialect.structured else CLASSIC_API


def features(served: ResourceApi) -> Features:
    """Return what a scheduler beside an API server does."""
    return Features(
        Gates.of({name: name in served.gates for name in Gates().named}),
        taint_rules=served.minor >= FIRST_WITH_RULES,
        extended_resources="DRAExtendedResource" in served.gates,
    )


def connections(nodes: int) -> int:
    """Return how many threads of the control plane and the kubelets may send something at once.

    Each pod has one, and all of them do when the cluster stops.
    """
    return _THREADS + nodes * (_THREADS_PER_KUBELET + MAX_PODS)


def kubeconfig(url: str) -> JSON:
    """Return a kubeconfig for a cluster that asks nobody who they are."""
    name = "devcluster"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url}}],
        "users": [{"name": name, "user": {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
