"""The calls of a kubelet over a Unix socket, each generation with its own messages."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc

from dra.claims import ClaimRef
from dra.kubelet.protocol import dra_v1alpha2_pb2 as single
from dra.kubelet.protocol import dra_v1alpha3_pb2 as batch
from dra.kubelet.protocol import dra_v1alpha4_pb2 as devices
from dra.kubelet.protocol import pluginregistration_pb2 as registration

SECONDS = 10.0


class KubeletCalls:
    """One connection to a plugin's socket; raises grpc.RpcError as gRPC does."""

    def __init__(self, socket: Path) -> None:
        self._channel = grpc.insecure_channel(f"unix:{socket}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._channel.close()

    def prepare_single(self, ref: ClaimRef) -> list[str]:
        """Kubelet 1.27."""
        request = single.NodePrepareResourceRequest(
            namespace=ref.namespace, claim_uid=ref.uid, claim_name=ref.name
        )
        path = "/v1alpha2.Node/NodePrepareResource"
        return list(self.call(path, request, single.NodePrepareResourceResponse).cdi_devices)

    def unprepare_single(self, ref: ClaimRef) -> None:
        """Kubelet 1.27."""
        request = single.NodeUnprepareResourceRequest(
            namespace=ref.namespace, claim_uid=ref.uid, claim_name=ref.name
        )
        path = "/v1alpha2.Node/NodeUnprepareResource"
        self.call(path, request, single.NodeUnprepareResourceResponse)

    def prepare(self, *refs: ClaimRef) -> dict[str, Any]:
        """Kubelet 1.28 to 1.30: answers with `cdi_devices` and `error`, by uid."""
        claims = [
            batch.Claim(namespace=r.namespace, uid=r.uid, name=r.name, resource_handle="x")
            for r in refs
        ]
        request = batch.NodePrepareResourcesRequest(claims=claims)
        path = "/v1alpha3.Node/NodePrepareResources"
        return dict(self.call(path, request, batch.NodePrepareResourcesResponse).claims)

    def unprepare(self, *refs: ClaimRef) -> dict[str, str]:
        """Kubelet 1.28 to 1.31: the error of each claim, by uid."""
        claims = [batch.Claim(namespace=r.namespace, uid=r.uid, name=r.name) for r in refs]
        request = batch.NodeUnprepareResourcesRequest(claims=claims)
        path = "/v1alpha3.Node/NodeUnprepareResources"
        answers = self.call(path, request, batch.NodeUnprepareResourcesResponse).claims
        return {uid: answer.error for uid, answer in answers.items()}

    def prepare_devices(self, *refs: ClaimRef) -> dict[str, Any]:
        """Kubelet 1.31: answers with `devices` and `error`, by uid."""
        claims = [devices.Claim(namespace=r.namespace, uid=r.uid, name=r.name) for r in refs]
        request = devices.NodePrepareResourcesRequest(claims=claims)
        path = "/v1alpha3.Node/NodePrepareResources"
        return dict(self.call(path, request, devices.NodePrepareResourcesResponse).claims)

    def watch_resources(self) -> list[bytes]:
        """Kubelet 1.30."""
        stream = self._channel.unary_stream("/v1alpha3.Node/NodeListAndWatchResources")
        return list(stream(b"", timeout=SECONDS))

    def send(self, path: str, content: bytes) -> bytes:
        """Any bytes to any method."""
        answer: bytes = self._channel.unary_unary(path)(content, timeout=SECONDS)
        return answer

    def get_info(self) -> registration.PluginInfo:
        path = "/pluginregistration.Registration/GetInfo"
        info: registration.PluginInfo = self.call(
            path, registration.InfoRequest(), registration.PluginInfo
        )
        return info

    def notify(self, error: str = "") -> None:
        """Tell the plugin that it is registered, or why not."""
        status = registration.RegistrationStatus(plugin_registered=not error, error=error)
        path = "/pluginregistration.Registration/NotifyRegistrationStatus"
        self.call(path, status, registration.RegistrationStatusResponse)

    def call(self, path: str, request: Any, response: Any, *, seconds: float = SECONDS) -> Any:
        unary = self._channel.unary_unary(
            path,
            request_serializer=type(request).SerializeToString,
            response_deserializer=response.FromString,
        )
        return unary(request, timeout=seconds, wait_for_ready=True)
