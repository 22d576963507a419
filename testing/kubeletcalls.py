"""A kubelet at a plugin's sockets: what each version calls, and what it makes of the answers.

Every answer is checked as kubelets check it, and for what they don't check and users miss: an
answer that a kubelet would refuse, or a container would not get its devices by, is WrongAnswer.
Source: kubernetes pkg/kubelet/cm/dra/{manager.go,plugin}, v1.27 to v1.38.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

import grpc

from devcluster.kubelet.errors import RegistrationRefused as Refused
from devcluster.kubelet.services import (
    HEALTH_V1,
    HEALTH_V1ALPHA1,
    V1,
    V1ALPHA2,
    V1ALPHA3,
    V1ALPHA4,
    V1BETA1,
    Generation,
    Version,
    kubelet,
)
from dra.claims import ClaimRef
from dra.kubelet.protocol import dra_health_pb2 as health
from dra.kubelet.protocol import pluginregistration_pb2 as registration

__all__ = [
    "GENERATIONS",
    "HEALTH_V1",
    "HEALTH_V1ALPHA1",
    "SECONDS",
    "V1",
    "V1ALPHA2",
    "V1ALPHA3",
    "V1ALPHA4",
    "V1BETA1",
    "Answered",
    "Device",
    "Generation",
    "KubeletCalls",
    "Refused",
    "Version",
    "WrongAnswer",
    "check",
    "kubelet",
]

SECONDS = 10.0
GENERATIONS: Final = MappingProxyType(
    {"v1alpha2": V1ALPHA2, "v1alpha3": V1ALPHA3, "1.31": V1ALPHA4, "v1beta1": V1BETA1, "v1": V1}
)

_CDI_ID: Final = re.compile(r"[A-Za-z][\w.-]*/[A-Za-z][\w.-]*=[A-Za-z0-9][\w.:-]*", re.ASCII)


class WrongAnswer(AssertionError):
    """An answer that a kubelet refuses, or that keeps a container from its devices."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device of an answer, with the names of its message."""

    request_names: tuple[str, ...]
    pool_name: str
    device_name: str
    cdi_device_ids: tuple[str, ...]
    share_id: str | None

    @classmethod
    def of(cls, message: Any) -> Self:
        """Return a message as a value."""
        return cls(
            tuple(message.request_names),
            message.pool_name,
            message.device_name,
            tuple(message.cdi_device_ids),
            message.share_id if message.HasField("share_id") else None,
        )


@dataclass(frozen=True, slots=True)
class Answered:
    """What a kubelet keeps of the answer for a claim; with an error, nothing else."""

    cdi_devices: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    error: str = ""

    @classmethod
    def of(cls, message: Any) -> Self:
        """Return the message of any generation as a value."""
        found = tuple(map(Device.of, getattr(message, "devices", ())))
        flat = tuple(id_ for device in found for id_ in device.cdi_device_ids)
        return cls(
            tuple(getattr(message, "cdi_devices", flat)), found, getattr(message, "error", "")
        )

    def of_container(self, request: str = "") -> tuple[str, ...]:
        """Return the CDI ids of a container that names a request of the claim, or all of them."""
        if not self.devices or not request:
            return self.cdi_devices
        serving = (d for d in self.devices if not d.request_names or request in d.request_names)
        return tuple(id_ for device in serving for id_ in device.cdi_device_ids)


def check(asked: Sequence[ClaimRef], answers: Mapping[str, Answered]) -> None:
    """Check the answers to a call.

    Raises:
        WrongAnswer: a claim too many or too few, or a device that kubelets cannot use.
    """
    uids = {ref.uid for ref in asked}
    for uid in answers:
        if uid not in uids:
            raise WrongAnswer(f"the answer has claim {uid!r}, which was not asked for")
    if left_out := uids - answers.keys():
        raise WrongAnswer(f"the answer leaves out claims {sorted(left_out)}")
    for uid, answer in answers.items():
        for wrong in _wrong(answer):
            raise WrongAnswer(f"claim {uid}: {wrong}")


def _wrong(answer: Answered) -> Iterator[str]:
    for id_ in answer.cdi_devices:
        if not _CDI_ID.fullmatch(id_):
            yield f"{id_!r} is no qualified CDI device"
    for device in answer.devices:
        if not device.pool_name or not device.device_name:
            yield f"{device} has no pool or no name"
        for name in device.request_names:
            if "/" in name:
                yield f"request {name!r} has an alternative, so that no container gets {device}"


