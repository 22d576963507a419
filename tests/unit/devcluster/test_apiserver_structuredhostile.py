"""Damaged objects with structured parameters: each is stored or refused, and can be shown."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.claims.versions import STRUCTURED
from api.objects import JSON
from devcluster.apiserver.resourceapi import structured
from tests.support.apiserverweb import Web
from tests.support.mutation import mutated
from tests.support.structuredobjects import EXACT, claim_body, config, device, request, slice_body

API = structured(37, *STRUCTURED, on=["DRAListTypeAttributes"])
VALUE = {"value": "1"}
SHARED = device(
    allowMultipleAllocations=True,
    capacity={"a": {**VALUE, "requestPolicy": {"default": "1", "validRange": {"min": "1"}}}},
)
TAINTED = device(
    "b",
    attributes={"a": {"version": "1.0.0"}, "b": {"ints": [1]}},
    taints=[{"key": "a", "effect": "None"}],
    consumesCounters=[{"counterSet": "c", "counters": {"d": VALUE}}],
    bindingConditions=["a"],
    bindingFailureConditions=["b"],
)
CLAIM = claim_body(
    request(),
    request("s", firstAvailable=[{"name": "t", **EXACT, "tolerations": [{"key": "a"}]}]),
    constraints=[{"matchAttribute": "a/b"}],
    config=[config({"a": 1}, requests=["r"])],
)
SLICES = "resourceslices"
CLAIMS = "namespaces/default/resourceclaims"
CASES = {
    "devices": (SLICES, slice_body(SHARED, TAINTED)),
    "basic": (SLICES, slice_body({"name": "d", "basic": {"attributes": {"a": {"int": 1}}}})),
    "counters": (SLICES, slice_body(sharedCounters=[{"name": "c", "counters": {"d": VALUE}}])),
    "claim": (CLAIMS, CLAIM),
    "template": ("namespaces/default/resourceclaimtemplates", CLAIM | {"spec": CLAIM}),
    "class": ("deviceclasses", {"metadata": {"name": "c"}, "spec": {"config": [config()]}}),
}


@pytest.fixture(scope="module")
def web() -> Web:
    return Web(api=API)


def roots(version: str, plural: str) -> str:
    return f"/apis/resource.k8s.io/{version}/{plural}"


def ask(web: Web, method: str, path: str, body: Any) -> int:
    code, answer = web.json(method, path, body)
    assert code in (200, 201, 400, 404, 409, 422), answer
    return code


@pytest.mark.parametrize(("plural", "body"), CASES.values(), ids=CASES)
@given(seed=st.integers(0, 2**32), version=st.sampled_from(STRUCTURED))
def test_damaged_objects(web: Web, plural: str, body: JSON, seed: int, version: str) -> None:
    chance = Random(seed)
    damaged = {**body, "spec": mutated(chance, {"spec": body["spec"]}).get("spec")}
    path = f"{roots(version, plural)}/{body['metadata']['name']}"
    ask(web, "POST", roots(version, plural), damaged)
    ask(web, "PUT", path, body)
    ask(web, "PUT", path, damaged)
    for each in STRUCTURED:
        assert json.loads(web.call("GET", roots(each, plural)).data)["kind"].endswith("List")
    ask(web, "DELETE", path, None)


RESULT = {"request": "r", "driver": "gpu.example.com", "pool": "p", "device": "d"}
STATUS = {
    "allocation": {
        "devices": {"results": [RESULT], "config": [{"source": "FromClaim", **config()}]}
    },
    "devices": [
        {
            **{key: RESULT[key] for key in ("driver", "pool", "device")},
            "data": {"a": 1},
            "networkData": {"ips": ["10.0.0.1/24"]},
        }
    ],
    "reservedFor": [{"resource": "pods", "name": "p", "uid": "u"}],
}


@given(seed=st.integers(0, 2**32))
def test_damaged_status(web: Web, seed: int) -> None:
    path = f"{roots('v1', CLAIMS)}/c"
    ask(web, "POST", roots("v1", CLAIMS), CLAIM)
    damaged = mutated(Random(seed), {"status": STATUS}).get("status")
    for status in (damaged, STATUS, damaged):
        ask(web, "PUT", f"{path}/status", {"metadata": {"name": "c"}, "status": status})
    assert ask(web, "GET", f"{roots('v1beta1', CLAIMS)}/c", None) == 200
    ask(web, "DELETE", path, None)
