"""What may be written to the status of a claim with structured parameters."""

from typing import Any

import pytest

from api.objects import JSON
from devcluster.apiserver.errors import Invalid
from devcluster.apiserver.resourceapi import ResourceApi, structured
from devcluster.apiserver.writes import WriteOptions
from tests.support.apiserverrig import Rig, causes
from tests.support.structuredobjects import DRIVER, claim_body, config

TODAY = structured(37)


def result(device: str = "d", driver: str = DRIVER, **fields: Any) -> JSON:
    return {"request": "r", "driver": driver, "pool": "p", "device": device, **fields}


def entry(device: str = "d", driver: str = DRIVER, **fields: Any) -> JSON:
    return {"driver": driver, "pool": "p", "device": device, **fields}


def allocation(*results: JSON, **devices: Any) -> JSON:
    return {"devices": {"results": list(results) or [result()], **devices}}


def consumers(count: int) -> list[JSON]:
    return [{"resource": "pods", "name": f"p{n}", "uid": f"u{n}"} for n in range(count)]


class Claim:
    """A claim whose status is written again and again."""

    def __init__(self, api: ResourceApi = TODAY) -> None:
        self.rig = Rig(api=api)
        self.rig.create("ResourceClaim", claim_body())

    def write(self, **status: Any) -> JSON:
        kind = self.rig.kind("ResourceClaim")
        body = {"metadata": {"name": "c"}, "status": status}
        options = WriteOptions(subresource="status")
        stored = self.rig.store.update(kind, "default", "c", body, options)
        found: JSON = kind.served(stored)["status"]
        return found


SHARE = "2fe2e8b8-5d5a-4f1a-9d9b-0a3b0a3b0a3b"
WRONG_STATUS = {
    "257-consumers": (
        {"allocation": allocation(), "reservedFor": consumers(257)},
        "status.reservedFor: Too many: 257: must have at most 256 items",
    ),
    "not-allocated": (
        {"reservedFor": consumers(1)},
        "status.reservedFor: Forbidden: may not be specified when `allocated` is not set",
    ),
    "33-results": (
        {"allocation": allocation(*(result(f"d{n}") for n in range(33)))},
        "status.allocation.devices.results: Too many: 33: must have at most 32 items",
    ),
    "65-configs": (
        {"allocation": allocation(config=[config(source="FromClass")] * 65)},
        "status.allocation.devices.config: Too many: 65: must have at most 64 items",
    ),
    "source": (
        {"allocation": allocation(config=[config(source="Elsewhere")])},
        'status.allocation.devices.config[0].source: Unsupported value: "Elsewhere"',
    ),
    "result-of-no-request": (
        {"allocation": allocation(result(request="other"))},
        'status.allocation.devices.results[0].request: Invalid value: "other"',
    ),
    "device-not-allocated": (
        {"allocation": allocation(), "devices": [entry("other")]},
        (
            'status.devices[0]: Invalid value: "gpu.example.com/p/other": must be an allocated '
            "device in the claim"
        ),
    ),
    "share-not-repeated": (
        {"allocation": allocation(result(shareID=SHARE)), "devices": [entry()]},
        'status.devices[0]: Invalid value: "gpu.example.com/p/d": must be an allocated device',
    ),
    "device-twice": (
        {"allocation": allocation(), "devices": [entry(), entry()]},
        "status.devices[1]: Duplicate value",
    ),
    "9-conditions": (
        {
            "allocation": allocation(),
            "devices": [
                entry(
                    conditions=[
                        {
                            "type": f"T{n}",
                            "status": "True",
                            "reason": "R",
                            "message": "",
                            "lastTransitionTime": "2026-01-01T00:00:00Z",
                        }
                        for n in range(9)
                    ]
                )
            ],
        },
        "status.devices[0].conditions: Too many: 9: must have at most 8 items",
    ),
    "data": (
        {"allocation": allocation(), "devices": [entry(data={"a": "x" * 10240})]},
        "status.devices[0].data: Too long: may not be more than 10240 bytes",
    ),
    "17-addresses": (
        {
            "allocation": allocation(),
            "devices": [entry(networkData={"ips": [f"10.0.0.{n}/24" for n in range(17)]})],
        },
        "status.devices[0].networkData.ips: Too many: 17: must have at most 16 items",
    ),
    "address-without-prefix": (
        {"allocation": allocation(), "devices": [entry(networkData={"ips": ["10.0.0.1"]})]},
        'status.devices[0].networkData.ips[0]: Invalid value: "10.0.0.1": must be a valid address',
    ),
    "interface-name": (
        {"allocation": allocation(), "devices": [entry(networkData={"interfaceName": "x" * 257})]},
        "status.devices[0].networkData.interfaceName: Too long: may not be more than 256 bytes",
    ),
}


