"""gRPC client of a driver's service for claims, in the form that the emulated kubelet uses.

Source: k8s.io/kubelet/pkg/apis/dra/{v1alpha2,v1alpha3,v1alpha4,v1beta1,v1}/api.proto.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc

from devcluster.kubelet.devicehealth import LEASE_SECONDS, UNKNOWN, Device, Health, shortened
from devcluster.kubelet.dialect import Dialect
from devcluster.kubelet.errors import PluginCallFailed
from devcluster.kubelet.services import V1ALPHA2, V1ALPHA3, Generation
from dra.kubelet.protocol import dra_health_pb2 as health

_STATES: Final = {health.HEALTHY: "Healthy", health.UNHEALTHY: "Unhealthy"}


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """One claim, or one resource handle of it, that a call is for."""

    namespace: str
    uid: str
    name: str
    handle: str = ""


@dataclass(frozen=True, slots=True)
class CdiDevice:
    """A CDI id that a driver returned.

    Attributes:
        id: qualified, `vendor/class=name`.
        requests: the claim's requests that it serves; empty is all of them.
        pool: of the device.
        device: of which this is the first id, empty for further ones; a device without ids has an
            empty one.
    """

    id: str
    requests: frozenset[str] = frozenset()
    pool: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a driver said about one claim; a non-empty error means that it failed."""

    devices: tuple[CdiDevice, ...] = ()
    error: str = ""


class DraClient:
    """A registered driver, over a unix socket; one connection until it is closed."""

    def __init__(
        self,
        endpoint: Path,
        dialect: Dialect,
        clock: Callable[[], float] = time.monotonic,
        service: Generation | None = None,
    ) -> None:
        """Connect lazily.

        Args:
            endpoint: the plugin's socket.
            dialect: decides on fallback and deadlines.
            clock: monotonic seconds.
            service: that is called; by default what a plugin has that lists no services.

        Raises:
            ValueError: there is no such default.
        """
        chosen = service or dialect.calls.legacy
        if chosen is None:
            raise ValueError(f"kubelets of {dialect.version} call what a plugin lists")
        # with another channel to this path it would share a connection to whoever had it before
        own = (("grpc.use_local_subchannel_pool", 1),)
        self._channel = grpc.insecure_channel(f"unix:{endpoint}", own)
        self._dialect = dialect
        self._clock = clock
        self._service = chosen

    def prepare(self, claims: Sequence[ClaimRequest]) -> Mapping[str, Answer]:
        """Prepare claims; answers by claim uid. Raises PluginCallFailed."""
        return self._call("Prepare", claims)

    def unprepare(self, claims: Sequence[ClaimRequest]) -> Mapping[str, Answer]:
        """Unprepare claims; answers by claim uid. Raises PluginCallFailed."""
        return self._call("Unprepare", claims)

    def watch_resources(self) -> str:
        """Follow NodeListAndWatchResources until it ends, ignoring what it says.

        Returns:
            The name of the status that ended it; UNIMPLEMENTED for a classic driver.
        """
        call = self._channel.unary_stream(f"/{V1ALPHA3.service}/NodeListAndWatchResources")
        return _ended(lambda: call(b""), lambda _reply: None)

    def watch_health(self, service: str, told: Callable[[Mapping[Device, Health]], object]) -> str:
        """Follow the health of the driver's devices until the driver ends it.

        Args:
            service: that is called.
            told: hears of each list.

        Returns:
            The name of the status that ended it.
        """
        call = self._channel.unary_stream(
            f"/{service}/NodeWatchResources",
            request_serializer=health.NodeWatchResourcesRequest.SerializeToString,
            response_deserializer=health.NodeWatchResourcesResponse.FromString,
        )
        return _ended(
            lambda: call(health.NodeWatchResourcesRequest()), lambda reply: told(_told(reply))
        )

    def close(self) -> None:
        """Close the connection; calls in flight fail."""
        self._channel.close()

    def _call(self, verb: str, claims: Sequence[ClaimRequest]) -> Mapping[str, Answer]:
        deadline = self._clock() + self._dialect.call_seconds
        method = f"Node{verb}Resource"
        try:
            return self._with_fallback(method, claims, deadline)
        except grpc.RpcError as error:
            text = getattr(error, "details", lambda: "")() or "no details"
            raise PluginCallFailed(
                f"rpc {method}(s) failed: code = {_status(error)}, desc = {text}"
            ) from error
        except ValueError as error:
            # what grpc raises on a closed channel
            raise PluginCallFailed(
                f"rpc {method}(s) failed: the plugin has just been unregistered"
            ) from error

    def _with_fallback(
        self, method: str, claims: Sequence[ClaimRequest], deadline: float
    ) -> Mapping[str, Answer]:
        fallback = self._dialect.calls.fallback
        try:
            return self._with(self._service, method, claims, deadline)
        except grpc.RpcError as error:
            if fallback is None or _status(error) != "UNIMPLEMENTED":
                raise
        if self._dialect.remembers_fallback:
            self._service = fallback
        return self._with(fallback, method, claims, deadline)

    def _with(
        self, service: Generation, method: str, claims: Sequence[ClaimRequest], deadline: float
    ) -> Mapping[str, Answer]:
        if service is V1ALPHA2:
            return self._singles(method, claims, deadline)
        method = f"{method}s"
        request = getattr(service.messages, f"{method}Request")()
        for claim in claims:
            entry = request.claims.add(namespace=claim.namespace, uid=claim.uid, name=claim.name)
            if service is V1ALPHA3:
                entry.resource_handle = claim.handle
        response = getattr(service.messages, f"{method}Response")
        reply = self._unary(f"/{service.service}/{method}", request, response, deadline)
        return {uid: _answer(entry) for uid, entry in reply.claims.items()}

    def _singles(
        self, method: str, claims: Sequence[ClaimRequest], deadline: float
    ) -> Mapping[str, Answer]:
        answers: dict[str, Answer] = {}
        messages = V1ALPHA2.messages
        for claim in claims:
            request = getattr(messages, f"{method}Request")(
                namespace=claim.namespace,
                claim_uid=claim.uid,
                claim_name=claim.name,
                resource_handle=claim.handle,
            )
            response = getattr(messages, f"{method}Response")
            reply = self._unary(f"/{V1ALPHA2.service}/{method}", request, response, deadline)
            answers[claim.uid] = _answer(reply)
        return answers

    def _unary(self, path: str, request: Any, response: Any, deadline: float) -> Any:
        call = self._channel.unary_unary(
            path,
            request_serializer=type(request).SerializeToString,
            response_deserializer=response.FromString,
        )
        left = deadline - self._clock()
        if left <= 0:
            raise PluginCallFailed(f"rpc {path} not made: code = DEADLINE_EXCEEDED")
        return call(request, timeout=left)


