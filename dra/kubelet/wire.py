"""Services and methods by their literal names on the wire, served without generated stubs.

What a handler raises never reaches the kubelet as a stack: an error of the driver becomes a status
with its text, anything else is logged and becomes a status that says so. Methods that are not
listed answer UNIMPLEMENTED, which is what kubelets probe for. What serves a call has its deadline,
less a margin for the answer, in `kube.deadlines`; a stream has none. Called by
`dra.kubelet.service`, `dra.kubelet.health` and `dra.kubelet.registration`.
Source: kubernetes pkg/kubelet/cm/dra/plugin; k8s.io/kubelet/pkg/apis.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, NoReturn, Protocol, TypeAlias, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from api.errors import DriverError
from kube.deadlines import Deadline, limited
from ops.logs import get_logger

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


class StreamCall(Protocol):
    """A call under way, of grpc.ServicerContext."""

    def is_active(self) -> bool:
        """Tell whether the caller still waits."""

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Call it once the call has ended; False if it has."""


@dataclass(frozen=True, slots=True)
class Stream(Generic[Request]):
    """A method whose answer is a stream: the message that comes in, and what answers it."""

    request: type[Request]
    serve: Callable[[Request, StreamCall], Iterator[Message]]


def service(name: str, methods: Mapping[str, Method[Any] | Stream[Any]]) -> Handler:
    """Return a handler for `grpc.server` that serves `/<name>/<method>` for each method."""
    made = {
        method: _stream(f"{name}/{method}", each)
        if isinstance(each, Stream)
        else _unary(f"{name}/{method}", each)
        for method, each in methods.items()
    }
    return grpc.method_handlers_generic_handler(name, made)


def method_of(request: type[Message]) -> str:
    """Return the method of a message that is named like its method."""
    return str(request.DESCRIPTOR.name).removesuffix("Request")


def text_of(error: DriverError) -> str:
    """Return an error as kubelets get it; they show it to users as an event of the pod."""
    return shorten(str(error))


def shorten(text: str) -> str:
    """Return at most LONGEST_TEXT characters of a text, with an ellipsis if some are missing.

    What no message can say, such as a file name that is no UTF-8, is escaped.
    """
    text = text.encode(errors="backslashreplace").decode()
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 3]}..."


def _unary(path: str, method: Method[Any]) -> Any:
    def handle(request: Message, context: Any) -> Message:
        try:
            with limited(_deadline(context, time.monotonic())):
                return method.serve(request)
        except Exception as error:  # noqa: BLE001 - grpc would send the text of any exception
            _refuse(path, error, context)

    return grpc.unary_unary_rpc_method_handler(
        handle,
        request_deserializer=_decoder(path, method.request),
        response_serializer=_serialize,
    )


def _stream(path: str, stream: Stream[Any]) -> Any:
    def handle(request: Message, context: Any) -> Iterator[Message]:
        try:
            yield from stream.serve(request, context)
        except Exception as error:  # noqa: BLE001 - grpc would send the text of any exception
            _refuse(path, error, context)

    return grpc.unary_stream_rpc_method_handler(
        handle,
        request_deserializer=_decoder(path, stream.request),
        response_serializer=_serialize,
    )


def _refuse(path: str, error: Exception, context: Any) -> NoReturn:
    if isinstance(error, DriverError):
        _LOG.warning("Call failed", method=path, err=str(error))
        status, text = grpc.StatusCode.FAILED_PRECONDITION, text_of(error)
    else:
        _LOG.error("Call crashed", exc=error, method=path)
        status, text = grpc.StatusCode.INTERNAL, "defect in the plugin; see its log"
    context.abort(status, text)
    raise AssertionError


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