_OWN_CONNECTION: Final = (("grpc.use_local_subchannel_pool", 1),)
"""Channels to the same path share one otherwise, also to a socket that is not there any more."""


class KubeletCalls:
    """One connection to a plugin's socket; raises grpc.RpcError as gRPC does."""

    def __init__(self, socket: Path) -> None:
        self._channel = grpc.insecure_channel(f"unix:{socket}", _OWN_CONNECTION)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls under way fail."""
        self._channel.close()

    def prepare(
        self, *refs: ClaimRef, by: Generation = V1ALPHA3, seconds: float = SECONDS
    ) -> dict[str, Answered]:
        """Prepare claims; a generation of single claims has a call for each."""
        return self._call_for("NodePrepare", refs, by, seconds)

    def unprepare(
        self, *refs: ClaimRef, by: Generation = V1ALPHA3, seconds: float = SECONDS
    ) -> dict[str, str]:
        """Unprepare claims: the error of each, by uid."""
        answers = self._call_for("NodeUnprepare", refs, by, seconds)
        return {uid: answer.error for uid, answer in answers.items()}

    def watch_health(self, service: str) -> Any:
        """Follow the health of devices: a call to iterate, or to cancel."""
        return self._channel.unary_stream(
            f"/{service}/NodeWatchResources",
            request_serializer=health.NodeWatchResourcesRequest.SerializeToString,
            response_deserializer=health.NodeWatchResourcesResponse.FromString,
        )(health.NodeWatchResourcesRequest(), timeout=SECONDS, wait_for_ready=True)

    def watch_resources(self) -> list[bytes]:
        """Kubelet 1.30."""
        stream = self._channel.unary_stream("/v1alpha3.Node/NodeListAndWatchResources")
        return list(stream(b"", timeout=SECONDS))

    def send(self, path: str, content: bytes) -> bytes:
        """Any bytes to any method."""
        answer: bytes = self._channel.unary_unary(path)(content, timeout=SECONDS)
        return answer

    def get_info(self, seconds: float = SECONDS) -> registration.PluginInfo:
        """Ask a plugin at its registration socket who it is."""
        path = "/pluginregistration.Registration/GetInfo"
        info: registration.PluginInfo = self.call(
            path, registration.InfoRequest(), registration.PluginInfo, seconds=seconds
        )
        return info

    def notify(self, error: str = "") -> None:
        """Tell the plugin that it is registered, or why not."""
        status = registration.RegistrationStatus(plugin_registered=not error, error=error)
        path = "/pluginregistration.Registration/NotifyRegistrationStatus"
        self.call(path, status, registration.RegistrationStatusResponse)

    def call(self, path: str, request: Any, response: Any, *, seconds: float = SECONDS) -> Any:
        """Send a message to a method; `response` is the class of the answer."""
        unary = self._channel.unary_unary(
            path,
            request_serializer=type(request).SerializeToString,
            response_deserializer=response.FromString,
        )
        return unary(request, timeout=seconds, wait_for_ready=True)

    def _call_for(
        self, verb: str, refs: Sequence[ClaimRef], by: Generation, seconds: float
    ) -> dict[str, Answered]:
        def call(**fields: Any) -> Any:
            return self.call(
                f"/{by.service}/{method}", request(**fields), response, seconds=seconds
            )

        method = f"{verb}{by.suffix}"
        request = getattr(by.messages, f"{method}Request")
        response = getattr(by.messages, f"{method}Response")
        if by is V1ALPHA2:
            found = {str(ref.uid): call(**_single(ref)) for ref in refs}
        else:
            found = call(claims=[_claim(ref, by) for ref in refs]).claims
        answers = {uid: Answered.of(message) for uid, message in found.items()}
        check(refs, answers)
        return answers


def _single(ref: ClaimRef) -> dict[str, str]:
    return {
        "namespace": ref.namespace,
        "claim_uid": ref.uid,
        "claim_name": ref.name,
        "resource_handle": "x",
    }


def _claim(ref: ClaimRef, by: Generation) -> dict[str, str]:
    handle = {"resource_handle": "x"} if by is V1ALPHA3 else {}
    return {"namespace": ref.namespace, "uid": ref.uid, "name": ref.name, **handle}
