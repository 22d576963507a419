"""Checks an object against its structural schema, in the words of kube-apiserver.

A failed check says what the field should be, so that users of the embedded cluster learn to read
what a real cluster would have told them. CEL rules (`x-kubernetes-validations`) are not evaluated.
Source: k8s.io/kube-openapi/pkg/validation and
k8s.io/apiextensions-apiserver/pkg/apiserver/validation/validation.go.
"""

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from api.objects import JSON
from devcluster.apiserver import fielderrors
from devcluster.apiserver.fielderrors import FieldError

_FORMATS: Final[Mapping[str, str]] = {
    "date-time": r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)",
    "date": r"\d{4}-\d\d-\d\d",
    "uuid": r"(?i)[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}",
    "byte": r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",
}
_COMBINATIONS: Final = frozenset({"allOf", "anyOf", "oneOf", "not"})
_BOUNDS: Final[tuple[tuple[str, Callable[[float, float], bool], str], ...]] = (
    ("maximum", operator.gt, "less"),
    ("minimum", operator.lt, "greater"),
)


def check(schema: JSON, obj: Any, old: JSON | None = None, path: str = "") -> list[FieldError]:
    """Return every field that breaks the schema.

    Args:
        schema: of the whole object, references resolved.
        obj: any JSON; pruned and defaulted before.
        old: the stored object of an update; what it already had stays allowed as long as it does
            not change. Source: KEP-4008, CRD validation ratcheting.
        path: where `obj` is, when it is not a whole object.
    """
    return list(_check(schema, obj, old, path))


def json_type(value: object) -> str:
    """Return the OpenAPI type of a JSON value; a float without fraction is an integer."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def shown(value: object) -> str:
    """Return a value as Go prints it in a field error."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return str(int(value)) if value.is_integer() else str(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case list():
            return f"[]interface {{}}{{{', '.join(shown(item) for item in value)}}}"
        case dict():
            pairs = (f"{shown(name)}:{shown(value[name])}" for name in sorted(value))
            return f"map[string]interface {{}}{{{', '.join(pairs)}}}"
    return "<nil>" if value is None else str(value)


def _invalid(path: str, value: object, text: str) -> FieldError:
    return FieldError(path, f"Invalid value: {shown(value)}: {path} in body {text}")


def _wrong_type(path: str, actual: str, wanted: str) -> FieldError:
    text = f'Invalid value: "{actual}": {path} in body must be of type {wanted}: "{actual}"'
    return FieldError(path, text, "FieldValueTypeInvalid")


def _canonical(value: object) -> str:
    """Return equal texts for equal values; unlike `==` it tells true from 1."""
    return json.dumps(value, sort_keys=True)


def _is_same(value: object, old: object) -> bool:
    return value == old and _canonical(value) == _canonical(old)


def _check(schema: JSON, value: Any, old: Any, path: str) -> Iterator[FieldError]:
    if old is not None and _is_same(value, old):
        return
    actual = json_type(value)
    wanted = _wanted_types(schema)
    if actual == "null" and (schema.get("nullable") or not wanted):
        return
    if wanted and not _fits(actual, wanted):
        yield _wrong_type(path, actual, ",".join(wanted))
        return
    yield from _check_enum(schema, value, path)
    if actual in _BY_TYPE:
        yield from _BY_TYPE[actual](schema, value, old, path)
    yield from _check_combinations(schema, value, path)


def _wanted_types(schema: JSON) -> tuple[str, ...]:
    if schema.get("x-kubernetes-int-or-string"):
        return ("integer", "string")
    return (schema["type"],) if schema.get("type") else ()


def _fits(actual: str, wanted: Sequence[str]) -> bool:
    return actual in wanted or (actual == "integer" and "number" in wanted)


def _check_enum(schema: JSON, value: Any, path: str) -> Iterator[FieldError]:
    allowed = schema.get("enum")
    if allowed is None or _canonical(value) in map(_canonical, allowed):
        return
    names = ", ".join(
        json.dumps(item if isinstance(item, str) else _canonical(item)) for item in allowed
    )
    text = f"Unsupported value: {shown(value)}: supported values: {names}"
    yield FieldError(path, text, "FieldValueNotSupported")


def _check_string(schema: JSON, value: str, _old: Any, path: str) -> Iterator[FieldError]:
    longest, shortest = schema.get("maxLength"), schema.get("minLength")
    if longest is not None and len(value) > longest:
        yield fielderrors.too_long(path, longest)
    if shortest is not None and len(value) < shortest:
        yield _invalid(path, value, f"should be at least {shortest} chars long")
    pattern = schema.get("pattern")
    if pattern and not re.search(pattern, value):
        yield _invalid(path, value, f"should match '{pattern}'")
    shape = schema.get("format", "")
    if shape in _FORMATS and not re.fullmatch(_FORMATS[shape], value):
        yield _invalid(path, value, f"must be of type {shape}: {shown(value)}")


