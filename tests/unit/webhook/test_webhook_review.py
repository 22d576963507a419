"""What is allowed, what is denied, and by which words."""

from typing import Any

import pytest

from api.contract import FAKE
from api.names import CRD_VERSION, PARAMETERS_GROUP
from api.objects import JSON
from tests.support.gpulike import GpuLike
from tests.support.reviews import (
    KINDS,
    OF_PARAMETERS,
    carrier,
    opaque,
    request_body,
    review_body,
    told,
)
from webhook.admission import read
from webhook.configs import CONFIG
from webhook.review import VERSIONS, review
from webhook.wiring import validators

GPU = GpuLike.contract.driver_name
OURS = FAKE.driver_name
GROUP_VERSION = f"{PARAMETERS_GROUP}/{CRD_VERSION}"
KNOWN = validators(FAKE, ["tests.support.gpulike:GpuLike"])
AT = "spec.devices.config[0].opaque.parameters"
ENTRY = "spec.devices.config[{}].opaque.parameters"
STRUCTURED = [version for version in VERSIONS if version != "v1alpha3"]


def ask(resource: str, obj: JSON | None, **request: Any) -> JSON:
    return review(read(review_body(request_body(resource, obj, **request))), KNOWN)


def config(**sharing: Any) -> JSON:
    return {"kind": "GpuConfig", "sharing": sharing}


def classic(kind: str, **spec: Any) -> JSON:
    return {"apiVersion": GROUP_VERSION, "kind": kind, "spec": spec}


def allowed(answer: JSON) -> bool:
    assert answer["response"]["uid"] == "705ab4f5"
    return bool(answer["response"]["allowed"])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("resource", CONFIG)
def test_valid_parameters_pass_in_every_version(resource: str, version: str) -> None:
    obj = carrier(resource, opaque(GPU, config(strategy="TimeSlicing")))
    assert ask(resource, obj, version=version) == {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": "705ab4f5", "allowed": True},
    }


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("resource", "path"), CONFIG.items())
def test_wrong_parameters_are_denied_by_their_field(resource: str, path: str, version: str) -> None:
    obj = carrier(resource, opaque(GPU, config(strategy="Never")))
    answer = ask(resource, obj, version=version)
    field = f"{path}[0].opaque.parameters.sharing.strategy"
    text = "Must be one of: TimeSlicing, Space."
    kind = KINDS[resource]
    assert answer["response"] == {
        "uid": "705ab4f5",
        "allowed": False,
        "status": {
            "status": "Failure",
            "code": 422,
            "reason": "Invalid",
            "message": f'{kind}.resource.k8s.io "c" is invalid: {field}: {text}',
            "details": {
                "name": "c",
                "group": "resource.k8s.io",
                "kind": kind,
                "causes": [{"reason": "FieldValueInvalid", "field": field, "message": text}],
            },
        },
    }


@pytest.mark.parametrize(
    ("configs", "fields"),
    [
        ([{}], []),
        ([{"requests": ["a"]}], []),
        ([opaque("other.example.com", {"kind": 7})], []),
        ([opaque("silent.example.com", {"kind": 7})], []),
        ([opaque(GPU, {"kind": "GpuConfig"})], []),
        ([opaque(GPU, {"kind": "Gpu"})], [f"{AT}.kind"]),
        ([opaque(GPU, {})], [f"{AT}.kind"]),
        ([opaque(GPU, None)], [f"{AT}.kind"]),
        ([opaque(GPU, [1])], [AT]),
        ([opaque(GPU, "text")], [AT]),
        ([opaque(GPU, {"kind": "GpuConfig", "shraing": {}})], [f"{AT}.shraing"]),
        ([opaque(GPU, config())], [f"{AT}.sharing.strategy"]),
        (
            [opaque(GPU, config(strategy="Space", weights=[1, "x"]))],
            [f"{AT}.sharing.weights[1]"],
        ),
        ([opaque(GPU, {"kind": "Fault"})], [AT]),
        (
            [opaque(GPU, {}), opaque("other.example.com", {}), opaque(GPU, config(strategy=1))],
            [f"{AT}.kind", f"{ENTRY.format(2)}.sharing.strategy"],
        ),
    ],
    ids=[
        "no-opaque",
        "only-requests",
        "other-driver",
        "driver-without-parameters",
        "sharing-missing",
        "unknown-kind",
        "no-kind",
        "null",
        "list",
        "text",
        "unknown-key",
        "strategy-missing",
        "index-of-a-list",
        "validator-fails",
        "several",
    ],
)
def test_each_entry_is_judged_by_its_driver(configs: list[JSON], fields: list[str]) -> None:
    answer = ask("resourceclaims", carrier("resourceclaims", *configs))
    assert [field for field, _ in told(answer)] == fields
    assert allowed(answer) is not bool(fields)


