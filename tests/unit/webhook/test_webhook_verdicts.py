"""Nothing passes the webhook and fails on the node: both ask the same code."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.contract import FAKE
from api.objects import JSON
from tests.support.driverrig import DriverRig
from tests.support.fakedriver import short_directory
from tests.support.gpulike import GpuLike
from tests.support.reviews import carrier, opaque, request_body, review_body
from webhook.admission import read
from webhook.review import review
from webhook.wiring import validators

GPU = GpuLike.contract.driver_name
KNOWN = validators(FAKE, ["tests.support.gpulike:GpuLike"])

SHARING = st.fixed_dictionaries(
    {},
    optional={
        "strategy": st.sampled_from(["TimeSlicing", "Space", "Never", 1, None]),
        "weights": st.lists(st.integers() | st.text(max_size=2), max_size=2),
        "other": st.none(),
    },
)
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["GpuConfig"] * 4 + ["Fault", "Other", None]),
        "sharing": SHARING | st.none() | st.text(max_size=2),
    },
)


def passes(parameters: JSON) -> bool:
    obj = carrier("resourceclaims", opaque(GPU, parameters))
    answer = review(read(review_body(request_body("resourceclaims", obj))), KNOWN)
    return bool(answer["response"]["allowed"])


def prepares(rig: DriverRig, name: str, parameters: JSON) -> bool:
    config = [{"source": "FromClaim", **opaque(GPU, parameters)}]
    ref = rig.claim(name, driver=GPU, config=config)
    ok = rig.prepare(ref)[name].error == ""
    rig.unprepare(ref)
    return ok


@pytest.fixture(scope="module")
def rig() -> Iterator[DriverRig]:
    with short_directory() as root, DriverRig(root, GpuLike()) as rig:
        yield rig


@pytest.mark.parametrize(
    ("parameters", "right"),
    [
        ({"kind": "GpuConfig", "sharing": {"strategy": "Space", "weights": [1]}}, True),
        ({"kind": "GpuConfig"}, True),
        ({"kind": "GpuConfig", "sharing": {}}, False),
        ({"kind": "Fault"}, False),
        ({}, False),
    ],
    ids=["right", "nothing-to-share", "no-strategy", "fails", "empty"],
)
def test_webhook_and_node_agree(rig: DriverRig, parameters: JSON, right: bool) -> None:
    assert (passes(parameters), prepares(rig, "one", parameters)) == (right, right)


@settings(max_examples=60)
@given(PARAMETERS)
def test_webhook_and_node_agree_on_anything(rig: DriverRig, parameters: JSON) -> None:
    assert passes(parameters) is prepares(rig, "any", parameters)
