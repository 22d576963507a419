"""Schemas of the built-in kinds, with short descriptions of their own.

They are written down in the YAML files of `schemas/`, where `$ref` names a definition of any file
and may have siblings, which add to the definition or replace parts of it; properties are merged.
Here the references are resolved, so that nobody else has to know them.
"""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from api.objects import JSON
from devcluster.yamlfiles import documents

_FILES = (
    "meta",
    "core",
    "pod",
    "podstatus",
    "apps",
    "batch",
    "coordination",
    "resource",
    "structured",
    "apiextensions",
)


@dataclass(frozen=True, slots=True)
class _Library:
    """The content of all files.

    Attributes:
        kinds: group, version and kind of each built-in, with its OpenAPI package name and its
            definition.
    """

    definitions: Mapping[str, JSON]
    kinds: Mapping[tuple[str, str, str], tuple[str, str]]


@functools.cache
def schema_of(group: str, version: str, kind: str, *, structured: bool = False) -> JSON:
    """Return the structural schema of a built-in kind; shared, so not to be changed.

    Args:
        group: of the kind.
        version: of the group.
        kind: in camel case.
        structured: whether pods are those of a Kubernetes whose scheduler allocates claims.

    Raises:
        KeyError: no such kind is built in.
    """
    library = _library()
    if (group, version, kind) not in library.kinds:
        raise KeyError(f"{kind} of {group}/{version} is not built in")
    _, definition = library.kinds[group, version, kind]
    definitions = library.definitions
    if structured:
        definitions = {
            **definitions,
            "ClaimUses": definitions["ClaimUsesOf131"],
            "PodResourceClaim": definitions["PodResourceClaimOf131"],
            "PodStatus": definitions["PodStatusOf134"],
        }
    resolved: JSON = _resolved(definitions, definitions[definition])
    return resolved


@functools.cache
def meta_properties() -> JSON:
    """Return the schemas of apiVersion, kind and metadata, which all objects have."""
    definitions = _library().definitions
    properties: JSON = _resolved(definitions, definitions["Object"])["properties"]
    return properties


def package_of(group: str, version: str, kind: str) -> str | None:
    """Return the OpenAPI package of a built-in kind, such as `io.k8s.api.core.v1`."""
    package, _ = _library().kinds.get((group, version, kind), (None, None))
    return package


@functools.cache
def _library() -> _Library:
    folder = resources.files(__package__).joinpath("schemas")
    definitions: dict[str, JSON] = {}
    kinds: dict[tuple[str, str, str], tuple[str, str]] = {}
    for name in _FILES:
        (content,) = documents(folder.joinpath(f"{name}.yaml").read_text("utf-8"))
        definitions.update(content["definitions"])
        for served in content.get("served", [content]):
            for kind, definition in _named(served.get("kinds", ())):
                package = served["package"]
                kinds[served["group"], served["version"], kind] = (package, definition)
    return _Library(definitions, kinds)


def _named(kinds: Any) -> Iterable[tuple[str, str]]:
    """Return kinds with their definitions, which have the same names unless they are given."""
    return kinds.items() if isinstance(kinds, dict) else ((kind, kind) for kind in kinds)


def _resolved(definitions: Mapping[str, JSON], node: Any) -> Any:
    if isinstance(node, list):
        return [_resolved(definitions, item) for item in node]
    if not isinstance(node, dict):
        return node
    own = {name: _resolved(definitions, item) for name, item in node.items() if name != "$ref"}
    if not isinstance(node.get("$ref"), str):
        return own
    base = _resolved(definitions, definitions[node["$ref"]])
    if "properties" in base and "properties" in own:
        own["properties"] = {**base["properties"], **own["properties"]}
    return {**base, **own}
