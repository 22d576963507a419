"""The kubelet of a node: registers drivers over their sockets, and has claims prepared by them.

Does with a driver what real kubelets of a minor do, and checks every answer, see
`testing.kubeletcalls`. Claims are objects in the form of the API, allocated and reserved.
Source: kubernetes pkg/kubelet/{pluginmanager,cm/dra}, v1.27 to v1.38.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import grpc

from api.objects import JSON, ClaimUID
from api.resources import StructuredResources
from devcluster.kubelet.cdiresolver import edits_of
from devcluster.kubelet.layout import NodeDirectories
from devcluster.kubelet.slicewiping import wipe
from devcluster.kubelet.watcher import find_sockets
from dra.claims import ClaimRef
from dra.devicestate.cdi import read_edits
from dra.driver import Edits
from dra.kubelet.protocol import dra_health_pb2 as messages
from kube.client import Client
from testing.kubeletcalls import (
    SECONDS,
    Answered,
    Generation,
    KubeletCalls,
    Refused,
    kubelet,
)
from testing.waiting import until

NEWEST: Final = 37
"""Minor of the newest Kubernetes that drivers are tested against by default."""

PLUGIN_TYPE: Final = "DRAPlugin"
_ASK_SECONDS: Final = 1.0
_REPLACES: Final = 37
"""First minor in which an answer replaces the former one, and is not added to it."""

Health: TypeAlias = Mapping[tuple[str, str], str]
"""HEALTHY, UNHEALTHY or UNKNOWN by pool and device."""


class PrepareFailed(Exception):
    """Claims of a pod were not prepared; the text is what the pod's event says."""


class UnprepareFailed(Exception):
    """A claim was not unprepared; a kubelet tries again, and the pod stays until then."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A driver as the kubelet knows it.

    Attributes:
        name: of the driver.
        endpoint: socket of its services.
        versions: that it lists.
        service: that is called for claims.
        health: service that is asked for the health of devices; None if none is.
        calls: the connection.
    """

    name: str
    endpoint: Path
    versions: tuple[str, ...]
    service: Generation
    health: str | None
    calls: KubeletCalls = field(compare=False, repr=False)


@dataclass(slots=True)
class _Held:
    """A claim of which the kubelet's checkpoint knows."""

    ref: ClaimRef
    prepared: bool = False
    answers: dict[str, list[Answered]] = field(default_factory=dict)


