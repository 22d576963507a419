"""Deletes ResourceSlices that no plugin stands for: all at first, a driver's when it has left.

Source: kubernetes pkg/kubelet/cm/dra/plugin (wipeResourceSlices) v1.32 to v1.37.
"""

import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from api.resources import Resource
from kube.client import Client
from kube.errors import KubeError, NotFound
from ops.logs import get_logger

WIPE_SECONDS: Final = 30.0
"""How long the slices of a driver stay whose plugin is gone, as in an upgrade."""

_POLL_SECONDS: Final = 1.0
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
    """When to delete whose slices."""

    def __init__(
        self,
        delete: Callable[[str], None],
        endpoints: Callable[[], Mapping[str, Path]],
        clock: Callable[[], float],
    ) -> None:
        """Start with all slices of the node due, since no plugin is registered.

        Args:
            delete: the slices of a driver, or all if the name is empty; may raise KubeError.
            endpoints: returns the sockets of registered drivers.
            clock: monotonic seconds.
        """
        self._delete = delete
        self._endpoints = endpoints
        self._clock = clock
        self._seen: set[str] = set()
        self._due = {_ALL: clock()}

    def run(self, stop: threading.Event) -> None:
        """Delete what is due until `stop` is set."""
        while not stop.is_set():
            self.look()
            stop.wait(_POLL_SECONDS)

    def look(self) -> None:
        """Look which drivers are there, and delete what is due now; what fails stays due."""
        now, there = self._clock(), self._endpoints()
        self._seen |= there.keys()
        for driver in self._seen:
            if driver in there and _listens(there[driver]):
                self._due.pop(driver, None)
            else:
                self._due.setdefault(driver, now + WIPE_SECONDS)
        for driver in [driver for driver, at in self._due.items() if at <= now]:
            try:
                self._delete(driver)
            except KubeError as error:
                _log.warning("ResourceSlices not deleted", driver=driver, err=error)
                continue
            del self._due[driver]
            self._seen.discard(driver)


def _listens(path: Path) -> bool:
    """Tell whether a process has a socket open; the file of one stays when it is killed."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
