"""Claims of Kubernetes 1.31: what is read, what is refused by its field's name, what is written."""

from collections.abc import Iterable

import pytest

from api.claims.versions import read_claim
from api.contract import FAKE
from api.errors import MalformedState
from api.nas import AllocatedDevice
from api.objects import JSON, ClaimUID, DeviceID, NodeName
from api.parameters import ClaimParameters, ClassParameters, DeviceSelector
from controller.decide.allocator import DeviceRequest
from controller.outcome import Topic
from controller.versions.dialect import ClaimRequests, NotOurs, Unusable
from controller.versions.v1alpha3 import V1Alpha3
from tests.support.build import (
    CLASS,
    deallocating,
    device_allocated,
    device_claim,
    device_class,
    device_request,
    opaque,
)

OF_CLAIM = "FakeClaimParameters"
OF_CLASS = "DeviceClassParameters"


UID = ClaimUID("uid-claim")


class Classes:
    """Finds these classes."""

    def __init__(self, classes: Iterable[JSON]) -> None:
        self._classes = {c["metadata"]["name"]: c for c in classes}

    def get(self, name: str, namespace: str | None) -> JSON | None:
        return self._classes.get(name)


def dialect(*classes: JSON) -> V1Alpha3:
    return V1Alpha3(FAKE.driver_name, {"DeviceClass": Classes(classes or [device_class()])})


def requests(claim: JSON, *classes: JSON) -> tuple[DeviceRequest, ...]:
    reading = dialect(*classes).read(read_claim(claim))
    assert isinstance(reading, ClaimRequests), reading
    return reading.requests


@pytest.mark.parametrize(
    ("claim", "wanted"),
    [
        (device_claim(), [("devices", ClaimParameters(1))]),
        (
            device_claim("claim", {"name": "r", "deviceClassName": CLASS}),
            [("r", ClaimParameters())],
        ),
        (
            device_claim("claim", device_request("r", 4)),
            [("r", ClaimParameters(4))],
        ),
        (
            device_claim(
                "claim",
                device_request("r", 4),
                config=[opaque(OF_CLAIM, split=2)],
            ),
            [("r", ClaimParameters(4, 2))],
        ),
        (
            device_claim(config=[opaque(OF_CLAIM, selector={"model": "A*"})]),
            [("devices", ClaimParameters(1, 0, "A*"))],
        ),
        (
            device_claim(
                "claim",
                device_request("a"),
                device_request("b", 2),
                config=[opaque(OF_CLAIM, "b", split=3)],
            ),
            [("a", ClaimParameters(1)), ("b", ClaimParameters(2, 3))],
        ),
        (
            device_claim(config=[opaque(OF_CLAIM, split=3), opaque(OF_CLAIM, split=5)]),
            [("devices", ClaimParameters(1, 5))],
        ),
        (
            device_claim(config=[opaque("Theirs", driver="other.example.com", count=9)]),
            [("devices", ClaimParameters(1))],
        ),
    ],
    ids=[
        "defaults-stored",
        "defaults-absent",
        "count",
        "split",
        "model",
        "two-requests",
        "last-config-counts",
        "config-of-another-driver",
    ],
)
def test_what_a_claim_asks_for(claim: JSON, wanted: list[tuple[str, ClaimParameters]]) -> None:
    found = requests(claim)
    assert [(r.name, r.wanted) for r in found] == wanted
    assert {r.claim for r in found} == {UID}


def test_every_request_has_the_devices_of_its_class() -> None:
    selectors = [{"type": "fake", "name": "A*"}]
    classes = [
        device_class("plain"),
        device_class("picky", config=[opaque(OF_CLASS, deviceSelector=selectors)]),
    ]
    asked = [
        device_request("a", deviceClassName="picky"),
        device_request("b", deviceClassName="plain"),
    ]
    found = requests(device_claim("claim", *asked), *classes)
    assert [r.offered_by_class for r in found] == [
        ClassParameters((DeviceSelector("fake", "A*"),)),
        ClassParameters(),
    ]


def test_suitable_nodes_of_all_classes_are_told() -> None:
    here, there = {"nodeSelectorTerms": []}, {"nodeSelectorTerms": [{}]}
    classes = [device_class("x", suitableNodes=here), device_class("y", suitableNodes=there)]
    asked = [device_request(n, deviceClassName=n) for n in ("x", "y")]
    reading = dialect(*classes).read(read_claim(device_claim("claim", *asked)))
    assert isinstance(reading, ClaimRequests)
    assert reading.node_selectors == (here, there)


@pytest.mark.parametrize("controller", ["", "other.example.com"], ids=["scheduler", "another"])
def test_claims_of_others_are_not_even_looked_at(controller: str) -> None:
    claim = device_claim("claim", controller=controller, constraints=[{"matchAttribute": "x/y"}])
    assert dialect().read(read_claim(claim)) == NotOurs()


CEL = [{"cel": {"expression": "true"}}]
NO_KIND = {"opaque": {"driver": FAKE.driver_name, "parameters": {"split": 2}}}
FLAT = opaque(OF_CLAIM)
FLAT["opaque"]["parameters"]["split"] = 2


