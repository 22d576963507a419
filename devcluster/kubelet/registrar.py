"""gRPC client of a plugin's registration socket.

Source: k8s.io/kubelet/pkg/apis/pluginregistration/v1/api.proto and
kubernetes pkg/kubelet/pluginmanager/operationexecutor.
"""

from pathlib import Path
from typing import Any

import grpc

from devcluster.kubelet.errors import PluginCallFailed
from devcluster.kubelet.plugins import PluginInfo
from dra.kubelet.protocol import pluginregistration_pb2 as messages

GET_INFO_SECONDS = 1.0
NOTIFY_SECONDS = 5.0

_SERVICE = "/pluginregistration.Registration"


def get_info(socket: Path) -> PluginInfo:
    """Ask a plugin who it is.

    Raises:
        PluginCallFailed: no answer within a second, or an error.
    """
    reply = _call(socket, "GetInfo", messages.InfoRequest(), messages.PluginInfo, GET_INFO_SECONDS)
    endpoint = Path(reply.endpoint) if reply.endpoint else socket
    return PluginInfo(reply.type, reply.name, endpoint, tuple(reply.supported_versions))


def notify(socket: Path, error: str) -> None:
    """Tell a plugin how its registration went; an empty `error` is success.

    Raises:
        PluginCallFailed: no answer within five seconds, or an error.
    """
    status = messages.RegistrationStatus(plugin_registered=not error, error=error)
    reply_type = messages.RegistrationStatusResponse
    _call(socket, "NotifyRegistrationStatus", status, reply_type, NOTIFY_SECONDS)


def _call(socket: Path, method: str, request: Any, reply_type: Any, seconds: float) -> Any:
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        call = channel.unary_unary(
            f"{_SERVICE}/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=reply_type.FromString,
        )
        try:
            return call(request, timeout=seconds, wait_for_ready=True)
        except grpc.RpcError as error:
            details = getattr(error, "details", lambda: "")() or "no details"
            raise PluginCallFailed(f"{method} on {socket} failed: {details}") from error
