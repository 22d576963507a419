"""Which claims, templates and classes with structured parameters the API server refuses."""

from typing import Any

import pytest

from api.objects import JSON
from devcluster.apiserver.resourceapi import ResourceApi, structured
from tests.support.apiserverrig import Rig, refusals
from tests.support.structuredobjects import DRIVER, EXACT, claim_body, config, request

TODAY = structured(37)


def exactly(**fields: Any) -> JSON:
    return request(exactly={**EXACT, **fields})


def refused(kind: str, body: JSON, api: ResourceApi = TODAY) -> list[str]:
    return refusals(kind, body, api)


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
        claim_body(request(exactly=EXACT, firstAvailable=[{"name": "s", **EXACT}])),
        "requests[0]: Invalid value: null: exactly one of `exactly` or `firstAvailable`",
    ),
    "9-alternatives": (
        claim_body(request(firstAvailable=[{"name": f"s{n}", **EXACT} for n in range(9)])),
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
        request(firstAvailable=[{"name": "s", **EXACT}]), config=[config(requests=["r/s", "r"])]
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
    body = claim_body(request(firstAvailable=[{"name": "s", **EXACT}]))
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
