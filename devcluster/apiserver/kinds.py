"""What the API server knows about one kind in one version: names, scope, schema, columns, rules.

Kinds are values; `devcluster.apiserver.registry` holds those that are served now.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from api.objects import JSON
from api.rawjson import Path
from api.resources import Resource
from devcluster.apiserver.conversion import Conversion
from devcluster.apiserver.strategy import Strategy

CORE_VERBS = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
)

Cell = Callable[[JSON, datetime], object]
"""Reads the value of one table cell; the time is for ages."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table that kubectl prints.

    Attributes:
        type: OpenAPI type, `string`, `integer`, `date`…
        priority: above 0 is shown with `-o wide` only.
    """

    name: str
    type: str
    read: Cell
    priority: int = 0
    format: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Subresource:
    """A subresource as discovery lists it; `kind` is that of its body when it has its own."""

    name: str
    verbs: tuple[str, ...]
    kind: str = ""
    group: str = ""
    version: str = ""


STATUS = Subresource("status", ("get", "patch", "update"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind in one version.

    Attributes:
        schema: structural OpenAPI schema of the whole object, references resolved.
        custom: defined by a CustomResourceDefinition; values of a wrong type are 422 instead
            of 400, and there is no strategic merge patch.
        selectable: field labels beyond metadata.name and metadata.namespace, with the path
            that each reads.
        generation: whether `metadata.generation` counts the changes of the desired state.
        conversion: to and from what is stored; None where only `apiVersion` differs.
    """

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    strategy: Strategy
    schema: JSON
    columns: tuple[Column, ...]
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = CORE_VERBS
    subresources: tuple[Subresource, ...] = ()
    selectable: Mapping[str, str] = field(default_factory=dict)
    custom: bool = False
    generation: bool = False
    conversion: Conversion | None = None

    @classmethod
    def of(cls, resource: Resource, **others: Any) -> Self:
        """Return the kind of a resource.

        Args:
            resource: gives the names and the scope.
            others: all other attributes.
        """
        return cls(
            group=resource.group,
            version=resource.version,
            plural=resource.plural,
            singular=resource.kind.lower(),
            kind=resource.kind,
            namespaced=resource.namespaced,
            **others,
        )

    @property
    def resource_id(self) -> tuple[str, str]:
        """Group and plural: what the storage keeps objects of all versions under."""
        return (self.group, self.plural)

    @property
    def api_version(self) -> str:
        """`group/version`, or the version alone in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def stored_version(self) -> str:
        """`apiVersion` of what is stored after a write."""
        return self.conversion.stored.api_version if self.conversion else self.api_version

    @property
    def texts(self) -> tuple[Path, ...]:
        """Fields that are stored as the JSON text that was sent."""
        return self.conversion.texts if self.conversion else ()

    def stored(self, obj: JSON) -> JSON:
        """Return an object of this version as it is stored."""
        return self.conversion.store(obj) if self.conversion else obj

    def served(self, obj: JSON, *, as_sent: bool = False) -> JSON:
        """Return a stored object in this version; the same object if it is that already.

        Args:
            obj: the stored object.
            as_sent: whether fields that are stored as text are to be RawJson.
        """
        shown = self.conversion.serve(obj, as_sent=as_sent) if self.conversion else obj
        if shown.get("apiVersion") == self.api_version:
            return shown
        return {**shown, "apiVersion": self.api_version}

    @property
    def qualified(self) -> str:
        """`plural.group`, as error messages name the resource."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def list_kind(self) -> str:
        """Kind of a list of such objects."""
        return f"{self.kind}List"

    @property
    def has_status(self) -> bool:
        """Whether the status is written through /status only."""
        return any(sub.name == "status" for sub in self.subresources)
