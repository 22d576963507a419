"""Says in the node's NAS, again and again, that its plugin is alive.

A plugin that hangs cannot say so, and neither can one whose machine has died; so the controller
takes one for silent whose next heartbeat is overdue, see controller.nodes.infos. Called by
`dra.sync`, whose thread has to work for that, and when the program ends.
"""

import math
import random
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from api.nas import Heartbeat
from api.times import micro_time

PERIOD_SECONDS: Final = 60.0
_LEEWAY: Final = 2.5
"""Periods without a heartbeat until the plugin is taken for silent: one may be lost."""

_JITTER: Final = 0.1
"""Part of a period by which one may be shorter, so that plugins which start together spread out."""

_DROPPED: Final = 10
"""Periods until the next try where the API server does not store heartbeats."""


class Record(Protocol):
    """What is needed of dra.publish.nodestate.NodeState."""

    def beat(self, heartbeat: Heartbeat) -> bool:
        """Write a heartbeat into the NAS; tell whether it is stored."""


class Heartbeats:
    """Of one plugin; thread-safe."""

    def __init__(
        self,
        record: Record,
        period: float,
        measure: Callable[[float], None],
        *,
        wall: Callable[[], float] = time.time,
        rand: Callable[[], float] = random.random,
    ) -> None:
        """Give one every `period` seconds.

        Args:
            record: where they are written.
            period: seconds.
            measure: hears of each that is stored when it was given.
            wall: seconds since 1970.
            rand: uniform in [0, 1), for jitter.
        """
        self._record = record
        self._period = period
        self._measure = measure
        self._wall = wall
        self._rand = rand
        self._lock = threading.Lock()
        self._ended = False

    def beat(self) -> float:
        """Give one; return the seconds until the next is due.

        Raises:
            KubeError: it could not be written.
        """
        with self._lock:
            if self._ended:
                return self._period
            now = self._wall()
            due = math.ceil(_LEEWAY * self._period)
            if not self._record.beat(Heartbeat(micro_time(now), due)):
                return _DROPPED * self._period
        self._measure(now)
        return self._period * (1 - _JITTER * self._rand())

    def end(self) -> None:
        """Give the last one, after which none is due.

        Otherwise an older plugin, which gives none, would be taken for silent in this one's place.

        Raises:
            KubeError: it could not be written.
        """
        with self._lock:
            self._ended = True
            self._record.beat(Heartbeat(micro_time(self._wall())))
