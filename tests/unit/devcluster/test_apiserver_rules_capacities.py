"""Which capacities of devices the API server refuses, and which policies of their shares."""

from typing import Any

import pytest

from api.objects import JSON
from devcluster.apiserver.resourceapi import structured
from tests.support.apiserverrig import Rig, refusals
from tests.support.structuredobjects import device, slice_body

TODAY = structured(37)
POLICY = "spec.devices[0].capacity[units].requestPolicy"


def policy(value: str = "10", *, shared: bool = True, **fields: Any) -> JSON:
    capacity = {"units": {"value": value, "requestPolicy": fields}}
    return slice_body(device(allowMultipleAllocations=shared, capacity=capacity))


WRONG = {
    "quantity": (
        slice_body(device(capacity={"memory": {"value": "80 GB"}})),
        'spec.devices[0].capacity[memory].value: Invalid value: "80 GB": quantities must match',
    ),
    "policy-without-shares": (
        policy(default="1", shared=False),
        f"{POLICY}: Forbidden: allowMultipleAllocations must be true",
    ),
    "policy-of-both-kinds": (
        policy(default="1", validValues=["1"], validRange={"min": "1"}),
        f"{POLICY}: Forbidden: exactly one policy can be specified",
    ),
    "policy-without-default": (
        policy(validValues=["1"]),
        f"{POLICY}.default: Required value: required when validValues is defined",
    ),
    "values-out-of-order": (
        policy(default="1", validValues=["2", "1"]),
        f'{POLICY}.validValues[1]: Invalid value: "1": values must be sorted in ascending order',
    ),
    "value-above-capacity": (
        policy(default="1", validValues=["1", "11"]),
        f'{POLICY}.validValues[1]: Invalid value: "11": option is larger than capacity value: 10',
    ),
    "default-among-no-values": (
        policy(default="3", validValues=["1", "2"]),
        f'{POLICY}.validValues: Invalid value: "3": default value is not valid',
    ),
    "11-values": (
        policy(default="1", validValues=[str(n) for n in range(1, 12)]),
        f"{POLICY}.validValues: Too many: 11: must have at most 10 items",
    ),
    "range-without-min": (
        policy(default="1", validRange={"max": "2"}),
        "spec.devices[0].capacity.units.requestPolicy.validRange.min: Required value",
    ),
    "default-below-range": (
        policy(default="1", validRange={"min": "2"}),
        f'{POLICY}.validRange.default: Invalid value: "1": default is less than min: 2',
    ),
    "range-above-capacity": (
        policy(default="2", validRange={"min": "2", "max": "12"}),
        f'{POLICY}.validRange.max: Invalid value: "12": max is larger than capacity value: 10',
    ),
    "off-step": (
        policy(default="2", validRange={"min": "1", "step": "2"}),
        (
            f'{POLICY}.validRange.step: Invalid value: "2": value is not a multiple of a given '
            "step (2) from (1)"
        ),
    ),
}


@pytest.mark.parametrize(("body", "said"), WRONG.values(), ids=WRONG)
def test_refused_capacity(body: JSON, said: str) -> None:
    found = refusals("ResourceSlice", body, TODAY)
    assert any(text.startswith(said) for text in found), found


RIGHT = {
    "policy-of-values": policy("4Gi", default="1Gi", validValues=["1Gi", "2048Mi"]),
    "policy-of-a-range": policy("10", default="3", validRange={"min": "1", "max": "9", "step": 2}),
    "default-above-capacity": policy("1", default="2"),
}


@pytest.mark.parametrize("body", RIGHT.values(), ids=RIGHT)
def test_accepted_capacity(body: JSON) -> None:
    assert refusals("ResourceSlice", body, TODAY) == []


def test_capacity_that_stays_is_not_looked_at_again() -> None:
    """A stored capacity may break a rule of today; what is beside it can be changed."""
    rig = Rig(api=TODAY)
    kind = rig.kind("ResourceSlice")
    old = slice_body(device(capacity={"units": {"value": "1", "requestPolicy": {"default": "1"}}}))
    rig.storage.create(kind.resource_id, {**old, "apiVersion": kind.api_version, "kind": kind.kind})
    stored = rig.store.get(kind, "", "s").copy()
    stored["spec"]["devices"][0]["attributes"] = {"a": {"int": 1}}
    changed = rig.store.update(kind, "", "s", stored)
    assert changed["spec"]["devices"][0]["attributes"] == {"a": {"int": 1}}
