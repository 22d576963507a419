"""All objects of a collection, put together from the pages that they come in; for client.py."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from api.objects import JSON
from api.resources import Resource

Transform: TypeAlias = Callable[[JSON], JSON]
"""Returns what is needed of an object, with its metadata."""


def whole(obj: JSON) -> JSON:
    """Return an object as it is; a Transform."""
    return obj


@dataclass(frozen=True, slots=True)
class ListPage:
    """All objects of a collection, and the resourceVersion from which to watch on."""

    items: list[JSON]
    resource_version: str


def joined(resource: Resource, pages: Iterable[JSON], transform: Transform) -> ListPage:
    """Return the objects of all pages, with apiVersion and kind filled in."""
    items: list[JSON] = []
    version = ""
    for found in pages:
        version = (found.get("metadata") or {}).get("resourceVersion") or version
        for item in found.get("items") or []:
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
            items.append(transform(item))
    return ListPage(items, version)
