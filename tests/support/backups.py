"""A backup of the embedded API server's storage, and its restore: what happens to a real etcd.

A restored server counts on from the revision of the backup. Its watch cache is empty, so it knows
no history, and all its watches have ended.
"""

from dataclasses import dataclass
from functools import partial

from api.resources import Resource
from devcluster.apiserver.storage import ResourceID, Storage, Stored
from testing.waiting import until


@dataclass(frozen=True)
class Backup:
    """All objects of a storage at one moment."""

    revision: int
    objects: dict[ResourceID, dict[str, dict[str, Stored]]]

    @classmethod
    def of(cls, storage: Storage) -> "Backup":
        with storage._lock:
            objects = {
                resource: {place: dict(found) for place, found in each.objects.items()}
                for resource, each in storage._collections.items()
            }
            return cls(storage._revision, objects)

    def restore(self, storage: Storage, *watched: Resource) -> None:
        """Put a storage back; kinds that were defined since then are not forgotten.

        It waits until the resources in `watched` are: nothing cuts a client off that has listed and
        not begun its watch yet, where a real server would be away in between.
        """
        for resource in watched:
            until(f"a watch of {resource.plural}", partial(_is_watched, storage, resource))
        with storage._lock:
            storage._revision = self.revision
            for resource, each in storage._collections.items():
                kept = self.objects.get(resource, {})
                each.objects = {place: dict(found) for place, found in kept.items()}
        storage.compact()
        storage.close_subscriptions()


def _is_watched(storage: Storage, resource: Resource) -> bool:
    with storage._lock:
        collection = storage._collections.get((resource.group, resource.plural))
        return bool(collection and collection.subscriptions)
