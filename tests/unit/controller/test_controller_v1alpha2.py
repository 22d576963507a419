"""Claims of Kubernetes 1.27 to 1.30, as the port sees them; the rest is in the upstream cases."""

import pytest

from api.claims.versions import read_claim
from api.contract import FAKE
from api.nas import AllocatedDevice
from api.objects import JSON, DeviceID, NodeName
from api.parameters import ClaimParameters
from api.selectors import only_node
from controller.outcome import Topic
from controller.versions.dialect import ClaimRequests, NotOurs, Unusable
from controller.versions.v1alpha2 import V1Alpha2
from tests.support.build import CLASS, allocated, claim, deallocating, resource_class

REF = {"apiGroup": FAKE.driver_name, "kind": "FakeClaimParameters", "name": "p"}
PARAMETERS = {"metadata": {"name": "p", "namespace": "default"}, "spec": {"count": 40, "split": 2}}


class Objects:
    """Finds one object, or none."""

    def __init__(self, obj: JSON | None) -> None:
        self._obj = obj

    def get(self, name: str, namespace: str | None) -> JSON | None:
        return self._obj


def dialect(a_class: JSON | None = None, parameters: JSON | None = None) -> V1Alpha2:
    return V1Alpha2(
        FAKE.driver_name,
        {
            "ResourceClass": Objects(a_class),
            "FakeClaimParameters": Objects(parameters),
            "DeviceClassParameters": Objects(None),
        },
    )


def test_a_claim_has_one_request_of_any_size() -> None:
    reading = dialect(resource_class(), PARAMETERS).read(read_claim(claim(parametersRef=REF)))
    assert isinstance(reading, ClaimRequests)
    (request,) = reading.requests
    assert (request.claim, request.name) == ("uid-claim", "")
    assert request.wanted == ClaimParameters(40, 2)
    assert reading.node_selectors == ()


@pytest.mark.parametrize("selector", [{}, only_node("node-1")], ids=["no-terms", "one-node"])
def test_suitable_nodes_of_the_class_are_told(selector: JSON) -> None:
    reading = dialect(resource_class(suitableNodes=selector)).read(read_claim(claim()))
    assert isinstance(reading, ClaimRequests)
    assert reading.node_selectors == (selector,)


def test_a_claim_of_another_driver_is_ours_when_its_class_changes() -> None:
    reading = dialect(resource_class(driver="other")).read(read_claim(claim()))
    assert reading == NotOurs(frozenset({Topic("class", CLASS)}))


@pytest.mark.parametrize(
    ("a_class", "topics"),
    [
        (None, {Topic("class", CLASS), Topic("FakeClaimParameters", "default/p")}),
        (resource_class(), {Topic("class", CLASS), Topic("FakeClaimParameters", "default/p")}),
    ],
    ids=["no-class", "no-parameters"],
)
def test_a_claim_whose_references_lead_nowhere(a_class: JSON | None, topics: set[Topic]) -> None:
    reading = dialect(a_class).read(read_claim(claim(parametersRef=REF)))
    assert isinstance(reading, Unusable)
    assert reading.topics == topics


def test_an_allocation_names_driver_and_node_and_is_taken_back_whole() -> None:
    wanted = read_claim(claim())
    reading = dialect(resource_class()).read(wanted)
    assert isinstance(reading, ClaimRequests)
    devices = [AllocatedDevice(DeviceID("d"))]
    stored = dialect().allocated(wanted, reading, NodeName("node-1"), devices)
    assert stored == allocated(claim())
    assert dialect().freed(read_claim(deallocating(stored))) == {**claim(), "status": {}}