@pytest.mark.parametrize(("status", "said"), WRONG_STATUS.values(), ids=WRONG_STATUS)
def test_refused_status(status: JSON, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        Claim().write(**status)
    found = causes(caught.value)
    assert any(text.startswith(said) for text in found), found


def test_allocation_is_written_once_and_taken_away() -> None:
    claim = Claim()
    claim.write(allocation=allocation())
    with pytest.raises(Invalid, match=r"status\.allocation.*field cannot be modified once set"):
        claim.write(allocation=allocation(result("other")))
    assert claim.write() == {}
    claim.write(allocation=allocation(result("other")))


def test_deallocation_takes_what_drivers_told_along() -> None:
    claim = Claim()
    both = [result(), result("x", "other.example.com")]
    told = [entry(data={"a": 1}), entry("x", "other.example.com")]
    assert claim.write(allocation=allocation(*both), devices=told)["devices"] == told
    assert claim.write(devices=told) == {}


def test_other_drivers_entries_stay() -> None:
    claim = Claim()
    both = [result(), result("x", "other.example.com")]
    foreign = entry("x", "other.example.com", data={"b": 1})
    claim.write(allocation=allocation(*both), devices=[entry(), foreign])
    found = claim.write(allocation=allocation(*both), devices=[entry(data={"a": 2}), foreign])
    assert found["devices"] == [entry(data={"a": 2}), foreign]


def test_deleted_claim_takes_no_new_consumers() -> None:
    claim = Claim()
    kind = claim.rig.kind("ResourceClaim")
    held = {**claim_body(), "metadata": {"name": "c", "finalizers": ["example.com/held"]}}
    claim.rig.store.update(kind, "default", "c", held | {"spec": stored_spec(claim)})
    claim.write(allocation=allocation(), reservedFor=consumers(2))
    claim.rig.delete("ResourceClaim", "c")
    claim.write(allocation=allocation(), reservedFor=consumers(1))
    with pytest.raises(Invalid, match="new entries may not be added"):
        claim.write(allocation=allocation(), reservedFor=consumers(2))


def stored_spec(claim: Claim) -> JSON:
    stored = claim.rig.get("ResourceClaim", "c")
    assert stored is not None
    spec: JSON = stored["spec"]
    return spec


@pytest.mark.parametrize(
    ("api", "status", "stored"),
    [
        (
            structured(33, "v1beta2", off=["DRAResourceClaimDeviceStatus"]),
            {"allocation": allocation(), "devices": [entry()]},
            {"allocation": allocation()},
        ),
        (
            structured(35),
            {"allocation": allocation(result(shareID=SHARE, consumedCapacity={"a": "1"}))},
            {"allocation": allocation()},
        ),
        (
            structured(35),
            {
                "allocation": allocation(
                    result(bindingConditions=["a"], bindingFailureConditions=["b"])
                )
            },
            {"allocation": allocation()},
        ),
    ],
    ids=["device-status", "shares", "binding-conditions"],
)
def test_dropped_fields_of_the_status(api: ResourceApi, status: JSON, stored: JSON) -> None:
    assert Claim(api).write(**status) == stored
