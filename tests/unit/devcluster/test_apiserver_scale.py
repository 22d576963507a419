"""The subresource `scale`, as `kubectl scale` and autoscalers use it."""

from typing import Any

import pytest

from api.objects import JSON
from devcluster.apiserver.patch import JSON_PATCH, MERGE
from tests.support.apiserverweb import Web
from tests.support.tables import cases
from tests.support.workloadrig import replica_set

SETS = "/apis/apps/v1/namespaces/default/replicasets"
SCALE = f"{SETS}/rs/scale"


@pytest.fixture
def web() -> Web:
    made = Web()
    assert made.json("POST", SETS, replica_set())[0] == 201
    return made


def stored(web: Web) -> JSON:
    found: JSON = web.json("GET", f"{SETS}/rs")[1]
    return found


def test_a_scale_tells_numbers_and_selector(web: Web) -> None:
    code, scale = web.json("GET", SCALE)
    meta = stored(web)["metadata"]
    assert code == 200
    assert scale == {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": "rs",
            "namespace": "default",
            "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"],
            "creationTimestamp": meta["creationTimestamp"],
        },
        "spec": {"replicas": 3},
        "status": {"replicas": 0, "selector": "app=a"},
    }


@cases(
    ("how", "body"),
    {
        "merge": (MERGE, {"spec": {"replicas": 5}}),
        "json": (JSON_PATCH, [{"op": "replace", "path": "/spec/replicas", "value": 5}]),
    },
)
def test_a_patch_changes_the_number_alone(web: Web, how: str, body: Any) -> None:
    code, scale = web.json("PATCH", SCALE, body, content_type=how)
    assert (code, scale["spec"]["replicas"]) == (200, 5)
    assert (stored(web)["spec"]["replicas"], stored(web)["metadata"]["generation"]) == (5, 2)


def test_an_update_needs_the_latest_version(web: Web) -> None:
    scale = web.json("GET", SCALE)[1]
    assert web.json("PUT", SCALE, {**scale, "spec": {"replicas": 1}})[0] == 200
    code, status = web.json("PUT", SCALE, {**scale, "spec": {"replicas": 2}})
    assert (code, status["reason"]) == (409, "Conflict")
    assert stored(web)["spec"]["replicas"] == 1


@cases(("replicas", "code"), {"less": (-1, 422), "none": (None, 422), "text": ("many", 400)})
def test_a_number_that_cannot_be(web: Web, replicas: object, code: int) -> None:
    scale = web.json("GET", SCALE)[1]
    assert web.json("PUT", SCALE, {**scale, "spec": {"replicas": replicas}})[0] == code
    assert stored(web)["spec"]["replicas"] == 3


def test_a_dry_run_changes_nothing(web: Web) -> None:
    body = {"spec": {"replicas": 5}}
    answer = web.json("PATCH", f"{SCALE}?dryRun=All", body, content_type=MERGE)
    assert (answer[0], answer[1]["spec"]["replicas"]) == (200, 5)
    assert stored(web)["spec"]["replicas"] == 3


@cases(
    "path",
    {
        "no object": f"{SETS}/none/scale",
        "no such subresource": "/api/v1/namespaces/default/pods/p/scale",
    },
)
def test_what_has_no_scale(web: Web, path: str) -> None:
    assert web.json("GET", path)[0] == 404