def _answer(entry: Any) -> Answer:
    """Read the response of any generation; unprepare responses have no devices at all."""
    listed = [CdiDevice(id_) for id_ in getattr(entry, "cdi_devices", ())]
    for device in getattr(entry, "devices", ()):
        requests = frozenset(device.request_names)
        first, *others = device.cdi_device_ids or [""]
        listed.append(CdiDevice(first, requests, device.pool_name, device.device_name))
        listed.extend(CdiDevice(id_, requests) for id_ in others)
    return Answer(tuple(listed), getattr(entry, "error", ""))


def _ended(begin: Callable[[], Iterable[Any]], hear: Callable[[Any], object]) -> str:
    """Hear a stream to its end; return the name of its status."""
    try:
        for reply in begin():
            hear(reply)
    except grpc.RpcError as error:
        return _status(error)
    except ValueError:
        # what grpc raises on a closed channel
        return "CANCELLED"
    return "OK"


def _told(reply: Any) -> dict[Device, Health]:
    return {
        (each.device.pool_name, each.device.device_name): Health(
            _STATES.get(each.health, UNKNOWN),
            shortened(each.message),
            each.health_check_timeout_seconds
            if each.health_check_timeout_seconds > 0
            else LEASE_SECONDS,
        )
        for each in reply.devices
    }


def _status(error: grpc.RpcError) -> str:
    code = getattr(error, "code", None)
    return str(code().name) if code is not None else "UNKNOWN"
