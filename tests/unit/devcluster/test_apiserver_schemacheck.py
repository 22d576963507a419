"""Each keyword of a schema, with the words in which kube-apiserver refuses a value."""

from typing import Any

import pytest

from devcluster.apiserver.schemacheck import check, shown
from tests.support.tables import cases

JSON = dict[str, Any]


def refusals(schema: JSON, value: Any, old: Any = None) -> list[str]:
    """Check a value as `spec.x`."""
    whole = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"x": schema}}},
    }
    before = None if old is None else {"spec": {"x": old}}
    return [str(error) for error in check(whole, {"spec": {"x": value}}, before)]


def said(text: str) -> list[str]:
    return [f"spec.x: {text.replace('@', 'spec.x in body')}"]


COUNT = {"type": "integer", "minimum": 1, "maximum": 128}
REFUSED = {
    "type": (COUNT, "1", 'Invalid value: "string": @ must be of type integer: "string"'),
    "null": (COUNT, None, 'Invalid value: "null": @ must be of type integer: "null"'),
    "bool-is-no-integer": (
        COUNT,
        True,
        'Invalid value: "boolean": @ must be of type integer: "boolean"',
    ),
    "fraction": (COUNT, 1.5, 'Invalid value: "number": @ must be of type integer: "number"'),
    "int-or-string": (
        {"x-kubernetes-int-or-string": True},
        1.5,
        'Invalid value: "number": @ must be of type integer,string: "number"',
    ),
    "maximum": (COUNT, 129, "Invalid value: 129: @ should be less than or equal to 128"),
    "minimum": (COUNT, 0, "Invalid value: 0: @ should be greater than or equal to 1"),
    "exclusive-maximum": (
        {"type": "number", "maximum": 2.5, "exclusiveMaximum": True},
        2.5,
        "Invalid value: 2.5: @ should be less than 2.5",
    ),
    "exclusive-minimum": (
        {"type": "number", "minimum": 2, "exclusiveMinimum": True},
        2.0,
        "Invalid value: 2: @ should be greater than 2",
    ),
    "multiple-of": (
        {"type": "integer", "multipleOf": 4},
        6,
        "Invalid value: 6: @ should be a multiple of 4",
    ),
    "enum": (
        {"type": "string", "enum": ["Ready", "NotReady"]},
        "x",
        'Unsupported value: "x": supported values: "Ready", "NotReady"',
    ),
    "enum-of-numbers": (
        {"enum": [1, 2]},
        True,
        'Unsupported value: true: supported values: "1", "2"',
    ),
    "pattern": (
        {"type": "string", "pattern": "^[a-z]+$"},
        "A",
        "Invalid value: \"A\": @ should match '^[a-z]+$'",
    ),
    "max-length": ({"type": "string", "maxLength": 2}, "äöü", "Too long: may not be longer than 2"),
    "min-length": (
        {"type": "string", "minLength": 1},
        "",
        'Invalid value: "": @ should be at least 1 chars long',
    ),
    "format": (
        {"type": "string", "format": "date-time"},
        "yesterday",
        'Invalid value: "yesterday": @ must be of type date-time: "yesterday"',
    ),
    "max-items": (
        {"type": "array", "maxItems": 1},
        [1, 2],
        "Too many: 2: must have at most 1 items",
    ),
    "min-items": (
        {"type": "array", "minItems": 1},
        [],
        "Invalid value: []interface {}{}: @ should have at least 1 items",
    ),
    "unique-items": (
        {"type": "array", "uniqueItems": True},
        [1, True, 1],
        "Invalid value: []interface {}{1, true, 1}: @ shouldn't contain duplicates",
    ),
    "max-properties": (
        {"type": "object", "maxProperties": 1},
        {"a": 1, "b": 2},
        "Too many: 2: must have at most 1 items",
    ),
    "min-properties": (
        {"type": "object", "minProperties": 2},
        {"a": {"b": None}},
        """Invalid value: map[string]interface {}{"a":map[string]interface {}{"b":<nil>}}: \
@ should have at least 2 properties""",
    ),
    "not": (
        {"not": {"enum": ["a"]}},
        "a",
        'Invalid value: "": "spec.x" must not validate the schema (not)',
    ),
    "all-of": (
        {"type": "integer", "allOf": [{"maximum": 5}, {"minimum": 2}]},
        6,
        "Invalid value: 6: @ should be less than or equal to 5",
    ),
    "one-of-too-many": (
        {"oneOf": [{"maximum": 5}, {"minimum": 2}]},
        3,
        """Invalid value: "": "spec.x" must validate one and only one schema (oneOf). \
Found 2 valid alternatives""",
    ),
}


@cases(("schema", "value", "text"), REFUSED)
def test_refused(schema: JSON, value: Any, text: str) -> None:
    assert refusals(schema, value) == said(text)


