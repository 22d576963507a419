"""Who waits for what: queue keys that a change elsewhere should wake.

A PodSchedulingContext waits for its unsuitable nodes, a claim for parameters that do not exist
yet. Waking is a shortcut; the periodic recheck of the reconciler is the safety net.
"""

import threading
from collections import defaultdict
from collections.abc import Iterable

from controller.outcome import Topic


class Waiters:
    """Two-way map between queue keys and topics; thread-safe."""

    def __init__(self) -> None:
        """Start with nobody waiting."""
        self._lock = threading.Lock()
        self._topics: dict[str, frozenset[Topic]] = {}
        self._keys: defaultdict[Topic, set[str]] = defaultdict(set)

    def wait(self, key: str, topics: Iterable[Topic]) -> None:
        """Let `key` wait for just these topics from now on."""
        wanted = frozenset(topics)
        with self._lock:
            self._drop(key)
            if wanted:
                self._topics[key] = wanted
            for topic in wanted:
                self._keys[topic].add(key)

    def wake(self, topic: Topic) -> list[str]:
        """Return the keys that wait for a topic, sorted; they go on waiting."""
        with self._lock:
            return sorted(self._keys.get(topic, ()))

    def _drop(self, key: str) -> None:
        for topic in self._topics.pop(key, frozenset()):
            self._keys[topic].discard(key)
            if not self._keys[topic]:
                del self._keys[topic]
