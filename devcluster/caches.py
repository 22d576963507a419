"""The watch caches that a part of the control plane decides on, and what keeps them filled."""

import threading
from collections.abc import Callable, Iterator, Mapping

from api.resources import Resource
from kube.cache import Indexer
from kube.client import Client
from kube.reflector import Reflector
from kube.store import Store
from ops.apiserver import watch_failures
from ops.logs import get_logger

_POLL_SECONDS = 0.02

_LOG = get_logger("control-plane")


class Caches:
    """One store and one reflector per resource."""

    def __init__(self, client: Client, indexers: Mapping[Resource, Mapping[str, Indexer]]) -> None:
        """Cache resources of all namespaces.

        Args:
            client: the API server.
            indexers: the resources, each with its indexes by name.
        """
        self._stores = {resource: Store(by) for resource, by in indexers.items()}
        self._reflectors = {
            resource: Reflector(client, resource, store, on_error=watch_failures(_LOG, resource))
            for resource, store in self._stores.items()
        }

    def __getitem__(self, resource: Resource) -> Store:
        return self._stores[resource]

    def __contains__(self, resource: Resource) -> bool:
        return resource in self._stores

    def threads(self, stop: threading.Event) -> Iterator[tuple[str, Callable[[], None]]]:
        """Yield a name and a body for each thread that fills a cache."""
        for resource, reflector in self._reflectors.items():
            yield f"reflector-{resource.plural}", _body(reflector, stop)

    def stop(self) -> None:
        """Close the open watches."""
        for reflector in self._reflectors.values():
            reflector.stop()

    def has_synced(self) -> bool:
        """Tell whether every cache has seen a full list."""
        return all(store.has_synced() for store in self._stores.values())

    def wait_synced(self, stop: threading.Event) -> bool:
        """Wait until every cache has seen a full list; False when `stop` was set before."""
        while not self.has_synced():
            if stop.wait(_POLL_SECONDS):
                return False
        return True


def _body(reflector: Reflector, stop: threading.Event) -> Callable[[], None]:
    return lambda: reflector.run(stop)
