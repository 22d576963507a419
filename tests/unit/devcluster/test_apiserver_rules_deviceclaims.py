"""Which claims, templates and classes with structured parameters are refused, and their status."""

from typing import Any

import pytest

from api.objects import JSON
from devcluster.apiserver.errors import Invalid
from devcluster.apiserver.resourceapi import ResourceApi, structured
from tests.support.apiserverrig import Rig

TODAY = structured(37)
DRIVER = "gpu.example.com"
WISH: JSON = {"deviceClassName": "gpu"}


def request(name: str = "r", **fields: Any) -> JSON:
    return {"name": name, **(fields or {"exactly": WISH})}


def exactly(**fields: Any) -> JSON:
    return request(exactly={**WISH, **fields})


def config(parameters: Any = None, **fields: Any) -> JSON:
    given = {} if parameters is None else parameters
    return {"opaque": {"driver": DRIVER, "parameters": given}, **fields}


def claim_body(*requests: JSON, **devices: Any) -> JSON:
    asked = list(requests) or [request()]
    return {"metadata": {"name": "c"}, "spec": {"devices": {"requests": asked, **devices}}}


def causes(error: Invalid) -> list[str]:
    listed: list[JSON] = (error.details or {})["causes"]
    return [f"{cause['field']}: {cause['message']}" for cause in listed]


def refused(kind: str, body: JSON, api: ResourceApi = TODAY) -> list[str]:
    try:
        Rig(api=api).create(kind, body)
    except Invalid as error:
        return causes(error)
    return []


TAINTED = {"key": "a", "operator": "Exists"}
WRONG = {
    "33-requests": (
        claim_body(*(request(f"r{n}") for n in range(33))),
        "requests: Too many: 33: must have at most 32 items",
    ),
    "same-name": (claim_body(request(), request()), 'requests[1]: Duplicate value: "r"'),
    "request-name": (claim_body(request("R")), 'requests[0].name: Invalid value: "R"'),
    "neither": (
        claim_body({"name": "r"}),
        "requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required",
    ),
    "both": (
        claim_body(request(exactly=WISH, firstAvailable=[{"name": "s", **WISH}])),
        "requests[0]: Invalid value: null: exactly one of `exactly` or `firstAvailable`",
    ),
    "9-alternatives": (
        claim_body(request(firstAvailable=[{"name": f"s{n}", **WISH} for n in range(9)])),
        "requests[0].firstAvailable: Too many: 9: must have at most 8 items",
    ),
    "no-class": (
        claim_body(exactly(deviceClassName="")),
        "requests[0].exactly.deviceClassName: Required value",
    ),
    "mode": (
        claim_body(exactly(allocationMode="Some")),
        'requests[0].exactly.allocationMode: Unsupported value: "Some"',
    ),
    "all-with-count": (
        claim_body(exactly(allocationMode="All", count=2)),
        (
            "requests[0].exactly.count: Invalid value: 2: must not be specified when "
            "allocationMode is 'All'"
        ),
    ),
    "negative-count": (
        claim_body(exactly(count=-1)),
        "requests[0].exactly.count: Invalid value: -1: must be greater than zero",
    ),
    "33-selectors": (
        claim_body(exactly(selectors=[{"cel": {"expression": "true"}}] * 33)),
        "requests[0].exactly.selectors: Too many: 33: must have at most 32 items",
    ),
    "long-expression": (
        claim_body(exactly(selectors=[{"cel": {"expression": "x" * 10241}}])),
        "requests[0].exactly.selectors[0].cel.expression: Too long: may not be more than 10240",
    ),
    "17-tolerations": (
        claim_body(exactly(tolerations=[TAINTED] * 17)),
        "requests[0].exactly.tolerations: Too many: 17: must have at most 16 items",
    ),
    "value-that-exists": (
        claim_body(exactly(tolerations=[{**TAINTED, "value": "x"}])),
        'requests[0].exactly.tolerations[0].value: Invalid value: "x": must be empty',
    ),
    "33-constraints": (
        claim_body(constraints=[{"matchAttribute": f"{DRIVER}/a"}] * 33),
        "constraints: Too many: 33: must have at most 32 items",
    ),
    "bare-attribute": (
        claim_body(constraints=[{"matchAttribute": "a"}]),
        'constraints[0].matchAttribute: Invalid value: "a": a fully qualified name must be',
    ),
    "empty-constraint": (
        claim_body(constraints=[{}]),
        "constraints[0]: Required value: exactly one of",
    ),
    "33-configs": (
        claim_body(config=[config()] * 33),
        "config: Too many: 33: must have at most 32 items",
    ),
    "unknown-request": (
        claim_body(config=[config(requests=["other"])]),
        'config[0].requests[0]: Invalid value: "other": must be the name of a request in the claim',
    ),
    "long-parameters": (
        claim_body(config=[config({"a": "x" * 10240})]),
        "config[0].opaque.parameters: Too long: may not be more than 10240 bytes",
    ),
    "parameters-no-object": (
        claim_body(config=[config([1])]),
        'config[0].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON',
    ),
    "config-of-nobody": (claim_body(config=[{}]), "config[0].opaque: Required value"),
}


