"""Which REST path a resource has; the client takes a Resource instead of a typed API class."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the API server.

    Attributes:
        group: API group, empty for the core group.
        version: of the group, e.g. `v1alpha2`.
        plural: lower-case plural that stands in the path.
        kind: of one object.
        namespaced: False for a cluster-scoped resource.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """`apiVersion` of the objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(
        self,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
    ) -> str:
        """Return the path of the collection, of one object, or of its subresource.

        Args:
            namespace: None is the collection of all namespaces; of no meaning, and ignored, for a
                cluster-scoped resource.
            name: of one object.
            subresource: e.g. `status`.

        Raises:
            ValueError: an object of a namespaced resource needs a namespace.
        """
        if name and self.namespaced and not namespace:
            raise ValueError(f"{self.plural} {name!r}: a namespaced object needs a namespace")
        parts = ["", "apis", self.group, self.version] if self.group else ["", "api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        parts += [quote(part, safe="") for part in (name, subresource) if part]
        return "/".join(parts)


PODS: Final = Resource("", "v1", "pods", "Pod")
NODES: Final = Resource("", "v1", "nodes", "Node", namespaced=False)
EVENTS: Final = Resource("", "v1", "events", "Event")
NAMESPACES: Final = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
