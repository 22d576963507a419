"""The kinds as OpenAPI documents, for `kubectl explain`, `kubectl apply` and editors.

Version 3 has a document for each group version and an index of them; version 2 is one document,
of which only the definitions are of use to anybody, so it has no paths. Paths name no more than
clients look for: which kind an operation is about, whether it checks fields, and which patches
it takes; kubectl makes strategic merge patches for kinds that say they take them.
Source: k8s.io/kube-openapi/pkg/handler3, kubectl pkg/explain/v2, k8s.io/cli-runtime pkg/resource
query_param_verifier_v3.go.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Final

from api.objects import JSON
from devcluster.apiserver.builtinschemas import meta_properties, package_of
from devcluster.apiserver.kinds import Kind
from devcluster.apiserver.registry import Registry

_META_NAME: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_V2_REFERENCES: Final = "#/definitions/"
_V3_REFERENCES: Final = "#/components/schemas/"
_ONLY_V3: Final = frozenset({"oneOf", "anyOf", "not", "nullable"})
_PATCHES: Final = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
)
_STRATEGIC: Final = "application/strategic-merge-patch+json"


def openapi_v2(registry: Registry) -> JSON:
    """Return what GET /openapi/v2 answers; see openapiproto for the form that kubectl wants."""
    schemas = _schemas(registry.all(), _V2_REFERENCES)
    return {
        "swagger": "2.0",
        "info": _info("Kubernetes"),
        "paths": {},
        "definitions": {name: _downgraded(schema) for name, schema in schemas.items()},
    }


def openapi_v3_index(registry: Registry) -> JSON:
    """Return what GET /openapi/v3 answers; a URL changes when its document does."""
    places = dict.fromkeys((kind.group, kind.version) for kind in registry.all())
    paths: JSON = {}
    for group, version in places:
        document = json.dumps(openapi_v3(registry, group, version), sort_keys=True)
        path = _root(group, version)
        digest = hashlib.sha256(document.encode()).hexdigest().upper()
        paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
    return {"paths": paths}


def openapi_v3(registry: Registry, group: str, version: str) -> JSON | None:
    """Return the document of one group version, None when it is not served."""
    kinds = [kind for kind in registry.all() if (kind.group, kind.version) == (group, version)]
    if not kinds:
        return None
    paths: JSON = {}
    for kind in kinds:
        paths.update(_paths(kind))
    return {
        "openapi": "3.0.0",
        "info": _info(f"{group}/{version}" if group else version),
        "paths": paths,
        "components": {"schemas": _schemas(kinds, _V3_REFERENCES)},
    }


def component_name(kind: Kind) -> str:
    """Return the name of a kind's schema, such as `io.k8s.api.core.v1.Pod`.

    That of a custom kind starts with its group backwards.
    """
    package = package_of(kind.group, kind.version, kind.kind)
    if package is None or kind.custom:
        package = ".".join([*reversed(kind.group.split(".")), kind.version])
    return f"{package}.{kind.kind}"


def _info(title: str) -> JSON:
    return {"title": title, "version": "unversioned"}


def _root(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def _identity(kind: Kind) -> JSON:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _schemas(kinds: Iterable[Kind], references: str) -> dict[str, JSON]:
    schemas = {_META_NAME: meta_properties()["metadata"]}
    for kind in kinds:
        name = component_name(kind)
        schemas[name] = _schema(kind, references)
        schemas[f"{name}List"] = {
            "type": "object",
            "description": f"A list of {kind.kind} objects.",
            "required": ["items"],
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"type": "object"},
                "items": {"type": "array", "items": {"$ref": references + name}},
            },
            "x-kubernetes-group-version-kind": [{**_identity(kind), "kind": kind.list_kind}],
        }
    return schemas


def _schema(kind: Kind, references: str) -> JSON:
    meta: JSON = {"$ref": references + _META_NAME}
    if references == _V3_REFERENCES:
        meta = {"allOf": [meta], "default": {}, "description": "Standard metadata of objects."}
    properties = {**(kind.schema.get("properties") or {}), "metadata": meta}
    identity = [_identity(kind)]
    return {**kind.schema, "properties": properties, "x-kubernetes-group-version-kind": identity}


def _downgraded(node: Any) -> Any:
    """Return a schema without the keywords that version 2 does not know."""
    if isinstance(node, list):
        return [_downgraded(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "x-kubernetes-int-or-string" in node or node.get("oneOf"):
        node = {"type": "string", **node}
    if isinstance(node.get("properties"), dict):
        fields = {name: _downgraded(field) for name, field in node["properties"].items()}
        node = {**node, "properties": fields}
    return {
        name: item if name in ("properties", "default", "enum", "example") else _downgraded(item)
        for name, item in node.items()
        if name not in _ONLY_V3
    }


def _paths(kind: Kind) -> JSON:
    scope = "/namespaces/{namespace}" if kind.namespaced else ""
    collection = f"/{_root(kind.group, kind.version)}{scope}/{kind.plural}"
    item = f"{collection}/{{name}}"
    item_verbs = {"get": "get", "put": "update", "patch": "patch", "delete": "delete"}
    paths = {
        collection: _operations(kind, {"get": "list", "post": "create"}, kind.verbs),
        item: _operations(kind, item_verbs, kind.verbs),
    }
    for sub in kind.subresources:
        if sub.name == "status":
            paths[f"{item}/status"] = _operations(kind, item_verbs, sub.verbs)
    return {path: operations for path, operations in paths.items() if operations}


def _operations(kind: Kind, verbs: dict[str, str], offered: Iterable[str]) -> JSON:
    offered = set(offered)
    return {
        method: _operation(kind, method, verb) for method, verb in verbs.items() if verb in offered
    }


def _operation(kind: Kind, method: str, verb: str) -> JSON:
    reference = {"$ref": _V3_REFERENCES + component_name(kind)}
    content = {"application/json": {"schema": reference}}
    operation: JSON = {
        "operationId": f"{verb}{kind.version.capitalize()}{kind.kind}",
        "x-kubernetes-action": method if verb not in ("list", "create") else verb,
        "x-kubernetes-group-version-kind": _identity(kind),
        "responses": {"200": {"description": "OK", "content": content}},
    }
    if verb in ("create", "update", "patch"):
        operation["parameters"] = [_query("dryRun"), _query("fieldValidation")]
        operation["requestBody"] = {"content": _patches(kind) if verb == "patch" else content}
    return operation


def _query(name: str) -> JSON:
    return {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}


def _patches(kind: Kind) -> JSON:
    formats = _PATCHES if kind.custom else (*_PATCHES, _STRATEGIC)
    return {name: {"schema": {"type": "object"}} for name in formats}