@pytest.mark.parametrize(("body", "said"), WRONG.values(), ids=WRONG)
def test_refused_claim(body: JSON, said: str) -> None:
    found = refused("ResourceClaim", body)
    assert any(text.startswith(f"spec.devices.{said}") for text in found), found


@pytest.mark.parametrize(("body", "said"), WRONG.values(), ids=WRONG)
def test_refused_template(body: JSON, said: str) -> None:
    found = refused("ResourceClaimTemplate", {**body, "spec": {"spec": body["spec"]}})
    assert any(text.startswith(f"spec.spec.devices.{said}") for text in found), found


RIGHT = {
    "32-requests": claim_body(*(request(f"r{n}") for n in range(32))),
    "no-requests": {"metadata": {"name": "c"}},
    "choice-of-a-request": claim_body(
        request(firstAvailable=[{"name": "s", **WISH}]), config=[config(requests=["r/s", "r"])]
    ),
    "10-KiB": claim_body(config=[config({"a": "x" * (10240 - 8)})]),
}


@pytest.mark.parametrize("body", RIGHT.values(), ids=RIGHT)
def test_accepted_claim(body: JSON) -> None:
    assert refused("ResourceClaim", body) == []


def test_defaults() -> None:
    made = Rig(api=TODAY).create("ResourceClaim", claim_body(exactly(tolerations=[{"key": "a"}])))
    assert made["spec"]["devices"]["requests"][0]["exactly"] == {
        "deviceClassName": "gpu",
        "allocationMode": "ExactCount",
        "count": 1,
        "tolerations": [{"key": "a", "operator": "Equal"}],
    }


def test_request_of_a_gate_that_is_off_is_refused_as_empty() -> None:
    body = claim_body(request(firstAvailable=[{"name": "s", **WISH}]))
    found = refused("ResourceClaim", body, structured(33, off=["DRAPrioritizedList"]))
    assert found == [f"spec.devices.{WRONG['neither'][1]}"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"config": [config([1])]}, "spec.config[0].opaque.parameters: Invalid value"),
        ({"selectors": [{}]}, "spec.selectors[0].cel: Required value"),
        ({"extendedResourceName": "gpu"}, 'spec.extendedResourceName: Invalid value: "gpu"'),
    ],
    ids=["config", "selector", "extended-resource"],
)
def test_refused_class(spec: JSON, said: str) -> None:
    found = refused("DeviceClass", {"metadata": {"name": "gpu"}, "spec": spec})
    assert [text.startswith(said) for text in found] == [True]


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
        stored = self.rig.store.update(kind, "default", "c", body, subresource="status")
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
        {
            "allocation": allocation(),
            "devices": [entry(networkData={"interfaceName": "x" * 257})],
        },
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