def test_several_problems_are_in_one_message() -> None:
    obj = carrier("resourceclaims", opaque(GPU, {}), opaque(GPU, {"kind": "x"}))
    message = ask("resourceclaims", obj)["response"]["status"]["message"]
    assert message == (
        f'ResourceClaim.resource.k8s.io "c" is invalid: [{ENTRY.format(0)}.kind: Missing data for '
        f"required field., {ENTRY.format(1)}.kind: Must be equal to GpuConfig.]"
    )


def test_a_key_that_is_given_twice_is_denied() -> None:
    obj = carrier("resourceclaims", opaque(GPU, config(strategy="Space")))
    body = review_body(request_body("resourceclaims", obj))
    doubled = body.replace(b'"strategy": "Space"', b'"strategy": "x", "strategy": "Space"')
    assert doubled != body
    answer = review(read(doubled), KNOWN)
    assert told(answer) == [(f"{AT}.sharing.strategy", "It is given more than once.")]


def test_a_key_that_another_driver_has_twice_is_none_of_our_business() -> None:
    obj = carrier("resourceclaims", opaque("other.example.com", {"a": 1}))
    body = review_body(request_body("resourceclaims", obj)).replace(b'"a": 1', b'"a": 1, "a": 2')
    assert allowed(review(read(body), KNOWN))


@pytest.mark.parametrize("version", STRUCTURED)
@pytest.mark.parametrize("resource", CONFIG)
@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (
            classic("FakeClaimParameters", count=2, split=4),
            ["requests[].exactly.count", "split.fake.3-shake.com"],
        ),
        (classic("DeviceClassParameters"), ["spec.selectors"]),
        ({"anything": 1}, ["takes no parameters"]),
        ({"kind": ["x"]}, ["takes no parameters"]),
    ],
    ids=["of-claims", "of-classes", "anything", "kind-of-a-list"],
)
def test_the_structured_fake_driver_says_what_to_write_instead(
    resource: str, version: str, parameters: JSON, words: list[str]
) -> None:
    answer = ask(resource, carrier(resource, opaque(OURS, parameters)), version=version)
    [(field, text)] = told(answer)
    assert field.startswith(f"{CONFIG[resource]}[0].opaque.parameters")
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize(
    ("resource", "parameters", "fields"),
    [
        ("resourceclaims", classic("FakeClaimParameters", split=4), []),
        ("resourceclaimtemplates", classic("FakeClaimParameters", selector={"model": "x"}), []),
        ("deviceclasses", classic("DeviceClassParameters"), []),
        ("resourceclaims", classic("FakeClaimParameters", split=17), ["spec.split"]),
        (
            "resourceclaims",
            {**classic("FakeClaimParameters", count=1, split="x"), "split": 1},
            ["split", "spec.count", "spec.split"],
        ),
        ("resourceclaims", classic("DeviceClassParameters"), [""]),
        ("deviceclasses", classic("FakeClaimParameters"), [""]),
        (
            "deviceclasses",
            classic("DeviceClassParameters", deviceSelector=[{"type": "gpu", "name": ""}]),
            ["spec.deviceSelector[0].type", "spec.deviceSelector[0].name"],
        ),
        ("resourceclaims", {}, [""]),
    ],
    ids=[
        "claim",
        "template",
        "class",
        "bounds",
        "all-at-once",
        "of-classes-in-a-claim",
        "of-claims-in-a-class",
        "selector",
        "empty",
    ],
)
def test_classic_parameters_in_1_31(resource: str, parameters: JSON, fields: list[str]) -> None:
    answer = ask(resource, carrier(resource, opaque(OURS, parameters)), version="v1alpha3")
    at = f"{CONFIG[resource]}[0].opaque.parameters"
    assert [field for field, _ in told(answer)] == [
        f"{at}.{field}" if field else at for field in fields
    ]


