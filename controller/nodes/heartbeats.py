"""Which plugins have gone silent: those whose next heartbeat is overdue.

A heartbeat says within how many seconds the next one follows. They are counted from the moment when
we saw it, on our own monotonic clock, as in leader election; what the clock of a node says does not
matter. A plugin that never gave a heartbeat, being older, is not silent, and neither is one that
has ended. Fed by controller.nodes.ledger.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from api.nas import Heartbeat
from api.objects import NodeName


@dataclass(frozen=True, slots=True)
class _Heard:
    heartbeat: Heartbeat
    overdue: float


class Heartbeats:
    """The last heartbeat of each node; thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Know none; `clock` gives monotonic seconds."""
        self._clock = clock
        self._heard: dict[NodeName, _Heard] = {}

    def saw(self, node: NodeName, heartbeat: Heartbeat | None) -> None:
        """Take in the heartbeat in the latest version of a NAS."""
        known = self._heard.get(node)
        if heartbeat is None or heartbeat.seconds is None:
            self._heard.pop(node, None)
        elif known is None or known.heartbeat != heartbeat:
            self._heard[node] = _Heard(heartbeat, self._clock() + heartbeat.seconds)

    def seconds_left(self, node: NodeName) -> float | None:
        """Return the seconds until a node is silent, 0 if it is, None if it never will be."""
        heard = self._heard.get(node)
        return None if heard is None else max(0.0, heard.overdue - self._clock())

    def is_silent(self, node: NodeName) -> bool:
        """Tell whether the plugin of a node has gone silent."""
        return self.seconds_left(node) == 0
