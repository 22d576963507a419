"""Deletes ResourceSlices that no plugin stands for: all at first, a driver's when it has left.

Source: kubernetes pkg/kubelet/cm/dra/plugin (wipeResourceSlices) v1.32 to v1.37.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from api.resources import Resource
from kube.client import Client
from kube.errors import KubeError, NotFound
from ops.logs import get_logger

WIPE_SECONDS: Final = 30.0
"""How long the slices of a driver stay whose plugin is gone, as in an upgrade."""

_POLL_SECONDS: Final = 0.5
_ALL: Final = ""

_log = get_logger("kubelet.slices")


def wipe(client: Client, slices: Resource, node: str, driver: str = _ALL) -> None:
    """Delete the slices of a node, those of one driver or all.

    Raises:
        KubeError: some may be left.
    """
    for found in client.list(slices, field_selector=f"spec.nodeName={node}").items:
        if driver in (_ALL, found["spec"]["driver"]):
            # the driver may delete some, too
            with suppress(NotFound):
                client.delete(slices, found["metadata"]["name"])


class SliceWiping:
    """When to delete whose slices; thread-safe."""

    def __init__(
        self, client: Client, slices: Resource, node: str, clock: Callable[[], float]
    ) -> None:
        """Start with all slices of the node due, since no plugin is registered."""
        self._wipe = partial(wipe, client, slices, node)
        self._clock = clock
        self._lock = threading.Lock()
        self._due = {_ALL: clock()}

    def left(self, driver: str) -> None:
        """Delete the slices of a driver, unless it comes back in time."""
        with self._lock:
            self._due[driver] = self._clock() + WIPE_SECONDS

    def came(self, driver: str) -> None:
        """Keep the slices of a driver."""
        with self._lock:
            self._due.pop(driver, None)

    def run(self, stop: threading.Event) -> None:
        """Delete what is due until `stop` is set."""
        while not stop.is_set():
            self.look()
            stop.wait(_POLL_SECONDS)

    def look(self) -> None:
        """Delete what is due now; what fails stays due."""
        now = self._clock()
        with self._lock:
            due = [driver for driver, at in self._due.items() if at <= now]
        for driver in due:
            try:
                self._wipe(driver)
            except KubeError as error:
                _log.warning("ResourceSlices not deleted", driver=driver, err=error)
            else:
                self.came(driver)
