import pytest

from api.claims.v1alpha3 import DeviceClaim, DeviceClass, DeviceConfig, RequestedDevices
from api.contract import FAKE
from api.objects import JSON, DeviceID, device_name
from tests.support.build import device_claim, device_class, device_request, opaque

EMPTY: JSON = {"metadata": {"name": "n", "namespace": "ns"}}


def test_an_empty_claim_asks_for_nothing_of_nobody() -> None:
    view = DeviceClaim(EMPTY)
    assert (view.key, view.controller, view.requests, view.constraints) == ("ns/n", "", (), [])
    assert view.config(FAKE.driver_name) == []


def test_a_claim_is_read() -> None:
    constraint = {"matchAttribute": "x/y"}
    asked = [device_request("a"), device_request("b", 2)]
    view = DeviceClaim(device_claim("claim", *asked, constraints=[constraint]))
    assert view.controller == FAKE.driver_name
    assert [(r.name, r.count) for r in view.requests] == [("a", 1), ("b", 2)]
    assert view.constraints == [constraint]


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ({"name": "r"}, ("r", "", "ExactCount", 1, [], False)),
        (device_request("r", 3), ("r", "my-class", "ExactCount", 3, [], False)),
        (
            device_request("r", 0, allocationMode="All", adminAccess=True, selectors=[{}]),
            ("r", "my-class", "All", 1, [{}], True),
        ),
    ],
    ids=["defaults", "count", "all"],
)
def test_a_request_is_read(raw: JSON, read: tuple[object, ...]) -> None:
    r = RequestedDevices(raw)
    assert (r.name, r.class_name, r.mode, r.count, r.selectors, r.admin_access) == read
    assert r.path == "spec.devices.requests[r]"


@pytest.mark.parametrize("config", [None, [], [{}], [{"requests": ["r"]}]], ids=repr)
def test_a_class_without_parameters(config: object) -> None:
    view = DeviceClass(device_class("c", config=config))
    assert (view.name, view.suitable_nodes, view.selectors) == ("c", None, [])
    assert view.config(FAKE.driver_name) == []


def test_parameters_are_those_of_the_driver_with_their_place_in_the_object() -> None:
    entries = [opaque("K", driver="other"), opaque("K", "r", split=2)]
    parameters = entries[1]["opaque"]["parameters"]
    assert DeviceClaim(device_claim(config=entries)).config(FAKE.driver_name) == [
        DeviceConfig("spec.devices.config[1].opaque.parameters", parameters, frozenset({"r"}))
    ]
    assert [c.path for c in DeviceClass(device_class(config=entries)).config("other")] == [
        "spec.config[0].opaque.parameters"
    ]


@pytest.mark.parametrize(
    ("requests", "applies"), [((), True), (("r",), True), (("a", "b"), False)], ids=str
)
def test_parameters_without_requests_are_for_all(requests: tuple[str, ...], applies: bool) -> None:
    assert DeviceConfig("", {}, frozenset(requests)).applies_to("r") is applies


def test_devices_have_names_that_are_dns_labels() -> None:
    device = DeviceID("FAKE-18DB0E85-99E9-C746-8531-FFEB86328B39")
    assert device_name(device) == "fake-18db0e85-99e9-c746-8531-ffeb86328b39"
    assert len(device_name(device)) < 64