class Kubelet:
    """One kubelet process after the other; not thread-safe.

    Attributes:
        directories: of the node.
        minor: its version.
        plugins: the registered drivers by name.
        call_seconds: that a driver has to answer; real kubelets give it 45 s, that of 1.27 10 s.
    """

    def __init__(
        self,
        directories: NodeDirectories,
        minor: int = NEWEST,
        *,
        client: Client | None = None,
        slices: StructuredResources | None = None,
        node: str = "node-1",
    ) -> None:
        """Start a kubelet.

        Args:
            directories: of the node; they are there.
            minor: version 1.x.
            client: deletes the node's ResourceSlices at each start, if there is one.
            slices: the resources that the client's server has.
            node: name of the Node.
        """
        self.directories = directories
        self.minor = minor
        self.plugins: dict[str, Registered] = {}
        self.call_seconds = SECONDS
        self._version = kubelet(minor)
        self._client, self._resources, self._node = client, slices, node
        self._held: dict[tuple[str, str], _Held] = {}
        self._wipe_slices()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._forget_plugins()

    def register(self, driver: str, seconds: float = 10.0) -> Registered:
        """Wait for the socket of a driver, ask it who it is, and tell it that it is registered.

        Raises:
            Refused: it is no driver, or lists no service that this kubelet calls; it was told so.
            NotSeen: there is no such driver.
        """
        where = self.directories.registry
        return until(f"driver {driver} in {where}", lambda: self.look(driver), seconds)

    def look(self, driver: str) -> Registered | None:
        """Register a driver like `register` if its socket is there, the newest of several.

        Raises:
            Refused: as there.
        """
        found = find_sockets(self.directories.registry)
        for socket in sorted(found, key=lambda path: found[path][-1], reverse=True):
            with KubeletCalls(socket) as calls:
                try:
                    info = calls.get_info(_ASK_SECONDS)
                except grpc.RpcError:
                    continue
                if info.name == driver:
                    return self._register(calls, info, socket)
        return None

    def restart(self) -> None:
        """Start a new process: it asks every driver again, and has every claim prepared again."""
        known = list(self.plugins)
        self._forget_plugins()
        for held in self._held.values():
            held.prepared = False
        self._wipe_slices()
        for driver in known:
            self.register(driver)

    def prepare(self, *claims: JSON) -> Edits:
        """Have the claims of a pod prepared, as before its sandbox is made.

        Returns:
            What a container gets that names the claims without a request.

        Raises:
            PrepareFailed: with the error of the first driver that failed.
            WrongAnswer: a kubelet would refuse an answer.
        """
        missing = {name for claim in claims for name in drivers_of(claim)} - self.plugins.keys()
        if missing:
            raise PrepareFailed(f"DRA driver {min(missing)} is not registered")
        held = [self._hold(claim) for claim in claims]
        asked = [(h, drivers_of(c)) for h, c in zip(held, claims, strict=True) if not h.prepared]
        for driver in dict.fromkeys(name for _, drivers in asked for name in drivers):
            self._prepare(driver, [each for each, drivers in asked if driver in drivers])
        for each, _ in asked:
            each.prepared = True
        return self._container(held)

    def unprepare(self, *claims: JSON) -> None:
        """Have claims unprepared, as after the last container; those it does not hold are fine.

        Raises:
            UnprepareFailed: with the error of the first driver that failed.
            WrongAnswer: a kubelet would refuse an answer.
        """
        known = [self._held[key] for claim in claims if (key := _key(claim)) in self._held]
        for driver in dict.fromkeys(name for each in known for name in each.answers):
            self._unprepare(driver, [each.ref for each in known if driver in each.answers])
        for each in known:
            del self._held[each.ref.namespace, each.ref.name]

    def edits(self, claim: JSON, request: str = "") -> Edits:
        """Return what a container gets that names a request of a claim, or all of it.

        Raises:
            PrepareFailed: the claim is not prepared.
            UnresolvableDevices: the container would not start.
        """
        held = self._held.get(_key(claim))
        if held is None:
            raise PrepareFailed(f"{ref_of(claim)} is not prepared")
        return self._container([held], request)

    def health(self, driver: str) -> Iterator[Health]:
        """Follow the health of a driver's devices: all of them each time.

        Raises:
            Refused: this kubelet does not ask the driver.
        """
        plugin = self.plugins[driver]
        if plugin.health is None:
            raise Refused(f"{driver} lists no health service that this kubelet calls")
        stream = plugin.calls.watch_health(plugin.health)
        try:
            for message in stream:
                yield {
                    (each.device.pool_name, each.device.device_name): messages.HealthStatus.Name(
                        each.health
                    )
                    for each in message.devices
                }
        finally:
            stream.cancel()

    def _register(self, calls: KubeletCalls, info: Any, socket: Path) -> Registered:
        listed = tuple(info.supported_versions)
        try:
            if info.type != PLUGIN_TYPE:
                raise Refused(f"plugin type {info.type!r} is not {PLUGIN_TYPE!r}")
            service = self._version.service(listed)
        except Refused as refused:
            calls.notify(str(refused))
            raise
        endpoint = Path(info.endpoint) if info.endpoint else socket
        health = self._version.health_service(listed)
        made = Registered(info.name, endpoint, listed, service, health, KubeletCalls(endpoint))
        if former := self.plugins.pop(info.name, None):
            former.calls.close()
        self.plugins[info.name] = made
        calls.notify()
        return made

    def _hold(self, claim: JSON) -> _Held:
        ref = ref_of(claim)
        held = self._held.setdefault(_key(claim), _Held(ref))
        if held.ref.uid != ref.uid:
            raise PrepareFailed(f"old ResourceClaim with same name {ref.name} still exists")
        return held

    def _prepare(self, driver: str, claims: Sequence[_Held]) -> None:
        answers = self._call(driver, "prepare", [each.ref for each in claims])
        for each in claims:
            answer = answers[each.ref.uid]
            if answer.error:
                raise PrepareFailed(f"NodePrepareResources failed for {each.ref}: {answer.error}")
            former = [] if self.minor >= _REPLACES else each.answers.get(driver, [])
            each.answers[driver] = [*former, answer]

    def _unprepare(self, driver: str, refs: Sequence[ClaimRef]) -> None:
        if driver not in self.plugins:
            raise UnprepareFailed(f"DRA driver {driver} is not registered")
        for uid, error in self._call(driver, "unprepare", refs).items():
            if error:
                raise UnprepareFailed(f"NodeUnprepareResources failed for claim {uid}: {error}")

    def _call(self, driver: str, method: str, refs: Sequence[ClaimRef]) -> Any:
        plugin = self.plugins[driver]
        call = getattr(plugin.calls, method)
        try:
            return call(*refs, by=plugin.service, seconds=self.call_seconds)
        except grpc.RpcError as error:
            fallback = self._version.fallback
            if fallback is None or error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                failed = PrepareFailed if method == "prepare" else UnprepareFailed
                raise failed(f"DRA driver {driver}: {error.details()}") from error
            return call(*refs, by=fallback, seconds=self.call_seconds)

    def _container(self, claims: Sequence[_Held], request: str = "") -> Edits:
        answers = [a for each in claims for given in each.answers.values() for a in given]
        return container_edits(
            [self.directories.cdi], [id_ for each in answers for id_ in each.of_container(request)]
        )

    def _forget_plugins(self) -> None:
        while self.plugins:
            self.plugins.popitem()[1].calls.close()

    def _wipe_slices(self) -> None:
        if self._client is None or self._resources is None:
            return
        wipe(self._client, self._resources.slices, self._node)


def container_edits(directories: Sequence[Path], ids: Sequence[str]) -> Edits:
    """Return what a container runtime makes of CDI ids: the last of two at one path wins.

    Raises:
        UnresolvableDevices: the container would not start.
    """
    edits = read_edits(edits_of(directories, list(dict.fromkeys(ids))))
    return Edits(
        edits.env,
        tuple({each.container_path: each for each in edits.mounts}.values()),
        tuple({each.path: each for each in edits.device_nodes}.values()),
        edits.hooks,
        edits.additional_gids,
    )


def drivers_of(claim: JSON) -> list[str]:
    """Return the drivers that prepare an allocated claim, in the order of its results.

    Raises:
        PrepareFailed: it is not allocated.
    """
    status = claim.get("status") or {}
    if not status.get("allocation"):
        raise PrepareFailed(f"{ref_of(claim)} is not allocated")
    results = (status["allocation"].get("devices") or {}).get("results") or []
    classic = [status["driverName"]] if status.get("driverName") else []
    return list(dict.fromkeys([*classic, *(each["driver"] for each in results)]))


def ref_of(claim: JSON) -> ClaimRef:
    """Return how a kubelet names a claim to drivers."""
    meta = claim["metadata"]
    return ClaimRef(meta["namespace"], meta["name"], ClaimUID(meta["uid"]))


def _key(claim: JSON) -> tuple[str, str]:
    return claim["metadata"]["namespace"], claim["metadata"]["name"]
