"""Which schemas a CustomResourceDefinition may bring: structural ones, with sane keywords.

After this check the other modules can follow a schema without looking whether it makes sense.
Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/validation.go.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from api.objects import JSON
from devcluster.apiserver.fielderrors import (
    FieldError,
    bad_value,
    not_allowed,
    required,
    unsupported,
)
from devcluster.apiserver.schemacheck import check, json_type

_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_LIST_TYPES: Final = ("atomic", "map", "set")

_KEYWORDS: Final[Mapping[str, str]] = {
    "type": "string",
    "description": "string",
    "format": "string",
    "pattern": "string",
    "maximum": "number",
    "minimum": "number",
    "multipleOf": "number",
    "maxLength": "integer",
    "minLength": "integer",
    "maxItems": "integer",
    "minItems": "integer",
    "maxProperties": "integer",
    "minProperties": "integer",
    "enum": "array",
    "required": "array",
    "allOf": "array",
    "anyOf": "array",
    "oneOf": "array",
    "properties": "object",
    "items": "object",
    "not": "object",
    "x-kubernetes-list-map-keys": "array",
}
_COMBINATIONS: Final = ("allOf", "anyOf", "oneOf")


def check_structural(schema: JSON, path: str) -> list[FieldError]:
    """Return what is wrong with the schema of one version.

    Args:
        schema: `openAPIV3Schema`, any JSON object.
        path: where it is in the definition.
    """
    found = list(_check_keywords(schema, path))
    if found:
        return found
    if schema.get("type") != "object":
        return [bad_value(f"{path}.type", schema.get("type", ""), "must be object at the root")]
    return list(_check_node(schema, path, "the root"))


def _check_keywords(schema: Any, path: str) -> Iterator[FieldError]:
    if not isinstance(schema, dict):
        yield bad_value(path, json_type(schema), "must be a schema object")
        return
    for name, wanted in _KEYWORDS.items():
        if name in schema and not _has_type(schema[name], wanted):
            yield bad_value(f"{path}.{name}", json_type(schema[name]), f"must be of type {wanted}")
            return
    yield from _check_name_lists(schema, path)
    if not isinstance(schema.get("additionalProperties", {}), dict | bool):
        why = "must be a schema object or a boolean"
        actual = json_type(schema["additionalProperties"])
        yield bad_value(f"{path}.additionalProperties", actual, why)
    if "$ref" in schema:
        yield not_allowed(f"{path}.$ref", "$ref is not supported")
    for inner, here in _children(schema, path):
        yield from _check_keywords(inner, here)


def _check_name_lists(schema: JSON, path: str) -> Iterator[FieldError]:
    for keyword in ("required", "x-kubernetes-list-map-keys"):
        for index, name in enumerate(schema.get(keyword) or ()):
            if not isinstance(name, str):
                here = f"{path}.{keyword}[{index}]"
                yield bad_value(here, json_type(name), "must be of type string")


def _has_type(value: Any, wanted: str) -> bool:
    actual = json_type(value)
    return actual == wanted or (actual == "integer" and wanted == "number")


def _children(schema: JSON, path: str) -> Iterator[tuple[Any, str]]:
    """Yield the schemas directly inside one, with their paths."""
    yield from _fields(schema, path)
    for name in _COMBINATIONS:
        yield from ((part, f"{path}.{name}[{i}]") for i, part in enumerate(schema.get(name) or ()))
    if "not" in schema:
        yield schema["not"], f"{path}.not"


def _fields(schema: JSON, path: str) -> Iterator[tuple[Any, str]]:
    """Yield the schemas of the values inside: fields and items."""
    for name, inner in (schema.get("properties") or {}).items():
        yield inner, f"{path}.properties[{name}]"
    if "items" in schema:
        yield schema["items"], f"{path}.items"
    if isinstance(schema.get("additionalProperties"), dict):
        yield schema["additionalProperties"], f"{path}.additionalProperties"


def _check_node(schema: JSON, path: str, what: str) -> Iterator[FieldError]:
    yield from _check_type(schema, path, what)
    yield from _check_object(schema, path)
    yield from _check_list(schema, path)
    yield from _check_pattern(schema, path)
    for name in _COMBINATIONS:
        for index, part in enumerate(schema.get(name) or ()):
            if not schema.get("x-kubernetes-int-or-string"):
                yield from _check_value_rule(part, f"{path}.{name}[{index}]")
    for inner, here in _fields(schema, path):
        what = "specified array items" if here.endswith(".items") else "specified object fields"
        yield from _check_node(inner, here, what)
    if "default" in schema:
        yield from check(schema, schema["default"], path=f"{path}.default")


def _check_type(schema: JSON, path: str, what: str) -> Iterator[FieldError]:
    given = schema.get("type", "")
    if given and given not in _TYPES:
        yield unsupported(f"{path}.type", given, _TYPES)
    free = ("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields")
    if not given and not any(schema.get(name) for name in free):
        yield required(f"{path}.type", f"must not be empty for {what}")


def _check_object(schema: JSON, path: str) -> Iterator[FieldError]:
    here = f"{path}.additionalProperties"
    if schema.get("additionalProperties") and schema.get("properties"):
        yield not_allowed(here, "additionalProperties and properties are mutual exclusive")
    if schema.get("additionalProperties") is False:
        yield not_allowed(here, "additionalProperties cannot be set to false")


def _check_list(schema: JSON, path: str) -> Iterator[FieldError]:
    if schema.get("uniqueItems"):
        why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield not_allowed(f"{path}.uniqueItems", why)
    if schema.get("type") == "array" and not schema.get("items"):
        yield required(f"{path}.items", "must be specified")
    kind = schema.get("x-kubernetes-list-type")
    if kind is not None and kind not in _LIST_TYPES:
        yield unsupported(f"{path}.x-kubernetes-list-type", kind, _LIST_TYPES)
    if kind == "map" and not schema.get("x-kubernetes-list-map-keys"):
        why = "must not be empty if x-kubernetes-list-type is map"
        yield required(f"{path}.x-kubernetes-list-map-keys", why)


def _check_pattern(schema: JSON, path: str) -> Iterator[FieldError]:
    pattern = schema.get("pattern", "")
    try:
        re.compile(pattern)
    except re.error as error:
        why = f"must be a valid regular expression, but isn't: {error}"
        yield bad_value(f"{path}.pattern", pattern, why)


def _check_value_rule(schema: JSON, path: str) -> Iterator[FieldError]:
    """Check what stands inside allOf and its like: rules for values, nothing about their shape."""
    for name in ("type", "default", "additionalProperties", "x-kubernetes-preserve-unknown-fields"):
        if name in schema:
            yield not_allowed(f"{path}.{name}", "must be empty to be structural")
    yield from _check_pattern(schema, path)
