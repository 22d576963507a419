import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcluster.apiserver.errors import BadRequest, Invalid
from devcluster.apiserver.patch import JSON_PATCH, MERGE, STRATEGIC, Patch, json_patch, merge_patch

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab~/", max_size=3)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab~/", max_size=2), inner),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("ab~/", max_size=2), VALUES, max_size=4)


# Source: RFC 7386, appendix A.
@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_of_the_rfc(target: Any, patch: Any, result: Any) -> None:
    assert merge_patch(target, patch) == result


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_changes_neither_side_and_holds_when_repeated(
    target: Any, patch: Any
) -> None:
    before = copy.deepcopy((target, patch))
    once = merge_patch(target, patch)
    assert (target, patch) == before
    assert merge_patch(once, patch) == once


def op(name: str, path: str, **fields: Any) -> dict[str, Any]:
    return {"op": name, "path": path, **fields}


# Source: RFC 6902, appendix A.
@pytest.mark.parametrize(
    ("target", "operations", "result"),
    [
        ({"foo": "bar"}, [op("add", "/baz", value="qux")], {"foo": "bar", "baz": "qux"}),
        ({"foo": ["bar"]}, [op("add", "/foo/0", value="qux")], {"foo": ["qux", "bar"]}),
        ({"foo": ["bar"]}, [op("add", "/foo/1", value="qux")], {"foo": ["bar", "qux"]}),
        ({"foo": ["bar"]}, [op("add", "/foo/-", value=["x"])], {"foo": ["bar", ["x"]]}),
        ({"baz": 1, "foo": 2}, [op("remove", "/baz")], {"foo": 2}),
        ({"foo": [1, 2, 3]}, [op("remove", "/foo/1")], {"foo": [1, 3]}),
        ({"baz": "qux"}, [op("replace", "/baz", value="boo")], {"baz": "boo"}),
        ({"foo": [1, 2]}, [op("replace", "/foo/1", value=3)], {"foo": [1, 3]}),
        ({"foo": [1, 2, 3]}, [op("move", "/foo/2", **{"from": "/foo/0"})], {"foo": [2, 3, 1]}),
        (
            {"foo": {"bar": 1}, "qux": {}},
            [op("move", "/qux/thud", **{"from": "/foo/bar"})],
            {"foo": {}, "qux": {"thud": 1}},
        ),
        ({"a": [1]}, [op("copy", "/b", **{"from": "/a"})], {"a": [1], "b": [1]}),
        ({"a": 1}, [op("test", "/a", value=1.0), op("add", "/b", value=2)], {"a": 1, "b": 2}),
        ({"/": 9, "~1": 10}, [op("test", "/~01", value=10)], {"/": 9, "~1": 10}),
        ({"a": None}, [op("test", "/a", value=None)], {"a": None}),
        ({"a": 1}, [op("replace", "", value={"b": 2})], {"b": 2}),
        ({"": 1}, [op("remove", "/")], {}),
    ],
)
def test_json_patches(target: Any, operations: list[Any], result: Any) -> None:
    assert json_patch(target, operations) == result


@pytest.mark.parametrize(
    "operation",
    [
        op("test", "/a", value=2),
        op("test", "/a", value=True),
        op("test", "/l", value=[True]),
        op("remove", "/b"),
        op("remove", ""),
        op("replace", "/b", value=1),
        op("add", "/b/c", value=1),
        op("add", "/l/2", value=1),
        op("add", "/l/01", value=1),
        op("remove", "/l/-"),
        op("remove", "/l/1"),
        op("add", "/a/b", value=1),
        op("move", "/o/x", **{"from": "/o"}),
        op("remove", "/l/" + "9" * 5000),
    ],
    ids=lambda operation: f"{operation['op']} {operation['path'][:9]}",
)
def test_json_patches_that_do_not_fit_are_422(operation: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        json_patch({"a": 1, "l": [1], "o": {}}, [operation])


@pytest.mark.parametrize(
    "operation",
    [
        1,
        {},
        op("add", "/b"),
        op("add", "b", value=1),
        op("jump", "/b"),
        op("copy", "/b"),
        {"op": []},
    ],
    ids=["no object", "empty", "no value", "no pointer", "no such op", "no from", "op is a list"],
)
def test_malformed_json_patches_are_400(operation: Any) -> None:
    with pytest.raises(BadRequest):
        json_patch({"a": 1}, [operation])


@given(OBJECTS, OBJECTS)
def test_a_json_patch_that_replaces_every_field_gives_the_other_object(old: Any, new: Any) -> None:
    def pointer(key: str) -> str:
        return "/" + key.replace("~", "~0").replace("/", "~1")

    operations = [op("remove", pointer(key)) for key in old]
    operations += [op("add", pointer(key), value=value) for key, value in new.items()]
    operations += [op("test", pointer(key), value=value) for key, value in new.items()]
    assert json_patch(copy.deepcopy(old), operations) == new


@given(OBJECTS, VALUES)
def test_a_value_that_was_added_is_apart_from_the_patch(target: Any, value: Any) -> None:
    operations = [op("add", "/a", value=value)]
    patched = json_patch(target, operations)
    assert json.dumps(patched["a"]) == json.dumps(value)
    assert not isinstance(value, dict | list) or patched["a"] is not value


@pytest.mark.parametrize(
    ("patch", "result"),
    [
        (Patch(MERGE, {"a": {"c": 2}}), {"a": {"b": [1], "c": 2}}),
        (Patch(JSON_PATCH, [op("add", "/a/b/-", value=2)]), {"a": {"b": [1, 2]}}),
        (Patch(STRATEGIC, {"a": {"c": 2}}), {"a": {"b": [1], "c": 2}}),
    ],
    ids=["merge", "json", "strategic"],
)
def test_each_kind_of_patch_leaves_the_object_alone(patch: Patch, result: Any) -> None:
    obj = {"a": {"b": [1]}}
    assert patch.apply("Pod", obj) == result
    assert obj == {"a": {"b": [1]}}


@pytest.mark.parametrize(
    "patch",
    [
        Patch(MERGE, [1]),
        Patch(STRATEGIC, "x"),
        Patch(JSON_PATCH, {"a": 1}),
        Patch(JSON_PATCH, [op("replace", "", value=[])]),
        Patch(JSON_PATCH, [op("test", "/a", value=1)] * 10_001),
    ],
    ids=["merge", "strategic", "json", "a list left", "too long"],
)
def test_bodies_that_are_no_patch_are_400(patch: Patch) -> None:
    with pytest.raises(BadRequest):
        patch.apply("Pod", {"a": 1})
