"""Keeps the node's NAS as the plugin needs it, and collects what nobody unprepares.

Woken by every change of the NAS, since people and other programs delete and edit it, and by the
clock. One thread; what fails is logged and tried again, and never ends the program. Called by the
composition root.
"""

from collections.abc import Callable
from typing import Final, Protocol

from api.errors import DriverError
from api.nas import NodeAllocationState
from api.objects import JSON
from dra.repairs import Repair, Report
from kube.workqueue import WorkQueue
from ops.logs import get_logger

REPAIR: Final = "repair"
STATUS: Final = "status"
COLLECT: Final = "collect"
FILES: Final = "files"
HEARTBEAT: Final = "heartbeat"

PERIOD_SECONDS: Final = 60.0
"""As often as kubelets look for claims to unprepare. Source: kubernetes cm/dra/manager.go."""

RETRY_SECONDS: Final = 10.0

_LOG = get_logger("sync")


class NodeState(Protocol):
    """What is needed of dra.publish.nodestate.NodeState."""

    def current(self) -> NodeAllocationState:
        """Return the NAS from the cache, an empty one if there is none."""

    def intact(self) -> bool:
        """Tell whether the cached NAS exists and offers exactly our inventory."""

    def ensure(self) -> None:
        """Make the NAS exist and offer exactly our inventory."""


class Publisher(Protocol):
    """What is needed of dra.publish.nas.NasPublisher."""

    def reconcile(self) -> None:
        """Make the NAS show the prepared claims."""


class Prepared(Protocol):
    """What is needed of dra.devicestate.state.State."""

    def mend_files(self) -> None:
        """Make checkpoint and CDI files say what is prepared."""


class Collector(Protocol):
    """What is needed of dra.garbage.Collector."""

    def collect(self) -> None:
        """Unprepare what is not for this node any more."""


class Heartbeats(Protocol):
    """What is needed of plugin.heartbeat.Heartbeats."""

    def beat(self) -> float:
        """Give a sign of life; return the seconds until the next is due."""


class NodeSync:
    """The work that no kubelet asks for."""

    def __init__(
        self,
        node_state: NodeState,
        publisher: Publisher,
        state: Prepared,
        collector: Collector,
        write_status: Callable[[], None],
        heartbeats: Heartbeats,
        queue: WorkQueue,
        *,
        report: Report,
    ) -> None:
        """Put the parts together.

        Args:
            node_state: the node's NAS.
            publisher: shows the prepared claims there.
            state: the prepared claims.
            collector: of prepared claims that are out of date.
            write_status: writes the status that the NAS should have.
            heartbeats: of the plugin.
            queue: of what is to do; shutting it down ends `run`.
            report: tells people what had to be repaired.
        """
        self._node_state = node_state
        self._queue = queue
        self._tasks: dict[str, Callable[[], float | None]] = {
            REPAIR: self._repair,
            STATUS: write_status,
            COLLECT: collector.collect,
            FILES: state.mend_files,
            HEARTBEAT: heartbeats.beat,
        }
        self._report = report
        self._publisher = publisher

    def on_change(self, _old: JSON | None, _new: JSON | None) -> None:
        """Have the NAS checked; a handler of its watch cache."""
        self._queue.add(REPAIR)

    def status_changed(self) -> None:
        """Have the status written."""
        self._queue.add(STATUS)

    def run(self) -> None:
        """Work until the queue is shut down."""
        for task in (REPAIR, COLLECT, FILES, HEARTBEAT):
            self._queue.add(task)
        while (key := self._queue.get()) is not None:
            self.handle(key)
            self._queue.done(key)

    def handle(self, key: str) -> None:
        """Do a task once, and see to it that it is done again in time."""
        try:
            pause = self._tasks[key]()
        except DriverError as error:
            _LOG.warning("Failed, trying again", task=key, err=str(error))
            self._queue.add_after(key, RETRY_SECONDS)
        else:
            if key != STATUS:
                self._queue.add_after(key, PERIOD_SECONDS if pause is None else pause)

    def _repair(self) -> None:
        if not self._node_state.intact():
            missing = not self._node_state.current().resource_version
            if missing:
                self.status_changed()
            self._node_state.ensure()
            if missing:
                self._report(Repair.STATE_MISSING, "NodeAllocationState was gone, made anew")
            else:
                self._report(Repair.STATE_CHANGED, "allocatableDevice was changed, written anew")
        self._publisher.reconcile()
