"""Keeps the registry in step with the CustomResourceDefinitions in the storage.

Runs as a storage listener, so a definition is served before the answer to its write goes out.
"""

from devcluster.apiserver.admission import CRDS
from devcluster.apiserver.crd import kinds_of
from devcluster.apiserver.registry import Registry
from devcluster.apiserver.rules.definitions import CUSTOM
from devcluster.apiserver.storage import DELETED, Event


class CustomKinds:
    """Adds, replaces and removes the kinds of definitions."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def __call__(self, event: Event) -> None:
        """Follow one write."""
        if event.resource != CRDS or event.stored is None:
            return
        spec = event.stored.obj["spec"]
        resource = (spec["group"], spec["names"]["plural"])
        if event.type == DELETED:
            self._registry.remove(resource)
        elif event.previous is None or event.previous.obj["spec"] != spec:
            self._registry.replace(resource, kinds_of(event.stored.obj, CUSTOM))
