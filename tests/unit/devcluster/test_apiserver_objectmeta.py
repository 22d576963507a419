from typing import Any

import pytest

from api.objects import JSON
from devcluster.apiserver.errors import BadRequest
from devcluster.apiserver.objectmeta import (
    SystemFields,
    check_change,
    check_new,
    count_generation,
    identify,
    prepare_change,
    prepare_new,
)
from tests.support.apiserverrig import STARTED, thing_kind
from tests.support.tables import cases

KIND = thing_kind()
SYSTEM_FIELDS = SystemFields("uid-1", STARTED, "abcde")


def meta(**fields: Any) -> JSON:
    return {"metadata": {"name": "a", **fields}}


def test_the_url_fills_in_what_the_body_leaves_out() -> None:
    body: JSON = {}
    identify(KIND, "ns", "a", body)
    assert body == {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": {"namespace": "ns", "name": "a"},
    }


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"apiVersion": "v1"}, "API version in the data"),
        ({"kind": "Pod"}, "kind in the data"),
        ({"metadata": []}, "not an object"),
        ({"metadata": {"namespace": "other"}}, "namespace of the provided object does not match"),
        ({"metadata": {"name": "b"}}, "name of the object"),
    ],
)
def test_a_body_that_contradicts_the_url_is_400(body: JSON, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        identify(KIND, "ns", "a", body)


def test_a_cluster_object_has_no_namespace() -> None:
    body = meta(namespace="ns")
    identify(thing_kind(namespaced=False), "", "", body)
    assert body["metadata"] == {"name": "a"}


def test_a_new_object_gets_what_only_the_server_gives() -> None:
    obj = meta(uid="mine", creationTimestamp="x", deletionTimestamp="x", generation=7, selfLink="x")
    prepare_new(KIND, obj, SYSTEM_FIELDS)
    given = {"uid": "uid-1", "creationTimestamp": STARTED, "generation": 1}
    assert obj["metadata"] == {"name": "a", **given}


def test_a_new_object_was_never_stored() -> None:
    with pytest.raises(BadRequest, match="resourceVersion should not be set"):
        prepare_new(KIND, meta(resourceVersion="1"), SYSTEM_FIELDS)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"generateName": "b-"}, "b-abcde"),
        ({"generateName": "b" * 80}, "b" * 58 + "abcde"),
        ({"name": "c", "generateName": "b-"}, "c"),
    ],
)
def test_names_are_generated_where_there_is_none(fields: JSON, name: str) -> None:
    obj: JSON = {"metadata": fields}
    prepare_new(KIND, obj, SYSTEM_FIELDS)
    assert obj["metadata"]["name"] == name


def test_an_update_cannot_touch_what_the_server_gives() -> None:
    old = meta(uid="u", creationTimestamp="t", generation=3, generateName="a-")
    new = meta(uid="v", generation=9, deletionTimestamp="now", managedFields=[], labels={"l": "1"})
    prepare_change(new, old)
    assert new == meta(
        uid="u", creationTimestamp="t", generation=3, generateName="a-", labels={"l": "1"}
    )


@cases(
    ("change", "generation"),
    {
        "spec": ({"spec": 2}, 5),
        "status": ({"status": 2}, 4),
        "metadata": ({"metadata": {"generation": 4, "labels": {}}}, 4),
        "any other field": ({"extra": 1}, 5),
    },
)
def test_generations_count_changes_of_the_desired_state(change: JSON, generation: int) -> None:
    old: JSON = {"metadata": {"generation": 4}, "spec": 1, "status": 1}
    new: JSON = {"metadata": {"generation": 4}, "spec": 1, "status": 1, **change}
    count_generation(KIND, new, old)
    assert new["metadata"]["generation"] == generation


def test_a_status_without_subresource_is_desired_state() -> None:
    new: JSON = {"metadata": {"generation": 4}, "status": "Ready"}
    count_generation(thing_kind(subresources=()), new, {"metadata": {"generation": 4}})
    assert new["metadata"]["generation"] == 5


OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({}, []),
        ({"name": ""}, ["metadata.name"]),
        ({"name": 5}, ["metadata.name"]),
        ({"name": "A"}, ["metadata.name"]),
        ({"labels": {"a b": "x"}}, ["metadata.labels"]),
        ({"labels": {"a": "x y"}}, ["metadata.labels"]),
        ({"annotations": {"A.b/C": "any thing"}}, []),
        ({"annotations": {"a b": ""}}, ["metadata.annotations"]),
        ({"annotations": {"a": "x" * 300_000}}, ["metadata.annotations"]),
        ({"finalizers": ["ex.com/ok", "b d"]}, ["metadata.finalizers"]),
        ({"ownerReferences": [OWNER, {**OWNER, "uid": "v"}]}, []),
        ({"ownerReferences": [{**OWNER, "uid": ""}]}, ["metadata.ownerReferences[0].uid"]),
        ({"ownerReferences": [{**OWNER, "controller": True}] * 2}, ["metadata.ownerReferences"]),
    ],
)
def test_checks_of_metadata(fields: JSON, paths: list[str]) -> None:
    assert [error.path for error in check_new(KIND, meta(**fields))] == paths


def test_a_missing_name_says_what_to_do() -> None:
    (error,) = check_new(KIND, {"metadata": {}})
    assert str(error) == "metadata.name: Required value: name or generateName is required"


def test_an_object_that_is_going_takes_no_new_finalizers() -> None:
    old = meta(deletionTimestamp=STARTED, finalizers=["ex.com/a", "ex.com/b"])
    assert check_change(meta(finalizers=["ex.com/b"]), old) == []
    (error,) = check_change(meta(finalizers=["ex.com/a", "ex.com/c"]), old)
    assert error.path == "metadata.finalizers"
    assert 'found new finalizers []string{"ex.com/c"}' in error.text
    assert check_change(meta(finalizers=["ex.com/c"]), meta()) == []
