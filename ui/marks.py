"""What has to be shown anew, by what the watches bring: marks, until somebody takes them.

Watches wait for nobody: who shows things comes after a moment, in which more may be marked.
"""

import threading
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Final, TypeAlias

from api.objects import JSON, Key, key_of
from controller.nodes.infos import holders_index
from ui.board import Place
from ui.caches import NODE, UID, Caches, claims_named, pools_of

CLUSTER: Final = ("cluster", "")
_Handler: TypeAlias = Callable[[JSON | None, JSON | None], None]


class Marks:
    """Thread-safe. Places are of the kinds `pool`, `node`, `claim`, `pod`, `class`, `cluster`."""

    def __init__(self, caches: Caches) -> None:
        """Mark what changes of the caches touch."""
        self._caches = caches
        self._marked: dict[Place, None] = {CLUSTER: None}
        self._news = threading.Condition()
        caches.listed = partial(self.mark, *CLUSTER)
        caches.slices.subscribe(_each(self._slice))
        caches.claims.subscribe(_each(self._claim))
        caches.pods.subscribe(_each(self._pod))
        caches.nodes.subscribe(_each(lambda node: self.mark("node", key_of(node))))
        caches.classes.subscribe(_each(lambda found: self.mark("class", key_of(found))))
        caches.rules.subscribe(self._rule)
        caches.states.subscribe(_each(self._state))

    def mark(self, kind: str, key: str) -> None:
        """Take in that something has to be shown anew."""
        with self._news:
            self._marked[kind, key] = None
            self._news.notify_all()

    def wait(self, stop: threading.Event) -> None:
        """Wait until something is marked, or `stop` is set and `wake` called."""
        with self._news:
            self._news.wait_for(lambda: self._marked or stop.is_set())

    def wake(self) -> None:
        """Let `wait` look at its event."""
        with self._news:
            self._news.notify_all()

    def take(self) -> Mapping[str, Collection[str]]:
        """Return the keys of what is marked, by kind, and forget it."""
        with self._news:
            marked, self._marked = self._marked, {}
        found: dict[str, list[str]] = {}
        for kind, key in marked:
            found.setdefault(kind, []).append(key)
        return found

    def _slice(self, found: JSON) -> None:
        spec = found["spec"]
        self.mark("pool", f"{spec['driver']}/{spec['pool']['name']}")

    def _rule(self, _old: JSON | None, _new: JSON | None) -> None:
        for each in self._caches.slices.list():
            self._slice(each)

    def _claim(self, claim: JSON) -> None:
        self._claim_of(key_of(claim), claim)

    def _claim_of(self, key: str, claim: JSON | None) -> None:
        """Mark a claim and the devices that it has."""
        self.mark("claim", key)
        for pool in pools_of(claim) if claim else ():
            self.mark("pool", pool)
        for state in self._caches.states_of(claim) if claim else ():
            self.mark("node", state["metadata"]["name"])

    def _pod(self, pod: JSON) -> None:
        named = claims_named(pod)
        self.mark("pod", key_of(pod))
        for key in named:
            self._claim_of(key, self._caches.claims.get(Key(key)))

    def _state(self, state: JSON) -> None:
        name, known = state["metadata"]["name"], self._caches.claims
        self.mark("node", name)
        held = [claim for uid in holders_index(state) for claim in known.by_index(UID, uid)]
        for claim in (*held, *known.by_index(NODE, name)):
            self.mark("claim", key_of(claim))


def _each(take: Callable[[JSON], None]) -> _Handler:
    """Return a handler of a store that takes in an object as it was, and as it is."""

    def handler(old: JSON | None, new: JSON | None) -> None:
        for found in (old, new):
            if found is not None:
                take(found)

    return handler
