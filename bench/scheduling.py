"""Plays the scheduler and the claim controller for one pod at a time.

Source: kubernetes pkg/scheduler/framework/plugins/dynamicresources (release-1.30), which writes a
PodSchedulingContext twice: potential nodes, then the selected one; and
pkg/controller/resourceclaim, which unreserves and deletes the claims of pods that have ended.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from api.objects import JSON, Key, object_key
from api.resources import DRA_V1ALPHA2
from bench import objects
from bench.errors import NotSeen
from bench.objects import NAMESPACE, Consumer
from bench.site import Site
from bench.watching import Watched


@dataclass(frozen=True, slots=True)
class Answered:
    """A driver's answer.

    Attributes:
        seconds: until it arrived.
        seen: when that was, on the monotonic clock.
        context: with the answer.
    """

    seconds: float
    seen: float
    context: JSON

    @property
    def unsuitable(self) -> list[str]:
        """Nodes that cannot serve the pod."""
        return objects.unsuitable_nodes(self.context) or []


class Scheduler:
    """Negotiates with the driver; a context manager around its watches; thread-safe."""

    def __init__(self, site: Site) -> None:
        """Schedule pods of the benchmark's namespace."""
        self._client = site.client
        self.contexts = Watched(site.client, DRA_V1ALPHA2.contexts, NAMESPACE)
        self.claims = Watched(site.client, DRA_V1ALPHA2.claims, NAMESPACE)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(self.contexts)
        self._open.enter_context(self.claims)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def ask(self, consumer: Consumer, potential: Sequence[str]) -> Answered:
        """Name potential nodes, and wait for the driver to answer.

        The time counts from the moment at which the write was confirmed.
        """
        expected = self.contexts.expect(_key(consumer), _is_answered)
        self._client.create(DRA_V1ALPHA2.contexts, objects.scheduling_context(consumer, potential))
        asked = time.monotonic()
        seen, context = expected.wait()
        return Answered(max(0.0, seen - asked), seen, context or {})

    def allocate(self, consumer: Consumer, context: JSON, node: str) -> float:
        """Select a node, and wait for the allocation; return the seconds that it took."""
        expected = self.claims.expect(_key(consumer), _is_allocated)
        self._client.update(DRA_V1ALPHA2.contexts, objects.selected(context, node))
        asked = time.monotonic()
        return max(0.0, expected.wait()[0] - asked)

    def run(self, consumer: Consumer, potential: Sequence[str]) -> tuple[float, float]:
        """Ask and allocate on the first suitable node; return the seconds of both.

        Raises:
            NotSeen: the driver finds no node suitable.
        """
        answer = self.ask(consumer, potential)
        refused = set(answer.unsuitable)
        node = next((name for name in potential if name not in refused), None)
        if node is None:
            raise NotSeen(f"{consumer.name}: the driver finds none of {len(potential)} nodes good")
        return answer.seconds, self.allocate(consumer, answer.context, node)

    def free(self, consumer: Consumer) -> float:
        """Unreserve and delete the pod's claim; return how long the driver took to let go."""
        key = _key(consumer)
        claim = self.claims.get(key)
        if claim is None:
            raise NotSeen(f"claim {key} is not allocated")
        expected = self.claims.expect(key, _is_gone)
        self._client.update(DRA_V1ALPHA2.claims, objects.unreserved(claim), subresource="status")
        self._client.delete(DRA_V1ALPHA2.claims, consumer.name, NAMESPACE)
        asked = time.monotonic()
        return max(0.0, expected.wait()[0] - asked)


def _key(consumer: Consumer) -> Key:
    return object_key(NAMESPACE, consumer.name)


def _is_answered(context: JSON | None) -> bool:
    return context is not None and objects.unsuitable_nodes(context) is not None


def _is_allocated(claim: JSON | None) -> bool:
    return claim is not None and objects.is_allocated(claim)


def _is_gone(claim: JSON | None) -> bool:
    return claim is None
