"""Services and methods by their literal names on the wire, served without generated stubs.

What a handler raises never reaches the kubelet as a stack: an error of the driver becomes a status
with its text, anything else is logged and becomes a status that says so. Methods that are not
listed answer UNIMPLEMENTED, which is what kubelets probe for. What serves a call has its deadline,
less a margin for the answer, in `kube.deadlines`. Called by `dra.kubelet.service` and
`dra.kubelet.registration`.
Source: kubernetes pkg/kubelet/cm/dra/plugin; k8s.io/kubelet/pkg/apis.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from api.errors import DriverError
from kube.deadlines import Deadline, limited
from ops.logs import get_logger

NODE_SINGLE: Final = "v1alpha2.Node"
"""Service of kubelet 1.27, and the fallback of 1.28 to 1.30."""

NODE_BATCH: Final = "v1alpha3.Node"
"""Service of kubelet 1.28 to 1.31; 1.31 expects other answers under the same name."""

REGISTRATION: Final = "pluginregistration.Registration"

LONGEST_TEXT: Final = 1024
"""Characters of an error that kubelets get: a status travels in a header of at most 8 KiB."""

LONGEST_SECONDS: Final = 45.0
"""What kubelets from 1.28 on give to a call, and so what one gets that gives nothing."""

MARGIN_SECONDS: Final = 1.0
"""Of a call's time, for the answer."""

Request = TypeVar("Request", bound=Message)
Handler: TypeAlias = Any
"""A grpc.GenericRpcHandler; grpc has no types."""

_LOG = get_logger("calls")


@dataclass(frozen=True, slots=True)
class Method(Generic[Request]):
    """A unary method: the message that comes in, and what answers it."""

    request: type[Request]
    serve: Callable[[Request], Message]


def service(name: str, methods: Mapping[str, Method[Any]]) -> Handler:
    """Return a handler for `grpc.server` that serves `/<name>/<method>` for each method."""
    made = {method: _unary(f"{name}/{method}", each) for method, each in methods.items()}
    return grpc.method_handlers_generic_handler(name, made)


def text_of(error: DriverError) -> str:
    """Return an error as kubelets get it; they show it to users as an event of the pod."""
    return shorten(str(error))


def shorten(text: str) -> str:
    """Return at most LONGEST_TEXT characters of a text, with an ellipsis if some are missing."""
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 3]}..."


def _unary(path: str, method: Method[Any]) -> Any:
    def handle(request: Message, context: Any) -> Message:
        try:
            with limited(_deadline(context, time.monotonic())):
                return method.serve(request)
        except DriverError as error:
            _LOG.warning("Call failed", method=path, err=str(error))
            status, text = grpc.StatusCode.FAILED_PRECONDITION, text_of(error)
        except Exception as error:  # noqa: BLE001 - grpc would send the text of any exception
            _LOG.error("Call crashed", exc=error, method=path)
            status, text = grpc.StatusCode.INTERNAL, "defect in the plugin; see its log"
        context.abort(status, text)
        raise AssertionError

    return grpc.unary_unary_rpc_method_handler(
        handle,
        request_deserializer=_decoder(path, method.request),
        response_serializer=_serialize,
    )


def _deadline(context: Any, now: float) -> Deadline:
    return Deadline(now + usable(context.time_remaining()), context.is_active)


def usable(remaining: float | None) -> float:
    """Return for how many of its remaining seconds a call may work; None is without a limit."""
    seconds = LONGEST_SECONDS if remaining is None else min(remaining, LONGEST_SECONDS)
    return seconds - min(MARGIN_SECONDS, seconds / 2)


def _decoder(path: str, kind: type[Message]) -> Callable[[bytes], Message | None]:
    """Return a function that decodes requests; grpc refuses a call whose request is None."""

    def decode(content: bytes) -> Message | None:
        try:
            return kind.FromString(content)
        except DecodeError as error:
            _LOG.warning("Request cannot be decoded", method=path, err=str(error))
            return None

    return decode


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