@pytest.mark.parametrize(
    ("claim", "reason", "told"),
    [
        (
            device_claim("claim", device_request(selectors=CEL)),
            "UnsupportedField",
            "[devices].sel",
        ),
        (
            device_claim("claim", device_request("r", allocationMode="All", count=0)),
            "UnsupportedField",
            "spec.devices.requests[r].allocationMode All",
        ),
        (
            device_claim("claim", device_request(allocationMode="FirstAvailable")),
            "UnsupportedField",
            "allocationMode FirstAvailable",
        ),
        (
            device_claim("claim", device_request(adminAccess=True)),
            "UnsupportedField",
            "[devices].adminAccess",
        ),
        (
            device_claim(constraints=[{"matchAttribute": "x/y"}]),
            "UnsupportedField",
            "spec.devices.constraints",
        ),
        (device_claim(requests=[]), "UnsupportedField", "no spec.devices.requests"),
        (
            device_claim("claim", device_request("r", 33)),
            "TooManyDevices",
            "33 devices",
        ),
        (
            device_claim(
                "claim",
                device_request("a", 16),
                device_request("b", 17),
            ),
            "TooManyDevices",
            "at most 32",
        ),
        (
            device_claim("claim", device_request("r", deviceClassName="none")),
            "DeviceClassNotFound",
            "DeviceClass none of spec.devices.requests[r] of ResourceClaim default/claim",
        ),
        (
            device_claim(config=[opaque(OF_CLAIM, split=17)]),
            "InvalidParameters",
            "config[0].opaque.parameters of ResourceClaim default/claim is invalid: spec.split: 17",
        ),
        (
            device_claim(config=[opaque(OF_CLAIM, count=1)]),
            "InvalidParameters",
            "spec.count: It has no meaning",
        ),
        (device_claim(config=[FLAT]), "InvalidParameters", "split: Unknown field"),
        (
            device_claim(config=[NO_KIND]),
            "UnknownParametersKind",
            f"{FAKE.driver_name}/v1alpha1 and",
        ),
        (device_claim(config=[opaque(OF_CLASS)]), "UnknownParametersKind", "kind DeviceClassPara"),
    ],
    ids=[
        "selectors",
        "all",
        "unknown-mode",
        "admin-access",
        "constraints",
        "no-requests",
        "33-devices",
        "33-devices-of-two",
        "no-class",
        "bounds",
        "count-in-config",
        "settings-outside-spec",
        "no-kind",
        "kind-of-classes",
    ],
)
def test_bad_claims_are_told_by_field(claim: JSON, reason: str, told: str) -> None:
    reading = dialect().read(read_claim(claim))
    assert isinstance(reading, Unusable)
    assert type(reading.error).__name__ == reason
    assert told in str(reading.error)
    names = {r["deviceClassName"] for r in claim["spec"]["devices"]["requests"]}
    assert reading.topics == {Topic("class", name) for name in names}


@pytest.mark.parametrize(
    ("spec", "reason", "told"),
    [
        ({"selectors": CEL}, "UnsupportedField", "DeviceClass my-class has spec.selectors"),
        (
            {"config": [opaque(OF_CLASS, deviceSelector=[])]},
            "InvalidParameters",
            "in spec.config[0].opaque.parameters of DeviceClass my-class",
        ),
        ({"config": [opaque(OF_CLAIM, split=2)]}, "UnknownParametersKind", "kind FakeClaim"),
    ],
    ids=["selectors", "bounds", "kind-of-claims"],
)
def test_bad_classes_are_told_by_field(spec: JSON, reason: str, told: str) -> None:
    reading = dialect(device_class(**spec)).read(read_claim(device_claim()))
    assert isinstance(reading, Unusable)
    assert type(reading.error).__name__ == reason
    assert told in str(reading.error)


def test_thirty_two_devices_fit() -> None:
    asked = [device_request("a", 16), device_request("b", 16)]
    assert sum(r.wanted.count for r in requests(device_claim("claim", *asked))) == 32


def given(*ids: str) -> tuple[AllocatedDevice, ...]:
    return tuple(AllocatedDevice(DeviceID(i)) for i in ids)


def test_results_are_in_the_order_of_the_requests() -> None:
    claim = read_claim(device_claim("claim", device_request("a", 2), device_request("b")))
    reading = dialect().read(claim)
    assert isinstance(reading, ClaimRequests)
    stored = dialect().allocated(claim, reading, NodeName("node-1"), given("FAKE-A", "X", "y"))
    common = {"driver": FAKE.driver_name, "pool": "node-1"}
    assert stored["status"]["allocation"] == {
        "controller": FAKE.driver_name,
        "nodeSelector": {
            "nodeSelectorTerms": [
                {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]}
            ]
        },
        "devices": {
            "results": [
                {"request": "a", "device": "fake-a", **common},
                {"request": "a", "device": "x", **common},
                {"request": "b", "device": "y", **common},
            ]
        },
    }
    assert set(stored["status"]) == {"allocation"}


@pytest.mark.parametrize("ids", [(), ("x",), ("x", "y", "z")], ids=["none", "fewer", "more"])
def test_a_state_that_somebody_edited_is_not_written_to_the_claim(ids: tuple[str, ...]) -> None:
    claim = read_claim(device_claim("claim", device_request("a", 2)))
    reading = dialect().read(claim)
    assert isinstance(reading, ClaimRequests)
    with pytest.raises(MalformedState, match=r"asks for 2; remove spec.allocatedClaims.uid-claim"):
        dialect().allocated(claim, reading, NodeName("node-1"), given(*ids))


def test_a_freed_claim_keeps_no_trace_of_its_allocation() -> None:
    claim = device_claim()
    freed = dialect().freed(read_claim(deallocating(device_allocated(claim))))
    assert freed == {**claim, "status": {}}
