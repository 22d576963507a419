"""Makes the sockets anew when somebody removes them, as cleaners of directories do.

Without its registration socket the plugin is unregistered by the kubelet, and without its plugin
socket nobody reaches it once the kubelet connects anew; neither would change before a restart. A
thread of its own, since `dra.sync` may wait for the API server. Called by `dra.startup`.
Source: kubernetes pkg/kubelet/pluginmanager/pluginwatcher; a removed socket unregisters its plugin.
"""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from api.errors import DriverError
from dra.kubelet.server import UnixServer
from dra.repairs import Repair, Report
from ops.logs import get_logger

PERIOD_SECONDS: Final = 1.0
"""A look is two calls of stat; pods that start meanwhile are tried again by the kubelet."""

_LOG = get_logger("sockets")


class Sockets:
    """The sockets of a plugin."""

    def __init__(self, servers: Mapping[Path, UnixServer], *, grace: float, report: Report) -> None:
        """Keep sockets.

        Args:
            servers: by the path of their sockets; the one that others point to comes first.
            grace: seconds that calls of a former socket may take to end.
            report: tells people what had to be repaired.
        """
        self._servers = servers
        self._grace = grace
        self._report = report
        self._problems: dict[Path, str] = {}

    def run(self, stop: threading.Event) -> None:
        """Look every second until `stop` is set."""
        while not stop.wait(PERIOD_SECONDS):
            self.look()

    def look(self) -> None:
        """Make anew what is missing; a reason why that fails is logged once."""
        for path, server in self._servers.items():
            try:
                mended = server.mend(self._grace)
            except DriverError as error:
                self._note(path, str(error))
            else:
                self._problems.pop(path, None)
                if mended:
                    self._report(Repair.SOCKET_MISSING, f"socket {path} was removed, made anew")

    def _note(self, path: Path, problem: str) -> None:
        if self._problems.get(path) != problem:
            _LOG.warning("Socket cannot be made anew, trying again", err=problem)
        self._problems[path] = problem
