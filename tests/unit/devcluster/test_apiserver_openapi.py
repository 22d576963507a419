"""The OpenAPI documents: what kubectl looks for in them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from api.resources import PODS
from devcluster.apiserver.builtinschemas import meta_properties, schema_of
from devcluster.apiserver.kinds import STATUS, Kind
from devcluster.apiserver.openapi import component_name, openapi_v2, openapi_v3, openapi_v3_index
from devcluster.apiserver.strategy import Strategy
from tests.support.tables import cases

JSON = dict[str, Any]

POD = Kind.of(
    PODS,
    strategy=Strategy(),
    schema=schema_of("", "v1", "Pod"),
    columns=(),
    subresources=(STATUS,),
)
SPEC = {
    "type": "object",
    "nullable": True,
    "oneOf": [{"required": ["a"]}, {"required": ["oneOf"]}],
    "properties": {
        "a": {"x-kubernetes-int-or-string": True, "default": {"nullable": 1}},
        "oneOf": {"type": "string"},
    },
}
THING = replace(
    POD,
    group="example.com",
    plural="things",
    kind="Thing",
    namespaced=False,
    custom=True,
    subresources=(),
    schema={"type": "object", "properties": {"spec": SPEC, **meta_properties()}},
)
META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


@dataclass(frozen=True)
class Kinds:
    kinds: tuple[Kind, ...]

    def all(self) -> tuple[Kind, ...]:
        return self.kinds


REGISTRY = Kinds((POD, THING))


def document(group: str) -> JSON:
    found = openapi_v3(REGISTRY, group, "v1")
    assert found is not None
    return found


@cases(
    ("kind", "name"),
    {
        "builtin": (POD, "io.k8s.api.core.v1.Pod"),
        "custom": (THING, "com.example.v1.Thing"),
        "custom-named-like-builtin": (replace(THING, group="", kind="Pod"), ".v1.Pod"),
    },
)
def test_component_names(kind: Kind, name: str) -> None:
    assert component_name(kind) == name


def test_index_has_a_url_for_each_group_version() -> None:
    paths = openapi_v3_index(REGISTRY)["paths"]
    assert list(paths) == ["api/v1", "apis/example.com/v1"]
    for path, entry in paths.items():
        url, _, digest = entry["serverRelativeURL"].partition("?hash=")
        assert url == f"/openapi/v3/{path}"
        assert len(digest) == 64


def test_url_changes_with_the_document_only() -> None:
    changed = Kinds((POD, replace(THING, schema={"type": "object", "description": "New."})))
    before, after = openapi_v3_index(REGISTRY)["paths"], openapi_v3_index(changed)["paths"]
    assert before["api/v1"] == after["api/v1"]
    assert before["apis/example.com/v1"] != after["apis/example.com/v1"]


def test_group_version_that_is_not_there() -> None:
    assert openapi_v3(REGISTRY, "example.com", "v2") is None


def test_schemas_name_their_kind() -> None:
    schemas = document("example.com")["components"]["schemas"]
    assert set(schemas) == {META, "com.example.v1.Thing", "com.example.v1.ThingList"}
    identity = {"group": "example.com", "version": "v1", "kind": "Thing"}
    thing, things = schemas["com.example.v1.Thing"], schemas["com.example.v1.ThingList"]
    assert thing["x-kubernetes-group-version-kind"] == [identity]
    assert things["x-kubernetes-group-version-kind"] == [{**identity, "kind": "ThingList"}]
    assert thing["properties"]["spec"] == SPEC


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


@pytest.mark.parametrize("group", ["", "example.com"])
def test_references_of_version_3_lead_somewhere(group: str) -> None:
    made = document(group)
    schemas = made["components"]["schemas"]
    found = set(references(made))
    assert f"#/components/schemas/{META}" in found
    assert {name.removeprefix("#/components/schemas/") for name in found} <= set(schemas)


def test_references_of_version_2_lead_somewhere() -> None:
    made = openapi_v2(REGISTRY)
    found = set(references(made))
    assert f"#/definitions/{META}" in found
    assert {name.removeprefix("#/definitions/") for name in found} <= set(made["definitions"])


def test_version_2_has_only_keywords_that_it_knows() -> None:
    spec = openapi_v2(REGISTRY)["definitions"]["com.example.v1.Thing"]["properties"]["spec"]
    assert set(spec) == {"type", "properties"}
    assert spec["properties"] == {
        "a": {"type": "string", "x-kubernetes-int-or-string": True, "default": {"nullable": 1}},
        "oneOf": {"type": "string"},
    }


def test_paths() -> None:
    pods = "/api/v1/namespaces/{namespace}/pods"
    assert {path: set(ops) for path, ops in document("")["paths"].items()} == {
        pods: {"get", "post"},
        f"{pods}/{{name}}": {"get", "put", "patch", "delete"},
        f"{pods}/{{name}}/status": {"get", "put", "patch"},
    }
    assert set(document("example.com")["paths"]) == {
        "/apis/example.com/v1/things",
        "/apis/example.com/v1/things/{name}",
    }


def test_paths_follow_the_verbs() -> None:
    read_only = Kinds((replace(THING, verbs=("get",)),))
    made = openapi_v3(read_only, "example.com", "v1")
    assert made is not None
    assert {path: set(ops) for path, ops in made["paths"].items()} == {
        "/apis/example.com/v1/things/{name}": {"get"}
    }


@cases(
    ("group", "path", "strategic"),
    {
        "builtin": ("", "/api/v1/namespaces/{namespace}/pods/{name}", True),
        "custom": ("example.com", "/apis/example.com/v1/things/{name}", False),
    },
)
def test_patches(group: str, path: str, strategic: bool) -> None:
    patch = document(group)["paths"][path]["patch"]
    kind = "Thing" if group else "Pod"
    assert patch["x-kubernetes-group-version-kind"] == {
        "group": group,
        "version": "v1",
        "kind": kind,
    }
    assert {parameter["name"] for parameter in patch["parameters"]} == {"dryRun", "fieldValidation"}
    content = patch["requestBody"]["content"]
    assert "application/merge-patch+json" in content
    assert ("application/strategic-merge-patch+json" in content) == strategic


def test_lists_of_pods_merge_by_name() -> None:
    pod = document("")["components"]["schemas"]["io.k8s.api.core.v1.Pod"]
    containers = pod["properties"]["spec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-patch-strategy"] == "merge"
