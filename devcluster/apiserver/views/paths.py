"""Reads the part of a URL behind the version: which resource, namespace, object, subresource.

Pure. Source: apiserver pkg/endpoints/request/requestinfo.go.
"""

from dataclasses import dataclass
from typing import Final

_NAMESPACE_SUBRESOURCES: Final = frozenset({"status", "finalize"})
_MOST_PARTS: Final = 3


@dataclass(frozen=True, slots=True)
class Target:
    """What a URL path names; parts that it does not name are empty."""

    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def parse_path(rest: str) -> Target | None:
    """Return the target of a path such as `namespaces/default/pods/p/status`; None for no sense."""
    parts = rest.rstrip("/").split("/")
    if "" in parts:
        return None
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2 and parts[2] not in _NAMESPACE_SUBRESOURCES:
        namespace, parts = parts[1], parts[2:]
    if len(parts) > _MOST_PARTS:
        return None
    plural, name, subresource = (*parts, "", "")[:3]
    return Target(plural, namespace, name, subresource)
