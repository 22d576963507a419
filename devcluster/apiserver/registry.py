"""The kinds that are served now: what discovery lists, routes resolve and CRDs add to.

Thread-safe; readers see either all or none of a change. Used by every module above it.
"""

import threading
from collections.abc import Iterable, Sequence

from devcluster.apiserver.kinds import Kind
from devcluster.apiserver.storage import ResourceID


class Registry:
    """The kinds, in the order in which their resources came."""

    def __init__(self, kinds: Iterable[Kind] = ()) -> None:
        self._lock = threading.Lock()
        self._kinds: tuple[Kind, ...] = tuple(kinds)

    def replace(self, resource: ResourceID, kinds: Sequence[Kind]) -> None:
        """Serve `kinds` for a resource instead of whatever was served for it."""
        with self._lock:
            others = (k for k in self._kinds if k.resource_id != resource)
            self._kinds = (*others, *kinds)

    def remove(self, resource: ResourceID) -> None:
        """Serve a resource no more, in none of its versions."""
        self.replace(resource, ())

    def all(self) -> tuple[Kind, ...]:
        """Return every kind in every version."""
        return self._kinds

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """Return the kind behind a URL path."""
        place = (group, version, plural)
        return next((kind for kind in self._kinds if _place(kind) == place), None)

    def by_kind(self, api_version: str, kind: str) -> Kind | None:
        """Return the kind that `apiVersion` and `kind` of an object name."""
        same = (k for k in self._kinds if k.kind == kind and k.api_version == api_version)
        return next(same, None)

    def resolve(self, resource: ResourceID) -> Kind | None:
        """Return one version of a resource, whichever: its objects are the same in all."""
        return next((kind for kind in self._kinds if kind.resource_id == resource), None)

    def resources(self) -> tuple[Kind, ...]:
        """Return every resource once."""
        return tuple({kind.resource_id: kind for kind in reversed(self._kinds)}.values())[::-1]


def _place(kind: Kind) -> tuple[str, str, str]:
    return (kind.group, kind.version, kind.plural)
