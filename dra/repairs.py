"""Tells people of everything that the plugin repaired without being asked.

Each repair is a log line, an event on the Node and a count in the metrics. Called by whoever
repairs: `dra.devicestate.state`, `plugin.classic.repairs`, `dra.garbage` and the sockets.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

from api.events import Events
from api.objects import JSON
from ops.logs import get_logger

_LOG = get_logger("repairs")


class Repair(StrEnum):
    """What was wrong; reasons of events, and values of the label `kind` of the metric."""

    FILE_MISSING = "CDIFileMissing"
    FILE_WRONG = "CDIFileWrong"
    FILE_SURPLUS = "CDIFileSurplus"
    CHECKPOINT = "CheckpointRebuilt"
    PREPARED = "PreparedDiffers"
    STATE_MISSING = "NodeStateMissing"
    STATE_CHANGED = "NodeStateChanged"
    STALE_CLAIM = "StaleClaim"
    STALE_SOCKET = "StaleSocket"
    SOCKET_MISSING = "SocketMissing"


Report: TypeAlias = Callable[[Repair, str], None]
"""Takes what was wrong, and a sentence that says with what and what became of it."""


def reporter(events: Events, count: Callable[[str], None], about: JSON) -> Report:
    """Return the Report of a plugin.

    Args:
        events: where they are recorded.
        count: counts one repair of a kind.
        about: the object of the events.
    """

    def report(kind: Repair, text: str) -> None:
        _LOG.warning("Repaired", kind=kind, what=text)
        count(kind)
        # A socket stays behind whenever a process is killed, and harms nobody.
        tell = events.normal if kind is Repair.STALE_SOCKET else events.warning
        tell(about, kind, text)

    return report