@pytest.mark.parametrize("operation", ["CREATE", "UPDATE"])
@pytest.mark.parametrize(
    ("resource", "spec", "fields"),
    [
        ("fakeclaimparameters", {"count": 2, "split": 4}, []),
        ("fakeclaimparameters", {"count": 0, "split": 17}, ["spec.count", "spec.split"]),
        ("fakeclaimparameters", {"mdoel": "x"}, ["spec.mdoel"]),
        ("deviceclassparameters", {"deviceSelector": [{"type": "fake", "name": "*"}]}, []),
        ("deviceclassparameters", {"deviceSelector": []}, ["spec.deviceSelector"]),
    ],
    ids=["claim", "claim-bounds", "claim-typo", "class", "class-empty"],
)
def test_parameter_objects(operation: str, resource: str, spec: JSON, fields: list[str]) -> None:
    obj = {"metadata": {"name": "c"}, "spec": spec}
    old = {"metadata": {"name": "c"}, "spec": {"other": 1}}
    answer = ask(resource, obj, operation=operation, oldObject=old)
    assert [field for field, _ in told(answer)] == fields


@pytest.mark.parametrize("resource", [*CONFIG, *OF_PARAMETERS])
def test_who_leaves_the_spec_as_it_is_may_do_so(resource: str) -> None:
    """An object that was stored before must be able to lose its finalizer."""
    wrong = carrier(resource, opaque(GPU, {})) if resource in CONFIG else {"spec": {"count": 0}}
    kept = {**wrong, "metadata": {"name": "c", "finalizers": []}}
    assert not allowed(ask("deviceclasses", carrier("deviceclasses", opaque(GPU, {}))))
    assert allowed(ask(resource, kept, operation="UPDATE", oldObject=wrong))


@pytest.mark.parametrize("operation", ["DELETE", "CONNECT"])
def test_what_writes_nothing_passes(operation: str) -> None:
    assert allowed(ask("resourceclaims", None, operation=operation))


@pytest.mark.parametrize(
    ("resource", "request_fields"),
    [
        ("resourceslices", {}),
        ("resourceclaims", {"version": "v1alpha2"}),
        ("resourceclaims", {"subResource": "status"}),
        ("pods", {}),
    ],
    ids=["slices", "version", "subresource", "pods"],
)
def test_other_resources_are_denied(resource: str, request_fields: JSON) -> None:
    response = ask(resource, carrier("resourceclaims"), **request_fields)["response"]
    assert not response["allowed"]
    assert (response["status"]["code"], response["status"]["reason"]) == (400, "BadRequest")
    assert "ValidatingWebhookConfiguration" in response["status"]["message"]


def test_the_driver_has_the_name_that_was_set() -> None:
    renamed = validators(FAKE.renamed("a.example.org"), [])
    for name, passes in (("a.example.org", False), (OURS, True)):
        obj = carrier("resourceclaims", opaque(name, {"x": 1}))
        asked = read(review_body(request_body("resourceclaims", obj)))
        assert allowed(review(asked, renamed)) is passes


def test_a_name_that_is_generated_is_told_by_its_beginning() -> None:
    obj = carrier("resourceclaims", opaque(GPU, {}))
    obj["metadata"] = {"generateName": "pod-gpu-"}
    answer = ask("resourceclaims", obj, name="")
    assert 'ResourceClaim.resource.k8s.io "pod-gpu-" is' in answer["response"]["status"]["message"]
