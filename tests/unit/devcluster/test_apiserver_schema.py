"""Defaults, pruning, unknown fields, and that they work on anything."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from devcluster.apiserver.builtinschemas import schema_of
from devcluster.apiserver.crdschema import check_structural
from devcluster.apiserver.schema import apply_defaults, check, prune
from tests.support.tables import cases
from tests.support.unknownfields import unknown_fields

JSON = dict[str, Any]

FREE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
SCHEMA: JSON = {
    "type": "object",
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "properties": {
                "count": {"type": "integer", "default": 1},
                "model": {"type": "string", "nullable": True, "default": "none"},
                "note": {"type": "string"},
                "list": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"name": {"type": "string"}, "on": {"default": True}},
                    },
                },
                "map": {
                    "type": "object",
                    "additionalProperties": {
                        "type": "object",
                        "properties": {"size": {"type": "integer", "default": 4}},
                    },
                },
                "inner": {
                    "type": "object",
                    "default": {},
                    "properties": {"deep": {"type": "string", "default": "d"}},
                },
                "free": {**FREE, "properties": {"known": {"type": "object"}}},
                "template": {
                    "type": "object",
                    "x-kubernetes-embedded-resource": True,
                    "properties": {"spec": {"type": "object"}},
                },
            },
        },
    },
}


@cases(
    ("spec", "filled"),
    {
        "absent": ({}, {"count": 1, "model": "none", "inner": {"deep": "d"}}),
        "given": ({"count": 5}, {"count": 5, "model": "none", "inner": {"deep": "d"}}),
        "null": ({"count": None}, {"count": 1, "model": "none", "inner": {"deep": "d"}}),
        "nullable-null": ({"model": None}, {"count": 1, "model": None, "inner": {"deep": "d"}}),
        "inside-lists-and-maps": (
            {"list": [{}, {"on": False}], "map": {"a": {}}},
            {
                "count": 1,
                "model": "none",
                "inner": {"deep": "d"},
                "list": [{"on": True}, {"on": False}],
                "map": {"a": {"size": 4}},
            },
        ),
    },
)
def test_defaults(spec: JSON, filled: JSON) -> None:
    assert apply_defaults(SCHEMA, {"spec": spec}) == {"spec": filled}


def test_absent_object_gets_no_defaults_inside() -> None:
    assert apply_defaults(SCHEMA, {}) == {}


def test_default_is_copied_for_each_object() -> None:
    first, second = (apply_defaults(SCHEMA, {"spec": {}}) for _ in range(2))
    first["spec"]["inner"]["deep"] = "changed"
    assert second["spec"]["inner"] == {"deep": "d"}


@cases(
    ("obj", "kept", "unknown"),
    {
        "root": ({"foo": 1, "spec": {"note": "x"}}, {"spec": {"note": "x"}}, ["foo"]),
        "nested": ({"spec": {"foo": {"bar": 1}}}, {"spec": {}}, ["spec.foo"]),
        "list": (
            {"spec": {"list": [{"name": "a"}, {"nmae": "b"}]}},
            {"spec": {"list": [{"name": "a"}, {}]}},
            ["spec.list[1].nmae"],
        ),
        "map": (
            {"spec": {"map": {"any": {"size": 1, "foo": 2}}}},
            {"spec": {"map": {"any": {"size": 1}}}},
            ["spec.map.any.foo"],
        ),
        "preserved": (
            {"spec": {"free": {"any": {"deep": [{"x": 1}]}, "known": {"foo": 1}}}},
            {"spec": {"free": {"any": {"deep": [{"x": 1}]}, "known": {}}}},
            ["spec.free.known.foo"],
        ),
        "embedded-resource": (
            {"spec": {"template": {"kind": "K", "metadata": {"any": 1}, "foo": 1}}},
            {"spec": {"template": {"kind": "K", "metadata": {"any": 1}}}},
            ["spec.template.foo"],
        ),
        "metadata": ({"metadata": {"anything": 1}}, {"metadata": {"anything": 1}}, []),
        "null": ({"spec": {"note": None, "model": None}}, {"spec": {"model": None}}, []),
        "null-with-default": ({"spec": {"count": None}}, {"spec": {"count": None}}, []),
    },
)
def test_pruning(obj: JSON, kept: JSON, unknown: list[str]) -> None:
    before = copy.deepcopy(obj)
    assert prune(SCHEMA, obj) == kept
    assert unknown_fields(SCHEMA, obj) == unknown
    assert obj == before


def test_metadata_with_a_schema_is_pruned() -> None:
    obj = {"metadata": {"name": "p", "nmae": "q", "labels": {"any": "l"}}, "kind": "Pod"}
    schema = schema_of("", "v1", "Pod")
    assert unknown_fields(schema, obj) == ["metadata.nmae"]
    assert prune(schema, obj) == {"metadata": {"name": "p", "labels": {"any": "l"}}, "kind": "Pod"}


def test_additional_properties_without_schema_keep_scalars_only() -> None:
    schema = {"type": "object", "additionalProperties": True}
    assert prune(schema, {"a": 1, "b": None, "c": {"d": 1}}) == {"a": 1, "b": None, "c": {}}


NAMES = st.sampled_from(
    ["spec", "metadata", "count", "model", "list", "map", "free", "known", "template", "on", "x"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=15,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)


@given(OBJECTS)
def test_pruned_objects_have_no_unknown_fields(obj: JSON) -> None:
    pruned = prune(SCHEMA, obj)
    assert unknown_fields(SCHEMA, pruned) == []
    assert prune(SCHEMA, pruned) == pruned


@given(OBJECTS)
def test_defaults_are_idempotent_and_known(obj: JSON) -> None:
    filled = apply_defaults(SCHEMA, prune(SCHEMA, obj))
    assert apply_defaults(SCHEMA, filled) == filled
    assert unknown_fields(SCHEMA, filled) == []


@given(OBJECTS, st.none() | OBJECTS)
def test_checks_never_raise(obj: JSON, old: JSON | None) -> None:
    for error in check(SCHEMA, obj, old):
        assert error.text


@given(OBJECTS)
def test_an_unchanged_object_is_always_right(obj: JSON) -> None:
    assert check(SCHEMA, obj, copy.deepcopy(obj)) == []


KEYWORDS = st.sampled_from(
    [
        "type",
        "properties",
        "items",
        "enum",
        "required",
        "pattern",
        "allOf",
        "oneOf",
        "not",
        "default",
        "maximum",
        "maxLength",
        "format",
        "additionalProperties",
        "nullable",
        "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
    ]
)
SCHEMAS = st.recursive(
    st.sampled_from(["object", "array", "string", 1, None, True, "[", "map", "a"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYWORDS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYWORDS, SCHEMAS, max_size=5), OBJECTS)
def test_any_schema_is_refused_or_can_be_used(schema: JSON, obj: JSON) -> None:
    if check_structural(schema, "schema") == []:
        check(schema, apply_defaults(schema, prune(schema, obj)))