ACCEPTED = {
    "integer": (COUNT, 1),
    "whole-float": (COUNT, 2.0),
    "integer-as-number": ({"type": "number"}, 3),
    "nullable": ({"type": "string", "nullable": True, "enum": ["a"]}, None),
    "untyped-null": ({}, None),
    "int-or-string": ({"x-kubernetes-int-or-string": True}, "50%"),
    "date-time": ({"type": "string", "format": "date-time"}, "2024-01-01T00:00:00.000001Z"),
    "unknown-format": ({"type": "string", "format": "password"}, "x"),
    "one-of": ({"oneOf": [{"type": "string"}, {"type": "number"}]}, 3),
    "any-of": ({"anyOf": [{"maximum": 5}, {"minimum": 2}]}, 3),
    "not": ({"not": {"enum": ["a"]}}, "b"),
    "multiple-of": ({"type": "integer", "multipleOf": 4}, 8),
}


@cases(("schema", "value"), ACCEPTED)
def test_accepted(schema: JSON, value: Any) -> None:
    assert refusals(schema, value) == []


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
def test_no_alternative_fits(keyword: str) -> None:
    schema = {keyword: [{"required": ["a", "b"]}, {"required": ["c"]}]}
    summary, reason = refusals(schema, {})
    assert f"({keyword})" in summary
    assert reason == "spec.x.c: Required value"


def test_paths_of_fields_items_and_maps() -> None:
    name = {"type": "object", "required": ["name"], "properties": {"size": {"type": "integer"}}}
    schema = {"type": "array", "items": {"type": "object", "additionalProperties": name}}
    assert refusals(schema, [{"k": {"name": 1, "size": ""}}, {"k": {}}]) == [
        """spec.x[0].k.size: Invalid value: "string": \
spec.x[0].k.size in body must be of type integer: "string\"""",
        "spec.x[1].k.name: Required value",
    ]


def test_forbidden_property() -> None:
    schema = {"type": "object", "additionalProperties": False}
    assert refusals(schema, {"a": 1}) == [
        "spec.x.a: Invalid value: 1: spec.x.a in body is a forbidden property"
    ]


def test_embedded_resource_names_its_kind() -> None:
    schema = {"type": "object", "x-kubernetes-embedded-resource": True}
    assert refusals(schema, {"kind": "Pod"}) == [
        "spec.x.apiVersion: Required value: must not be empty"
    ]


@cases(
    ("schema", "value", "text"),
    {
        "set": (
            {"x-kubernetes-list-type": "set"},
            ["a", "b", "a"],
            'spec.x[2]: Duplicate value: "a"',
        ),
        "map": (
            {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
            [{"name": "a", "v": 1}, {"name": "a", "v": 2}],
            'spec.x[1]: Duplicate value: map[string]interface {}{"name":"a"}',
        ),
    },
)
def test_duplicates(schema: JSON, value: Any, text: str) -> None:
    assert refusals({"type": "array", **schema}, value) == [text]


BY_NAME = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    "items": {"type": "object", "properties": {"n": COUNT}},
}


@cases(
    ("schema", "old", "new", "count"),
    {
        "same": (COUNT, 500, 500, 0),
        "changed": (COUNT, 500, 501, 1),
        "true-is-not-1": (COUNT, 1, True, 1),
        "sibling-changed": (
            {"type": "object", "properties": {"a": COUNT}},
            {"a": 0},
            {"a": 0, "b": 1},
            0,
        ),
        "list-map": (
            BY_NAME,
            [{"name": "a", "n": 0}],
            [{"name": "b", "n": 0}, {"name": "a", "n": 0}],
            1,
        ),
        "atomic": ({"type": "array", "items": COUNT}, [0], [0, 1], 1),
        "other-type": (COUNT, {"other": "type"}, 0, 1),
    },
)
def test_what_was_wrong_before_may_stay(schema: JSON, old: Any, new: Any, count: int) -> None:
    assert len(refusals(schema, new, old)) == count


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "<nil>"), (False, "false"), (1e3, "1000"), (0.5, "0.5"), ('a"ä', '"a\\"ä"')],
)
def test_values_are_shown_as_go_does(value: Any, text: str) -> None:
    assert shown(value) == text


def test_reasons() -> None:
    schema = {
        "type": "object",
        "required": ["a"],
        "properties": {"b": COUNT, "c": {"type": "string", "enum": ["x"], "maxLength": 1}},
    }
    found = {e.path: e.reason for e in check(schema, {"b": "", "c": "yy"})}
    assert found == {
        "a": "FieldValueRequired",
        "b": "FieldValueTypeInvalid",
        "c": "FieldValueTooLong",
    }
