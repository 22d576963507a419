import copy
from typing import Any

import pytest

from devcluster.apiserver.errors import BadRequest
from devcluster.apiserver.strategicmerge import strategic_merge
from tests.support.tables import cases

A1 = {"name": "a", "image": "1", "env": [{"name": "X", "value": "x"}]}
B1 = {"name": "b", "image": "1"}


def merged(before: Any, patch: Any, kind: str = "Pod") -> Any:
    return strategic_merge(kind, {"spec": before}, {"spec": patch})["spec"]


@cases(
    ("before", "patch", "after"),
    {
        "like merge": ({"a": 1, "b": 2}, {"a": None, "c": 3}, {"b": 2, "c": 3}),
        "entry by its key": (
            {"containers": [A1, B1]},
            {"containers": [{"name": "b", "image": "2"}]},
            {"containers": [A1, {"name": "b", "image": "2"}]},
        ),
        "keyed list in a keyed list": (
            {"containers": [A1]},
            {"containers": [{"name": "a", "env": [{"name": "Y", "value": "y"}]}]},
            {
                "containers": [
                    {**A1, "env": [{"name": "X", "value": "x"}, {"name": "Y", "value": "y"}]}
                ]
            },
        ),
        "deleted entry and new entry": (
            {"containers": [A1, B1]},
            {"containers": [{"name": "a", "$patch": "delete"}, {"name": "c"}]},
            {"containers": [B1, {"name": "c"}]},
        ),
        "replaced list": (
            {"containers": [A1, B1]},
            {"containers": [{"$patch": "replace"}, {"name": "c"}]},
            {"containers": [{"name": "c"}]},
        ),
        "atomic list": (
            {"tolerations": [{"key": "a"}]},
            {"tolerations": [{"key": "b"}]},
            {"tolerations": [{"key": "b"}]},
        ),
        "order is dropped, nulls are not stored": (
            {"containers": [A1]},
            {
                "$setElementOrder/containers": [{"name": "a"}, {"name": "b"}],
                "containers": [{"name": "b", "image": None, "tty": True}],
            },
            {"containers": [A1, {"name": "b", "tty": True}]},
        ),
        "replace": ({"o": {"x": 1, "y": 2}}, {"o": {"$patch": "replace", "z": 3}}, {"o": {"z": 3}}),
        "delete": ({"o": {"x": 1}, "p": 1}, {"o": {"$patch": "delete"}}, {"p": 1}),
        "retain keys": (
            {"o": {"x": 1, "y": 2}},
            {"o": {"$retainKeys": ["y", "z"], "z": 3}},
            {"o": {"y": 2, "z": 3}},
        ),
    },
)
def test_patches_of_a_pod(before: Any, patch: Any, after: Any) -> None:
    arguments = copy.deepcopy((before, patch))
    assert merged(before, patch) == after
    assert (before, patch) == arguments


def test_lists_of_plain_values_are_sets() -> None:
    before = {"metadata": {"finalizers": ["a", "b"]}}
    patch = {"metadata": {"finalizers": ["c", "b"], "$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert strategic_merge("Pod", before, patch) == {"metadata": {"finalizers": ["b", "c"]}}


def test_keys_belong_to_kinds() -> None:
    one, two = {"uid": "1", "name": "x"}, {"uid": "2", "name": "y"}
    both = merged({"reservedFor": [one]}, {"reservedFor": [two]}, "ResourceClaim")
    assert both == {"reservedFor": [one, two]}
    assert merged({"reservedFor": [one]}, {"reservedFor": [two]}, "Pod") == {"reservedFor": [two]}


@cases(
    "patch",
    {
        "no key": {"containers": [{"image": "x"}]},
        "no object": {"containers": ["a"]},
        "directive": {"$patch": "shuffle"},
        "retain": {"$retainKeys": 1},
        "delete from": {"$deleteFromPrimitiveList/finalizers": "a"},
    },
)
def test_what_cannot_be_merged_is_400(patch: Any) -> None:
    with pytest.raises(BadRequest):
        merged({"containers": [A1]}, patch)
