"""The ValidatingWebhookConfiguration that the chart has to make."""

import base64

import kubernetes_validate
import pytest

from tests.support.reviews import KINDS, OF_PARAMETERS
from webhook.configs import CONFIG
from webhook.configuration import configuration, for_drivers, trusted, trusting

MADE = configuration("hook", "svc", "ns", ["a.example.com", "b.example.com"])


@pytest.mark.parametrize("minor", range(31, 38))
def test_is_what_the_api_takes(minor: int) -> None:
    kubernetes_validate.validate(MADE, f"1.{minor}", strict=True)


def test_names_each_resource_once() -> None:
    rules = {w["rules"][0]["resources"][0]: w["rules"][0] for w in MADE["webhooks"]}
    assert list(rules) == list(KINDS)
    assert {resource: rule["operations"] for resource, rule in rules.items()} == {
        "resourceclaims": ["CREATE"],
        "resourceclaimtemplates": ["CREATE"],
        "deviceclasses": ["CREATE", "UPDATE"],
        "fakeclaimparameters": ["CREATE", "UPDATE"],
        "deviceclassparameters": ["CREATE", "UPDATE"],
    }
    for resource in CONFIG:
        assert rules[resource]["apiVersions"] == ["v1", "v1beta2", "v1beta1", "v1alpha3"]
    for resource in OF_PARAMETERS:
        assert rules[resource]["apiVersions"] == ["v1alpha1"]


def test_of_1_27_where_conditions_are_off_only_parameter_objects_are_sent() -> None:
    """Claims of 1.27 are in v1alpha2, and no rule names that."""
    sent = [w for w in MADE["webhooks"] if "v1alpha2" in w["rules"][0]["apiVersions"]]
    assert sent == []


def test_every_webhook_has_what_api_servers_need() -> None:
    for webhook in MADE["webhooks"]:
        assert webhook["sideEffects"] == "None"
        assert webhook["admissionReviewVersions"] == ["v1"]
        assert webhook["timeoutSeconds"] == 5
        assert webhook["failurePolicy"] == "Fail"
        service = webhook["clientConfig"]["service"]
        path = "/validate-resource-claim-parameters"
        assert service == {"name": "svc", "namespace": "ns", "path": path}
    ignoring = configuration("hook", "svc", "ns", ["a"], failure_policy="Ignore")
    assert {w["failurePolicy"] for w in ignoring["webhooks"]} == {"Ignore"}


@pytest.mark.parametrize(
    ("resource", "expression"),
    [
        (
            "resourceclaims",
            (
                "has(object.spec) && has(object.spec.devices) && "
                "has(object.spec.devices.config) && object.spec.devices.config.exists(c, "
                "has(c.opaque) && c.opaque.driver in ['a.example.com', 'b.example.com'])"
            ),
        ),
        (
            "resourceclaimtemplates",
            (
                "has(object.spec) && has(object.spec.spec) && has(object.spec.spec.devices) && "
                "has(object.spec.spec.devices.config) && object.spec.spec.devices.config.exists(c, "
                "has(c.opaque) && c.opaque.driver in ['a.example.com', 'b.example.com'])"
            ),
        ),
        (
            "deviceclasses",
            (
                "has(object.spec) && has(object.spec.config) && object.spec.config.exists(c, "
                "has(c.opaque) && c.opaque.driver in ['a.example.com', 'b.example.com'])"
            ),
        ),
    ],
    ids=list(CONFIG),
)
def test_claims_of_other_drivers_never_wait(resource: str, expression: str) -> None:
    [webhook] = [w for w in MADE["webhooks"] if w["name"].startswith(f"{resource}.")]
    assert webhook["matchConditions"] == [{"name": "own-drivers", "expression": expression}]
    assert for_drivers(resource, ["a.example.com", "b.example.com"]) == expression


def test_authorities_are_those_of_all_webhooks() -> None:
    assert trusted(MADE) == ""
    changed = trusting(MADE, "PEM")
    assert trusted(changed) == "PEM"
    changed["webhooks"][1]["clientConfig"]["caBundle"] = base64.b64encode(b"other").decode()
    assert trusted(changed) == ""
    given = configuration("hook", "svc", "ns", ["a"], authorities="PEM")
    assert trusted(given) == "PEM"
