"""A DRA driver's two gRPC services on a real unix socket, for tests of the virtual kubelet.

It serves whichever generations of the Node service a test asks for, and records each call.
"""

import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from devcluster.kubelet.services import HEALTH_V1, V1, V1BETA1
from dra.kubelet.protocol import dra_health_pb2 as health_messages
from dra.kubelet.protocol import dra_v1_pb2 as devices
from dra.kubelet.protocol import dra_v1alpha2_pb2 as single
from dra.kubelet.protocol import dra_v1alpha3_pb2 as batch
from dra.kubelet.protocol import pluginregistration_pb2 as registration

Handlers = dict[str, Any]


@contextmanager
def short_directory() -> Iterator[Path]:
    """A directory whose name leaves room for socket names, which a test's own does not."""
    with tempfile.TemporaryDirectory(prefix="k-") as path:
        yield Path(path)


@dataclass
class Driver:
    """What the fake driver does and saw.

    Attributes:
        generations: of `v1alpha2`, `v1alpha3`, `v1alpha4`, `v1beta1` and `v1`; the second and the
            third share a path.
        ids: CDI ids by claim uid; `cdi/dev=<uid>` by default.
        health: what the health service tells of the device `d` of the pool `p`, one list after
            the other, until the stream ends; None has no such service.
        error: answer for each claim.
        status: makes every Node call fail.
        hold: Node calls wait for it.
        on_call: told the method of each Node call.
        calls: method, and the claim uids of the request.
        handles: resource handles as they came.
    """

    name: str = "driver.example.com"
    versions: Sequence[str] = ("1.0.0",)
    type: str = "DRAPlugin"
    endpoint: str = ""
    generations: Sequence[str] = ("v1alpha2", "v1alpha3")
    ids: dict[str, list[str]] = field(default_factory=dict)
    health: Iterable[health_messages.DeviceHealth] | None = None
    error: str = ""
    status: grpc.StatusCode | None = None
    streams: bool = False
    hold: threading.Event | None = None
    refuses_notification: bool = False
    on_call: Callable[[str], object] = lambda _method: None
    calls: list[tuple[str, list[str]]] = field(default_factory=list)
    handles: list[str] = field(default_factory=list)
    notified: list[tuple[bool, str]] = field(default_factory=list)

    def devices_of(self, uid: str) -> list[str]:
        return self.ids.get(uid, [f"cdi/dev={uid}"])

    def called(self, context: Any, method: str, uids: list[str]) -> None:
        self.calls.append((method, uids))
        self.on_call(method)
        if self.hold is not None:
            self.hold.wait(10)
        if self.status is not None:
            context.abort(self.status, "as told")


@contextmanager
def serving(driver: Driver, *sockets: Path) -> Iterator[Driver]:
    """Serve all services of a driver on each of some sockets."""
    with futures.ThreadPoolExecutor(max_workers=4) as pool:
        server = grpc.server(pool)
        server.add_generic_rpc_handlers(
            tuple(
                grpc.method_handlers_generic_handler(service, handlers)
                for service, handlers in _services(driver).items()
            )
        )
        for socket in sockets:
            assert server.add_insecure_port(f"unix:{socket}")
        server.start()
        try:
            yield driver
        finally:
            server.stop(None).wait()


def _services(driver: Driver) -> dict[str, Handlers]:
    found = {"pluginregistration.Registration": _registration(driver)}
    if "v1alpha2" in driver.generations:
        found["v1alpha2.Node"] = _singles(driver)
    if "v1alpha3" in driver.generations:
        found["v1alpha3.Node"] = _batches(driver, batch)
    if "v1alpha4" in driver.generations:
        found["v1alpha3.Node"] = _batches(driver, devices)
    for service in (V1, V1BETA1):
        version = service.service.rpartition(".dra.")[2].partition(".")[0]
        if version in driver.generations:
            found[service.service] = _batches(driver, devices, version)
    if driver.health is not None:
        found[HEALTH_V1] = {"NodeWatchResources": _health(driver.health)}
    return found


def _health(told: Iterable[health_messages.DeviceHealth]) -> Any:
    return grpc.unary_stream_rpc_method_handler(
        lambda _request, _context: (
            health_messages.NodeWatchResourcesResponse(devices=[each]) for each in told
        ),
        request_deserializer=health_messages.NodeWatchResourcesRequest.FromString,
        response_serializer=lambda reply: reply.SerializeToString(),
    )


def _handler(behaviour: Callable[[Any, Any], Any], request: Any) -> Any:
    return grpc.unary_unary_rpc_method_handler(
        behaviour,
        request_deserializer=request.FromString,
        response_serializer=lambda reply: reply.SerializeToString(),
    )


def _registration(driver: Driver) -> Handlers:
    def get_info(_request: Any, _context: Any) -> Any:
        return registration.PluginInfo(
            type=driver.type,
            name=driver.name,
            endpoint=driver.endpoint,
            supported_versions=driver.versions,
        )

    def notify(request: Any, context: Any) -> Any:
        driver.notified.append((request.plugin_registered, request.error))
        if driver.refuses_notification:
            context.abort(grpc.StatusCode.INTERNAL, "not now")
        return registration.RegistrationStatusResponse()

    return {
        "GetInfo": _handler(get_info, registration.InfoRequest),
        "NotifyRegistrationStatus": _handler(notify, registration.RegistrationStatus),
    }


def _singles(driver: Driver) -> Handlers:
    def prepare(request: Any, context: Any) -> Any:
        driver.called(context, "v1alpha2 prepare", [request.claim_uid])
        driver.handles.append(request.resource_handle)
        ids = driver.devices_of(request.claim_uid)
        return single.NodePrepareResourceResponse(cdi_devices=ids)

    def unprepare(request: Any, context: Any) -> Any:
        driver.called(context, "v1alpha2 unprepare", [request.claim_uid])
        return single.NodeUnprepareResourceResponse()

    return {
        "NodePrepareResource": _handler(prepare, single.NodePrepareResourceRequest),
        "NodeUnprepareResource": _handler(unprepare, single.NodeUnprepareResourceRequest),
    }


def _batches(driver: Driver, messages: Any, version: str = "") -> Handlers:
    name = version or ("v1alpha4" if messages is devices else "v1alpha3")

    def prepare(request: Any, context: Any) -> Any:
        driver.called(context, f"{name} prepare", [claim.uid for claim in request.claims])
        reply = messages.NodePrepareResourcesResponse()
        for claim in request.claims:
            driver.handles.append(getattr(claim, "resource_handle", ""))
            entry = reply.claims[claim.uid]
            entry.error = driver.error
            if messages is batch:
                entry.cdi_devices.extend(driver.devices_of(claim.uid))
            else:
                ids = driver.devices_of(claim.uid)
                entry.devices.add(request_names=["a/b"], cdi_device_ids=ids)
        return reply

    def unprepare(request: Any, context: Any) -> Any:
        driver.called(context, f"{name} unprepare", [claim.uid for claim in request.claims])
        reply = messages.NodeUnprepareResourcesResponse()
        for claim in request.claims:
            reply.claims[claim.uid].error = driver.error
        return reply

    handlers = {
        "NodePrepareResources": _handler(prepare, messages.NodePrepareResourcesRequest),
        "NodeUnprepareResources": _handler(unprepare, messages.NodeUnprepareResourcesRequest),
    }
    if driver.streams:
        handlers["NodeListAndWatchResources"] = grpc.unary_stream_rpc_method_handler(
            lambda _request, _context: iter([b"one", b"two"]),
            request_deserializer=bytes,
            response_serializer=bytes,
        )
    return handlers
