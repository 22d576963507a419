"""Tells kubelets how the driver's devices are, as long as they want to know.

One thread reads the driver's reports, however many kubelets listen; each gets the last list at once
and every later one. A list is repeated before the kubelet takes its devices for unknown: the driver
tells of changes, so no news is the same state. The driver is asked anew after its reports ended,
once a kubelet listens again, which it does every five seconds. UNIMPLEMENTED is never an answer,
since kubelets from 1.37 on would not come back. Called by gRPC.
Source: kubernetes pkg/kubelet/cm/dra/healthinfo.go; pkg/kubelet/cm/dra/plugin/dra_plugin.go.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from google.protobuf.message import Message

from api.objects import NodeName
from dra.driver import DeviceHealth, ReportsHealth
from dra.errors import HealthUnknown
from dra.kubelet.codecs import HealthCodec
from dra.kubelet.services import HEALTH_SERVICES
from dra.kubelet.wire import Handler, Stream, StreamCall, method_of, service
from ops.logs import get_logger

LEASE_SECONDS: Final = 30.0
"""For which kubelets believe what they were told of a device that has no time of its own."""

_REPEAT_AFTER: Final = 0.4
"""Part of the shortest lease; one that is lost on the way leaves time for the next."""

_LOG = get_logger("health")


def repeat_after(devices: Sequence[DeviceHealth]) -> float:
    """Return the seconds after which a list is to be told again."""
    leases = (each.timeout if each.timeout > 0 else LEASE_SECONDS for each in devices)
    return _REPEAT_AFTER * min(leases, default=LEASE_SECONDS)


@dataclass(slots=True)
class _Reports:
    """What one iterator of the driver has told; guarded by the condition of Health.

    Attributes:
        listeners: streams that get it.
        told: how many lists.
        devices: the last list.
        over: whether no more will come.
        error: that ended it.
    """

    listeners: int = 0
    told: int = 0
    devices: tuple[DeviceHealth, ...] = ()
    over: bool = False
    error: BaseException | None = None


class Health:
    """The health services of a plugin socket; thread-safe."""

    def __init__(
        self, driver: ReportsHealth, node: NodeName, *, now: Callable[[], float] = time.time
    ) -> None:
        """Serve what a driver reports.

        Args:
            driver: asked once a kubelet listens.
            node: pool of devices that name none.
            now: Unix time.
        """
        self._driver = driver
        self._node = node
        self._now = now
        self._changed = threading.Condition()
        self._reports = _Reports(over=True)
        self._stopped = False

    def handlers(self) -> list[Handler]:
        """Return what a server has to be given to serve all versions on one socket."""
        return [
            service(each.name, {method_of(each.codec.watch): self._stream(each.codec)})
            for each in HEALTH_SERVICES
        ]

    def stop(self) -> None:
        """End all streams, and every later one; comes before the stop of their server."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _stream(self, codec: HealthCodec) -> Stream[Any]:
        return Stream(codec.watch, partial(self._serve, codec))

    def _serve(self, codec: HealthCodec, _request: Message, call: StreamCall) -> Iterator[Message]:
        """Answer one kubelet.

        Raises:
            HealthUnknown: the driver's reports ended by an error.
        """
        reports = self._join()
        try:
            if not call.add_callback(self._wake):
                return
            for devices in self._lists(reports, call):
                yield codec.encode(devices, self._node, self._now())
        finally:
            with self._changed:
                reports.listeners -= 1

    def _lists(self, reports: _Reports, call: StreamCall) -> Iterator[Sequence[DeviceHealth]]:
        told = 0

        def something_to_do() -> bool:
            return reports.told != told or reports.over or self._stopped or not call.is_active()

        while True:
            with self._changed:
                pause = repeat_after(reports.devices) if told else None
                self._changed.wait_for(something_to_do, pause)
                if self._stopped or not call.is_active():
                    return
                if reports.over and reports.told == told:
                    break
                told, devices = reports.told, reports.devices
            yield devices
        if reports.error is not None:
            raise HealthUnknown(
                f"the driver's report of the health of devices failed: "
                f"{type(reports.error).__name__}: {reports.error}; see the plugin's log"
            )

    def _join(self) -> _Reports:
        """Listen to the reports under way, or begin to read."""
        with self._changed:
            if self._reports.over and not self._stopped:
                self._reports = _Reports()
                # blocked in the driver it would keep the program from ending
                threading.Thread(
                    target=self._read, args=(self._reports,), name="health", daemon=True
                ).start()
            self._reports.listeners += 1
            return self._reports

    def _read(self, reports: _Reports) -> None:
        error: BaseException | None = None
        try:
            lists = iter(self._driver.health())
            while (devices := next(lists, None)) is not None and self._take(reports, devices):
                continue
            # whoever listens next is told anew, and a generator gives up what it holds
            getattr(lists, "close", lambda: None)()
        except BaseException as raised:  # noqa: BLE001 - of the driver; kubelets are told
            _LOG.error("Report of the health of devices failed", exc=raised)
            error = raised
        with self._changed:
            reports.over, reports.error = True, error
            self._changed.notify_all()

    def _take(self, reports: _Reports, devices: Sequence[DeviceHealth]) -> bool:
        """Pass a list on; tell whether anybody listens."""
        told = tuple(devices)
        with self._changed:
            if self._stopped or not reports.listeners:
                reports.over = True
                return False
            reports.devices = told
            reports.told += 1
            self._changed.notify_all()
        return True

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
