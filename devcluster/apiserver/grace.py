"""How long the contents of a namespace outlive its deletion.

`kubectl delete -f` deletes a namespace first and then the objects of the manifest one by one; they
must still be there. Kubernetes waits 5 s (pkg/controller/namespace, namespaceDeletionGracePeriod).
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from api.objects import JSON, uid_of

NAMESPACE_GRACE: Final = 0.5
"""Seconds."""


class Grace:
    """The namespaces whose deletion has only just begun; thread-safe."""

    def __init__(
        self, seconds: float = NAMESPACE_GRACE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Let contents be for some seconds of `clock`."""
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._ends: dict[str, tuple[float, JSON]] = {}

    def begin(self, namespace: JSON) -> None:
        """Take note that the deletion of a namespace begins."""
        with self._lock:
            self._ends[uid_of(namespace)] = (self._clock() + self._seconds, namespace)

    def holds(self, namespace: JSON) -> bool:
        """Tell whether the contents of a namespace that ends have to be let be."""
        return uid_of(namespace) in self._ends

    def pause(self) -> float | None:
        """Return the seconds until `over` has something to say, None if it never will."""
        with self._lock:
            ends = [end for end, _ in self._ends.values()]
        return max(0.0, min(ends) - self._clock()) if ends else None

    def over(self) -> list[JSON]:
        """Return each namespace whose contents have to go now, once."""
        now = self._clock()
        with self._lock:
            found = [uid for uid, (end, _) in self._ends.items() if end <= now]
            return [self._ends.pop(uid)[1] for uid in found]
