"""Keeps the watch cache of a node's slices, in whatever version the API server serves them."""

import threading
from collections.abc import Callable
from typing import Final

from api.errors import DriverError
from api.resources import Resource
from dra.publish.slices.server import SliceServer, as_v1
from dra.publish.slices.told import Told
from kube.client import Client
from kube.errors import KubeError, NotFound
from kube.reflector import Reflector
from kube.store import Store

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
_TASK: Final = "find the version of ResourceSlices"


class SliceWatch:
    """A reflector for as long as its version is served, then one of another version."""

    def __init__(
        self,
        client: Client,
        server: SliceServer,
        store: Store,
        told: Told,
        *,
        field_selector: str,
        on_error: Callable[[KubeError], None] = lambda _error: None,
        sleep: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        """Watch once `run` is called.

        Args:
            client: the API server.
            server: tells the version.
            store: to be filled.
            told: hears why there is none.
            field_selector: see `selector`.
            on_error: hears of failures of the watch.
            sleep: waits some seconds, less if the event is set.
        """
        self._client = client
        self._server = server
        self._store = store
        self._told = told
        self._selector = field_selector
        self._on_error = on_error
        self._sleep = sleep
        self._lock = threading.Lock()
        self._reflector: Reflector | None = None
        self._round = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """List and watch until `stop` is set; to return at once `stop()` has to be called too."""
        pause = _FIRST_PAUSE
        while not stop.is_set():
            try:
                resource = self._server.slices
            except DriverError as error:
                self._told.failed(_TASK, error)
            else:
                self._told.succeeded(_TASK)
                self._reflect(resource, stop)
                pause = _FIRST_PAUSE if self._store.has_synced() else pause
            self._sleep(stop, pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def stop(self) -> None:
        """Close the open watch; call it after the event of `run` is set."""
        with self._lock:
            self._round.set()
            if self._reflector is not None:
                self._reflector.stop()

    def _reflect(self, resource: Resource, stop: threading.Event) -> None:
        """Reflect until the resource is not served any more."""
        over = threading.Event()
        with self._lock:
            if stop.is_set():
                return
            self._round = over
            self._reflector = self._make(resource, over)
        self._reflector.run(over)

    def _make(self, resource: Resource, over: threading.Event) -> Reflector:
        def failed(error: KubeError) -> None:
            self._on_error(error)
            if isinstance(error, NotFound):
                self._server.look_again()
                over.set()

        return Reflector(
            self._client,
            resource,
            self._store,
            field_selector=self._selector,
            transform=as_v1,
            on_error=failed,
        )


def selector(driver: str, node: str, *, any_node: bool = False) -> str:
    """Return the field selector of a node's slices.

    Args:
        driver: name of it.
        node: name of the Node.
        any_node: whether devices select nodes, so that their slices name none; all slices of the
            driver are watched then.
    """
    return f"spec.driver={driver}" + ("" if any_node else f",spec.nodeName={node}")
