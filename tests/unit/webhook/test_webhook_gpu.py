"""The gpu driver of the image: what the webhook of the Go driver says, where that is right."""

from typing import Any

import pytest

from api.contract import FAKE
from api.objects import JSON
from tests.support.reviews import carrier, opaque, request_body, review_body, told
from webhook.admission import read
from webhook.review import review
from webhook.wiring import validators

AT = "spec.devices.config[0].opaque.parameters"
KNOWN = validators(FAKE, [])


def wrong_in(driver: str, parameters: JSON) -> dict[str, str]:
    """Return what is told about parameters of a claim, by their fields."""
    obj = carrier("resourceclaims", opaque(driver, parameters))
    answer = review(read(review_body(request_body("resourceclaims", obj))), KNOWN)
    assert answer["response"]["allowed"] is not bool(told(answer))
    return {field.removeprefix(f"{AT}."): text for field, text in told(answer)}


def gpu_config(**sharing: Any) -> JSON:
    return {
        "apiVersion": "gpu.resource.example.com/v1alpha1",
        "kind": "GpuConfig",
        "sharing": sharing,
    }


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        (gpu_config(strategy="TimeSlicing", timeSlicingConfig={"interval": "Long"}), {}),
        ({k: v for k, v in gpu_config().items() if k != "sharing"}, {}),
        (gpu_config(strategy="TimeSlicing"), {}),
        (gpu_config(strategy="SpacePartitioning"), {}),
        (
            gpu_config(strategy="TimeSlicing", timeSlicingConfig={"interval": "Never"}),
            {"sharing.timeSlicingConfig.interval": "unknown time-slice interval: Never"},
        ),
        (
            gpu_config(strategy="Sometimes"),
            {"sharing.strategy": "unknown GPU sharing strategy: Sometimes"},
        ),
        (
            gpu_config(
                strategy="SpacePartitioning", spacePartitioningConfig={"partitionCount": -1}
            ),
            {"sharing.spacePartitioningConfig.partitionCount": "-1 is less than 0"},
        ),
        (
            gpu_config(strategy="TimeSlicing", timeSlicingConfig={}, spacePartitioningConfig={}),
            {"sharing.spacePartitioningConfig": "does not go with the strategy TimeSlicing"},
        ),
        ({**gpu_config(strategy="TimeSlicing"), "x": 1}, {"x": "Unknown field"}),
        (
            {**gpu_config(strategy="TimeSlicing"), "kind": "Gpu"},
            {"kind": "Gpu is unknown, it must be GpuConfig"},
        ),
    ],
    ids=[
        "right",
        "sharing-missing",
        "time-slicing-without-sub-config",
        "partitioning-without-sub-config",
        "interval",
        "strategy",
        "negative-count",
        "both-sub-configs",
        "unknown-key",
        "unknown-kind",
    ],
)
def test_cases_of_the_go_driver(parameters: JSON, wrong: dict[str, str]) -> None:
    """As its webhook answers, except where that differs from what its plugin takes."""
    found = wrong_in("gpu.example.com", parameters)
    assert list(found) == list(wrong)
    assert [field for field, text in wrong.items() if text not in found[field]] == []


def test_the_profile_of_nics_has_parameters_too() -> None:
    assert "kind" in wrong_in("net.example.com", {"kind": "GpuConfig"})
