"""The core of the embedded API server with a clock, uids and names that tests know."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from api.objects import JSON
from devcluster.apiserver.builtinkinds import builtin_kinds
from devcluster.apiserver.customkinds import CustomKinds
from devcluster.apiserver.deletion import DeleteOptions
from devcluster.apiserver.errors import Invalid
from devcluster.apiserver.garbage import GarbageCollector
from devcluster.apiserver.grace import Grace
from devcluster.apiserver.kinds import STATUS, Kind
from devcluster.apiserver.registry import Registry
from devcluster.apiserver.resourceapi import CLASSIC, ResourceApi
from devcluster.apiserver.storage import Storage
from devcluster.apiserver.store import Store
from devcluster.apiserver.strategy import Strategy

START = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)
STARTED = "2024-05-01T12:00:00Z"


class Now:
    """A time of day that moves when told to."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def thing_kind(*, strategy: Strategy | None = None, **fields: Any) -> Kind:
    """Return a kind with a spec of any shape and a status of its own."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    given: dict[str, Any] = {
        "group": "example.com",
        "version": "v1",
        "plural": "things",
        "singular": "thing",
        "kind": "Thing",
        "strategy": strategy or Strategy(),
        "schema": {"type": "object", "properties": {"spec": anything, "status": anything}},
        "columns": (),
        "subresources": (STATUS,),
        "custom": True,
        "generation": True,
    }
    return Kind(**{**given, **fields})


def thing(name: str = "a", **spec: Any) -> JSON:
    return {"metadata": {"name": name}, "spec": spec}


def definition(plural: str = "foos", kind: str = "Foo", **version: Any) -> JSON:
    """Return a CustomResourceDefinition of example.org with one version."""
    size = {"type": "integer", "maximum": 5, "default": 3}
    spec = {"type": "object", "properties": {"size": size}}
    schema = {"type": "object", "properties": {"spec": spec}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.example.org"},
        "spec": {
            "group": "example.org",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    **version,
                }
            ],
        },
    }


def pod_body(name: str = "p", **spec: Any) -> JSON:
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "busybox"}], **spec},
    }


class Rig:
    """A store with the built-in kinds, one kind of its own and the namespace `default`.

    Garbage is collected by `collect`, in the thread of the test.
    """

    def __init__(self, thing: Kind | None = None, api: ResourceApi = CLASSIC) -> None:
        self.now = Now()
        self.uids: Iterator[int] = itertools.count(1)
        self.suffixes: Iterator[str] = (f"x{n:04}" for n in itertools.count(1))
        self.storage = Storage()
        self.thing = thing or thing_kind()
        self.registry = Registry([*builtin_kinds(api, self.now), self.thing])
        self.storage.listen(CustomKinds(self.registry))
        self.store = Store(
            self.storage,
            clock=self.now,
            new_uid=lambda: f"uid-{next(self.uids)}",
            new_suffix=lambda: next(self.suffixes),
        )
        self.garbage = GarbageCollector(self.store, self.registry, Grace(0.0))
        self.create("Namespace", {"metadata": {"name": "default"}})

    def kind(self, name: str) -> Kind:
        return next(kind for kind in self.registry.all() if kind.kind == name)

    def create(self, kind: str, body: JSON, namespace: str = "default") -> JSON:
        found = self.kind(kind)
        return self.store.create(found, namespace if found.namespaced else "", body)

    def get(self, kind: str, name: str, namespace: str = "default") -> JSON | None:
        found = self.kind(kind)
        place = namespace if found.namespaced else ""
        stored = self.storage.get(found.resource_id, place, name)
        return stored.obj if stored else None

    def delete(self, kind: str, name: str, namespace: str = "default", **options: Any) -> None:
        found = self.kind(kind)
        place = namespace if found.namespaced else ""
        self.store.delete(found, place, name, DeleteOptions(**options))

    def collect(self) -> None:
        self.garbage.collect()


def causes(error: Invalid) -> list[str]:
    """Return field and message of every cause of a 422."""
    listed: list[JSON] = (error.details or {})["causes"]
    return [f"{cause['field']}: {cause['message']}" for cause in listed]


def refusals(kind: str, body: JSON, api: ResourceApi) -> list[str]:
    """Return the causes for which a server refuses a new object."""
    try:
        Rig(api=api).create(kind, body)
    except Invalid as error:
        return causes(error)
    return []
