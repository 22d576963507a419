"""Pods, claims and nodes as a watch shows them, and waiting for what is to be seen there."""

import time
from collections.abc import Callable
from threading import Event
from typing import Final, TypeVar

from api.objects import JSON, Key, key_of, object_key
from api.resources import NODES, PODS, STRUCTURED_VERSIONS
from devcluster.caches import Caches
from kube.client import Client
from tests.explainparity.workloads import NAMESPACE

T = TypeVar("T")
V1: Final = STRUCTURED_VERSIONS["v1"]
SETTLES: Final = 60.0
"""Seconds in which the controllers of a cluster do what they have to, on a loaded machine, too."""


class Unsettled(Exception):
    """The cluster did not come to a state that was to follow; the text says to which."""


class Watched:
    """What is there, as far as it was told of."""

    def __init__(self, client: Client) -> None:
        """Watch pods, claims and nodes."""
        self.client = client
        self._caches = Caches(client, {PODS: {}, V1.claims: {}, NODES: {}})
        self._changed = Event()
        self._nodes: dict[Key, str] = {}
        self._caches[PODS].subscribe(self._placed)
        for resource in (PODS, V1.claims, NODES):
            self._caches[resource].subscribe(lambda _old, _new: self._changed.set())

    def _placed(self, _old: JSON | None, pod: JSON | None) -> None:
        if pod is not None and (node := pod["spec"].get("nodeName")):
            self._nodes[Key(key_of(pod))] = node

    def until(self, what: str, look: Callable[[], T | None], seconds: float = SETTLES) -> T:
        """Return what is seen, as soon as it is seen in a watch.

        Raises:
            Unsettled: it did not come in time.
        """
        found = self.within(seconds, look)
        if not found:
            raise Unsettled(f"waited {seconds:g} s for {what}")
        return found

    def within(self, seconds: float, look: Callable[[], T | None]) -> T | None:
        """Return what is seen within some seconds, None if nothing is."""
        end = time.monotonic() + seconds
        while True:
            self._changed.clear()
            found = look()
            left = end - time.monotonic()
            if found or left <= 0:
                return found
            self._changed.wait(left)

    def pod(self, name: str) -> JSON | None:
        """Return a pod, as the watch last showed it."""
        return self._caches[PODS].get(object_key(NAMESPACE, name))

    def claim(self, name: str) -> JSON | None:
        """Return a claim, as the watch last showed it."""
        return self._caches[V1.claims].get(object_key(NAMESPACE, name))

    def node_of(self, name: str) -> str:
        """Return the node that a pod was put on; empty if there is none.

        The pod may be gone again: who tolerates the taint of a device for a moment only is
        evicted as soon as it has it.
        """
        return self._nodes.get(object_key(NAMESPACE, name), "")

    def forget(self, name: str) -> None:
        """Let the name of a pod that is gone be that of another."""
        self._nodes.pop(object_key(NAMESPACE, name), None)
