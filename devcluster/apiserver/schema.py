"""What a structural schema does to an object: defaults, pruning, unknown fields, and its checks.

Contract: schemas have no references (`$ref`) and passed `devcluster.apiserver.crd.check_crd`, or
are built in. Objects are whole API objects; results are new, arguments stay as they are. A real
API server runs `prune`, then `apply_defaults`, then `check`, and so does the store.
Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/{pruning,defaulting}.
"""

import copy
from typing import Any

from api.objects import JSON
from devcluster.apiserver.schemacheck import check

__all__ = ["apply_defaults", "check", "prune"]

_META = ("apiVersion", "kind", "metadata")


def apply_defaults(schema: JSON, obj: JSON) -> JSON:
    """Return the object with the defaults of absent fields, and of null ones that may not be null.

    Defaults apply inside objects that exist, as deep as they go; applying them twice changes
    nothing.
    """
    filled: JSON = _defaulted(schema, obj)
    return filled


def prune(schema: JSON, obj: JSON, unknown: list[str] | None = None) -> JSON:
    """Return the object without the fields that its schema does not know, a copy throughout.

    Nulls of fields that may not be null go as well, unless a default replaces them later.
    `x-kubernetes-preserve-unknown-fields` keeps the unknown; apiVersion, kind and metadata stay
    at the root and in an `x-kubernetes-embedded-resource`. `unknown` gets the paths of what it
    dropped as unknown, such as `spec.claims[0].foo`.
    """
    kept: JSON = _pruned(schema, obj, "", [] if unknown is None else unknown, resource=True)
    return kept


def _defaulted(schema: JSON, value: Any) -> Any:
    if not schema:
        return value
    if isinstance(value, dict):
        return _defaulted_object(schema, value)
    if isinstance(value, list):
        return [_defaulted(schema.get("items") or {}, item) for item in value]
    return value


def _defaulted_object(schema: JSON, value: JSON) -> JSON:
    properties: JSON = schema.get("properties") or {}
    filled = dict(value)
    for name, inner in properties.items():
        if "default" in inner and _is_unset(inner, filled, name):
            filled[name] = copy.deepcopy(inner["default"])
    others = _additional(schema)
    return {
        name: _defaulted(properties.get(name, others) or {}, item) for name, item in filled.items()
    }


def _is_unset(schema: JSON, holder: JSON, name: str) -> bool:
    return name not in holder or (holder[name] is None and not schema.get("nullable"))


def _additional(schema: JSON) -> JSON | None:
    """Return the schema of fields without a name of their own, None when there may be none."""
    others = schema.get("additionalProperties")
    if others is True:
        return {"nullable": True}
    return others if isinstance(others, dict) else None


def _pruned(
    schema: JSON, value: Any, path: str, unknown: list[str], *, resource: bool = False
) -> Any:
    if isinstance(value, list):
        items = schema.get("items") or _inherited(schema)
        return [_pruned(items, v, f"{path}[{i}]", unknown) for i, v in enumerate(value)]
    if not isinstance(value, dict):
        return value
    resource = resource or bool(schema.get("x-kubernetes-embedded-resource"))
    kept: JSON = {}
    for name, item in value.items():
        here = f"{path}.{name}" if path else name
        inner = _schema_of_field(schema, name, resource=resource)
        if inner is None:
            unknown.append(here)
        elif not (item is None and _drops_null(inner)):
            kept[name] = _pruned(inner, item, here, unknown)
    return kept


def _schema_of_field(schema: JSON, name: str, *, resource: bool) -> JSON | None:
    known: JSON | None = (schema.get("properties") or {}).get(name)
    if resource and name in _META and not (known or {}).get("properties"):
        return _ANYTHING
    if known is not None:
        return known
    others = _additional(schema)
    if others is not None:
        return others
    return _ANYTHING if schema.get("x-kubernetes-preserve-unknown-fields") else None


def _inherited(schema: JSON) -> JSON:
    return _ANYTHING if schema.get("x-kubernetes-preserve-unknown-fields") else {}


def _drops_null(schema: JSON) -> bool:
    return schema is not _ANYTHING and not schema.get("nullable") and "default" not in schema


_ANYTHING: JSON = {"x-kubernetes-preserve-unknown-fields": True}
