"""Tells a driver the annotations of its Node, for a driver that is a `ReadsNode`.

One thread watches the Node, another calls the driver: one that takes its time misses nothing but
what was changed again meanwhile. What it raises is in the log, and it is told again in a while.
"""

from collections.abc import Callable
from typing import Final

from api.objects import JSON, object_key
from api.resources import NODES
from dra.driver import ReadsNode
from dra.drivercode import driver_code
from dra.sync import NodeSync, Task
from dra.wiring import Surroundings
from kube.errors import Forbidden, KubeError
from kube.reflector import Reflector
from kube.store import Store
from kube.workqueue import WorkQueue
from ops.apiserver import watch_failures
from ops.lifecycle import Lifecycle
from ops.logs import get_logger

TELL: Final = "tell annotations of the Node"

_LOG = get_logger("node")


class OwnNode:
    """The Node that a driver is told of; it is not read before `start`.

    Attributes:
        known: whether the driver was told once, or cannot be.
    """

    def __init__(self, around: Surroundings, driver: ReadsNode) -> None:
        """Tell `driver` of the Node that it runs on."""
        self._driver = driver
        self._node = around.node
        self._report = watch_failures(_LOG, NODES, around.metrics)
        self.known = False
        self._changed: Callable[[], None] = lambda: None
        self._store = Store()
        self._store.subscribe(self._on_change)
        self._sync = NodeSync({TELL: Task(self._tell, periodic=False)}, WorkQueue())
        self._reflector = Reflector(
            around.client,
            NODES,
            self._store,
            field_selector=f"metadata.name={around.node}",
            on_error=self._failed,
        )

    def start(self, life: Lifecycle, changed: Callable[[], None]) -> None:
        """Begin to read, and return at once.

        Args:
            life: of the program.
            changed: called each time that the driver was told, and if the Node may not be read.
        """
        self._changed = changed
        life.on_stop("node", self._stop)
        life.spawn("node-watch", lambda: self._reflector.run(life.stop))
        life.spawn("node", self._sync.run)

    def _stop(self) -> None:
        self._reflector.stop()
        self._sync.stop()

    def _on_change(self, old: JSON | None, new: JSON | None) -> None:
        if old is None or new is None or annotations(old) != annotations(new):
            self._sync.request(TELL)

    def _tell(self) -> None:
        """Tell the driver; one that Kubernetes has no Node for hears of no annotations."""
        node = self._store.get(object_key(None, self._node))
        try:
            with driver_code("node_changed", f"node {self._node}"):
                self._driver.node_changed(annotations(node) if node else {})
        finally:
            self._go_on()

    def _failed(self, error: KubeError) -> None:
        self._report(error)
        if isinstance(error, Forbidden):
            # without the right there is nothing to wait for
            self._go_on()

    def _go_on(self) -> None:
        self.known = True
        self._changed()


def annotations(node: JSON) -> dict[str, str]:
    """Return the annotations of an object, to keep."""
    return dict(node["metadata"].get("annotations") or {})
