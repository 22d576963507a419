"""Where objects come from that claims refer to: the caches, or live where a cache is behind."""

from collections.abc import Mapping
from typing import Protocol, TypeAlias

from api.objects import JSON, object_key
from api.resources import Resource
from kube.client import Client
from kube.errors import NotFound
from kube.store import Store


class ObjectSource(Protocol):
    """Finds one object of a kind."""

    def get(self, name: str, namespace: str | None) -> JSON | None:
        """Return the object, None when it does not exist."""
        ...


class CachedSource:
    """Looks into a watch cache first and asks the API server before it says no."""

    def __init__(self, client: Client, resource: Resource, store: Store) -> None:
        """Serve objects of `resource` from `store`."""
        self._client = client
        self._resource = resource
        self._store = store

    def get(self, name: str, namespace: str | None) -> JSON | None:
        """Return the object, None when the API server does not have it either."""
        cached = self._store.get(object_key(namespace, name))
        if cached is not None:
            return cached
        try:
            return self._client.get(self._resource, name, namespace)
        except NotFound:
            return None


Sources: TypeAlias = Mapping[str, ObjectSource]
"""By kind of the objects."""