def _check_number(schema: JSON, value: float, _old: Any, path: str) -> Iterator[FieldError]:
    for keyword, beyond, direction in _BOUNDS:
        limit = schema.get(keyword)
        if limit is None:
            continue
        exclusive = schema.get(f"exclusive{keyword.capitalize()}")
        if beyond(value, limit) or (exclusive and value == limit):
            equal = "" if exclusive else " or equal to"
            yield _invalid(path, value, f"should be {direction} than{equal} {shown(limit)}")
    step = schema.get("multipleOf")
    if step and value % step:
        yield _invalid(path, value, f"should be a multiple of {shown(step)}")


def _check_array(schema: JSON, value: list[Any], old: Any, path: str) -> Iterator[FieldError]:
    most, least = schema.get("maxItems"), schema.get("minItems")
    if most is not None and len(value) > most:
        yield fielderrors.too_many(path, len(value), most)
    if least is not None and len(value) < least:
        yield _invalid(path, value, f"should have at least {least} items")
    if schema.get("uniqueItems") and len(set(map(_canonical, value))) < len(value):
        yield _invalid(path, value, "shouldn't contain duplicates")
    yield from _check_duplicates(schema, value, path)
    before = _items_by_key(schema, old)
    for index, item in enumerate(value):
        was = before.get(_canonical(_list_key(schema, item)))
        yield from _check(schema.get("items") or {}, item, was, f"{path}[{index}]")


def _list_key(schema: JSON, item: Any) -> object:
    """Return what identifies an item of a list of type set or map, None when nothing does."""
    kind = schema.get("x-kubernetes-list-type")
    if kind == "set":
        return [item]
    if kind != "map" or not isinstance(item, dict):
        return None
    return {name: item.get(name) for name in schema.get("x-kubernetes-list-map-keys") or []}


def _items_by_key(schema: JSON, old: Any) -> dict[str, Any]:
    if not isinstance(old, list):
        return {}
    keyed = ((_list_key(schema, item), item) for item in old)
    return {_canonical(key): item for key, item in keyed if key is not None}


def _check_duplicates(schema: JSON, value: list[Any], path: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, item in enumerate(value):
        key = _list_key(schema, item)
        if key is None:
            continue
        if _canonical(key) in seen:
            text = f"Duplicate value: {shown(key[0] if isinstance(key, list) else key)}"
            yield FieldError(f"{path}[{index}]", text, "FieldValueDuplicate")
        seen.add(_canonical(key))


def _check_object(schema: JSON, value: JSON, old: Any, path: str) -> Iterator[FieldError]:
    yield from _check_names(schema, value, path)
    most, least = schema.get("maxProperties"), schema.get("minProperties")
    if most is not None and len(value) > most:
        yield fielderrors.too_many(path, len(value), most)
    if least is not None and len(value) < least:
        yield _invalid(path, value, f"should have at least {least} properties")
    properties: JSON = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    before = old if isinstance(old, dict) else {}
    for name, item in value.items():
        here = f"{path}.{name}" if path else name
        inner = properties.get(name, others)
        if isinstance(inner, dict):
            yield from _check(inner, item, before.get(name), here)
        elif inner is False:
            text = f"Invalid value: {shown(item)}: {here} in body is a forbidden property"
            yield FieldError(here, text)


def _check_names(schema: JSON, value: JSON, path: str) -> Iterator[FieldError]:
    for name in schema.get("required") or []:
        if name not in value:
            yield fielderrors.required(f"{path}.{name}" if path else name)
    if schema.get("x-kubernetes-embedded-resource"):
        for name in ("apiVersion", "kind"):
            if not value.get(name):
                yield fielderrors.required(f"{path}.{name}", "must not be empty")


def _check_combinations(schema: JSON, value: Any, path: str) -> Iterator[FieldError]:
    if _COMBINATIONS.isdisjoint(schema):
        return
    for part in schema.get("allOf") or []:
        yield from _check(part, value, None, path)
    choices = {name: _failures(schema.get(name), value, path) for name in ("anyOf", "oneOf")}
    if choices["anyOf"] and all(choices["anyOf"]):
        yield _uncombined(path, "must validate at least one schema (anyOf)")
        yield from min(choices["anyOf"], key=len)
    one_of = choices["oneOf"]
    valid = sum(not failed for failed in one_of)
    if one_of and valid != 1:
        found = f"{valid} valid alternatives" if valid else "none valid"
        yield _uncombined(path, f"must validate one and only one schema (oneOf). Found {found}")
        yield from min(one_of, key=len)
    refused = schema.get("not")
    if isinstance(refused, dict) and not any(_check(refused, value, None, path)):
        yield _uncombined(path, "must not validate the schema (not)")


def _failures(parts: list[JSON] | None, value: Any, path: str) -> list[list[FieldError]]:
    return [list(_check(part, value, None, path)) for part in parts or []]


def _uncombined(path: str, text: str) -> FieldError:
    return FieldError(path, f'Invalid value: "": "{path}" {text}')


_BY_TYPE: Final[Mapping[str, Callable[[JSON, Any, Any, str], Iterator[FieldError]]]] = {
    "string": _check_string,
    "integer": _check_number,
    "number": _check_number,
    "array": _check_array,
    "object": _check_object,
}
