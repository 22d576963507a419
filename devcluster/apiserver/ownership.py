"""Who owns what: an index of `metadata.ownerReferences`, made of the writes of a storage.

Used by `devcluster.apiserver.garbage`, in its thread only.
"""

from collections import defaultdict
from dataclasses import dataclass

from api.objects import JSON
from devcluster.apiserver.storage import DELETED, Event, ResourceID


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object is; the namespace of a cluster object is empty."""

    resource: ResourceID
    namespace: str
    name: str


class Ownership:
    """Not thread-safe."""

    def __init__(self) -> None:
        self._dependents: dict[str, set[Place]] = defaultdict(set)

    def follow(self, event: Event) -> None:
        """Take in the next write."""
        if event.stored is None:
            return
        place = place_of(event.resource, event.stored.obj)
        before = _owners(event.previous.obj) if event.previous is not None else set()
        now = _owners(event.stored.obj) if event.type != DELETED else set()
        for uid in before - now:
            self._dependents[uid].discard(place)
            if not self._dependents[uid]:
                del self._dependents[uid]
        for uid in now - before:
            self._dependents[uid].add(place)

    def dependents(self, uid: str) -> frozenset[Place]:
        """Return where the objects are that name an owner."""
        return frozenset(self._dependents.get(uid, ()))


def place_of(resource: ResourceID, obj: JSON) -> Place:
    """Return the place of an object."""
    meta = obj["metadata"]
    return Place(resource, meta.get("namespace", ""), meta["name"])


def _owners(obj: JSON) -> set[str]:
    return {str(owner.get("uid")) for owner in obj["metadata"].get("ownerReferences") or []}
