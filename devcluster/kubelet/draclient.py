"""gRPC client of a driver's Node service, in the form that the emulated kubelet uses.

Source: k8s.io/kubelet/pkg/apis/dra/{v1alpha2,v1alpha3,v1alpha4}/api.proto. Go package v1alpha4 is
still called v1alpha3 on the wire, so that the same path carries other messages in 1.31.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from devcluster.kubelet.dialect import Dialect
from devcluster.kubelet.errors import PluginCallFailed
from dra.kubelet.protocol import dra_v1_pb2 as devices
from dra.kubelet.protocol import dra_v1alpha2_pb2 as single
from dra.kubelet.protocol import dra_v1alpha3_pb2 as batch

_SINGLE_SERVICE = "/v1alpha2.Node"
_BATCH_SERVICE = "/v1alpha3.Node"


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
    """

    id: str
    requests: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a driver said about one claim; a non-empty error means that it failed."""

    devices: tuple[CdiDevice, ...] = ()
    error: str = ""


class DraClient:
    """A registered driver, over a unix socket; one connection until it is closed."""

    def __init__(
        self, endpoint: Path, dialect: Dialect, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Connect lazily.

        Args:
            endpoint: the plugin's socket.
            dialect: decides on messages, fallback and deadlines.
            clock: monotonic seconds.
        """
        self._channel = grpc.insecure_channel(f"unix:{endpoint}")
        self._dialect = dialect
        self._clock = clock
        self._only_singles = not dialect.batches

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
        call = self._channel.unary_stream(f"{_BATCH_SERVICE}/NodeListAndWatchResources")
        try:
            for _ in call(b""):
                continue
        except grpc.RpcError as error:
            return _status(error)
        except ValueError:
            # what grpc raises on a closed channel
            return "CANCELLED"
        return "OK"

    def close(self) -> None:
        """Close the connection; calls in flight fail."""
        self._channel.close()

    def _call(self, verb: str, claims: Sequence[ClaimRequest]) -> Mapping[str, Answer]:
        deadline = self._clock() + self._dialect.call_seconds
        method = f"Node{verb}Resource"
        try:
            if self._only_singles:
                return self._singles(method, claims, deadline)
            return self._batch_or_singles(method, claims, deadline)
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

    def _batch_or_singles(
        self, method: str, claims: Sequence[ClaimRequest], deadline: float
    ) -> Mapping[str, Answer]:
        try:
            return self._batch(f"{method}s", claims, deadline)
        except grpc.RpcError as error:
            if not self._dialect.falls_back or _status(error) != "UNIMPLEMENTED":
                raise
        self._only_singles = self._dialect.remembers_fallback
        return self._singles(method, claims, deadline)

    def _batch(
        self, method: str, claims: Sequence[ClaimRequest], deadline: float
    ) -> Mapping[str, Answer]:
        messages: Any = batch if self._dialect.sends_handles else devices
        request = getattr(messages, f"{method}Request")()
        for claim in claims:
            entry = request.claims.add(namespace=claim.namespace, uid=claim.uid, name=claim.name)
            if self._dialect.sends_handles:
                entry.resource_handle = claim.handle
        reply = self._unary(
            f"{_BATCH_SERVICE}/{method}",
            request,
            getattr(messages, f"{method}Response"),
            deadline,
        )
        return {uid: _answer(entry) for uid, entry in reply.claims.items()}

    def _singles(
        self, method: str, claims: Sequence[ClaimRequest], deadline: float
    ) -> Mapping[str, Answer]:
        answers: dict[str, Answer] = {}
        messages: Any = single
        for claim in claims:
            request = getattr(messages, f"{method}Request")(
                namespace=claim.namespace,
                claim_uid=claim.uid,
                claim_name=claim.name,
                resource_handle=claim.handle,
            )
            response = getattr(messages, f"{method}Response")
            reply = self._unary(f"{_SINGLE_SERVICE}/{method}", request, response, deadline)
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
        listed.extend(CdiDevice(id_, requests) for id_ in device.cdi_device_ids)
    return Answer(tuple(listed), getattr(entry, "error", ""))


def _status(error: grpc.RpcError) -> str:
    code = getattr(error, "code", None)
    return str(code().name) if code is not None else "UNKNOWN"
