from typing import Any

import pytest

from api.claims import Claim
from api.contract import FAKE
from api.objects import JSON, ClaimUID
from api.resources import DRA_V1ALPHA2, DRA_V1ALPHA3, Resource
from api.selectors import only_node
from dra.claims import ClaimReader, ClaimRef, DeviceResult, from_v1alpha2, from_v1alpha3, verify
from dra.errors import (
    ClaimNotFound,
    ClaimUidMismatch,
    InvalidClaimName,
    NotAllocated,
    NotAllocatedHere,
    UnsupportedServer,
)
from kube.errors import ConnectFailed
from tests.support.build import allocated, claim
from tests.support.memoryapi import MemoryApi
from tests.support.pluginrig import NODE

REF = ClaimRef("default", "claim", ClaimUID("uid-claim"))
DRIVER = "fake.resource.3-shake.com"


def api(*versions: str) -> MemoryApi:
    return MemoryApi(*versions)


def new_claim(*results: JSON, controller: str = DRIVER) -> JSON:
    allocation = {
        "controller": controller,
        "nodeSelector": only_node(NODE),
        "devices": {"results": list(results)},
    }
    return {**claim(), "status": {"allocation": allocation}}


def test_claim_of_1_30() -> None:
    found = from_v1alpha2(Claim(allocated(claim())), FAKE.driver_name)
    assert (found.uid, found.label, found.driver) == ("uid-claim", "claim", DRIVER)
    verify(found, REF, NODE, FAKE.driver_name)


def test_claim_of_1_31() -> None:
    ours = {"request": "r", "driver": DRIVER, "pool": "p", "device": "d"}
    found = from_v1alpha3(Claim(new_claim(ours, {**ours, "driver": "other"})), FAKE.driver_name)
    assert found.results == (DeviceResult("r", "p", "d"),)
    verify(found, REF, NODE, FAKE.driver_name)


def test_label_is_what_the_pod_calls_the_claim() -> None:
    raw = allocated(claim("pod-gpu-x7k2p"))
    raw["metadata"]["annotations"] = {"resource.kubernetes.io/pod-claim-name": "gpu"}
    assert (
        from_v1alpha2(Claim(raw), FAKE.driver_name).label
        == from_v1alpha3(Claim(raw), FAKE.driver_name).label
        == "gpu"
    )


@pytest.mark.parametrize(
    ("raw", "error", "text"),
    [
        pytest.param(
            {**allocated(claim()), "metadata": {**claim()["metadata"], "uid": "new"}},
            ClaimUidMismatch,
            "has uid new, not uid-claim",
            id="made anew",
        ),
        pytest.param(claim(), NotAllocated, "is not allocated", id="not allocated"),
        pytest.param(
            allocated(claim(), driver="other"), NotAllocatedHere, "driver other", id="other driver"
        ),
        pytest.param(
            allocated(claim(), driver=""), NotAllocatedHere, "kube-scheduler", id="no driver"
        ),
        pytest.param(
            allocated(claim(), "node-2"), NotAllocatedHere, "other nodes than node-1", id="node"
        ),
    ],
)
def test_claim_that_is_not_for_us(raw: JSON, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        verify(from_v1alpha2(Claim(raw), FAKE.driver_name), REF, NODE, FAKE.driver_name)


def test_structured_claim_of_1_31_is_not_for_us() -> None:
    with pytest.raises(NotAllocatedHere, match="kube-scheduler"):
        verify(
            from_v1alpha3(Claim(new_claim(controller="")), FAKE.driver_name),
            REF,
            NODE,
            FAKE.driver_name,
        )


def test_claim_without_selector_is_for_every_node() -> None:
    raw = allocated(claim())
    del raw["status"]["allocation"]["availableOnNodes"]
    verify(from_v1alpha2(Claim(raw), FAKE.driver_name), REF, NODE, FAKE.driver_name)


@pytest.mark.parametrize(
    ("versions", "resource"),
    [
        (("v1alpha2",), DRA_V1ALPHA2.claims),
        (("v1alpha3",), DRA_V1ALPHA3.claims),
        (("v1alpha3", "v1alpha2"), DRA_V1ALPHA2.claims),
    ],
)
def test_version_is_chosen_by_the_server(versions: tuple[str, ...], resource: Resource) -> None:
    server = api(*versions)
    asked: list[Resource] = []
    server.get = lambda r, *_: asked.append(r) or claim()  # type: ignore[method-assign,func-returns-value]
    reader = ClaimReader(server, FAKE.driver_name)
    for _ in range(2):
        reader.read(REF)
    assert asked == [resource, resource]


@pytest.mark.parametrize("versions", [(), ("v1alpha1",), ("v1beta1", "v1")])
def test_server_without_classic_claims(versions: tuple[str, ...]) -> None:
    server = api()
    server.served = list(versions)
    with pytest.raises(UnsupportedServer, match="feature gate"):
        ClaimReader(server, FAKE.driver_name).read(REF)


def test_missing_claim() -> None:
    with pytest.raises(ClaimNotFound, match=r"default/claim \(uid uid-claim\)"):
        ClaimReader(api(), FAKE.driver_name).read(REF)


def test_upgraded_server_is_asked_in_its_new_version() -> None:
    server = api("v1alpha2")
    reader = ClaimReader(server, FAKE.driver_name)
    server.put(DRA_V1ALPHA2.claims, allocated(claim()))
    reader.read(REF)
    server.served = ["v1alpha3"]
    asked: list[str] = []
    plain = server.get

    def get(resource: Resource, *names: Any) -> JSON:
        asked.append(resource.version)
        if resource.version == "v1alpha2":
            return plain(resource, "gone", "default")
        return new_claim()

    server.get = get  # type: ignore[method-assign]
    assert reader.read(REF).driver == DRIVER
    assert asked == ["v1alpha2", "v1alpha3"]


def test_server_that_is_away_is_no_missing_claim() -> None:
    server = api()
    server.fault = lambda *_: ConnectFailed("away")
    with pytest.raises(ConnectFailed):
        ClaimReader(server, FAKE.driver_name).read(REF)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "A", "a_b", "a\0", "é", "a" * 254, "a%2e"])
@pytest.mark.parametrize("field", ["namespace", "name"])
def test_name_that_would_lead_elsewhere(field: str, name: str) -> None:
    server = api()
    names = {"namespace": "default", "name": "claim", field: name}
    with pytest.raises(InvalidClaimName, match="metadata"):
        ClaimReader(server, FAKE.driver_name).read(ClaimRef(uid=REF.uid, **names))
    assert server.calls == []


@pytest.mark.parametrize("name", ["a", "a-b.c", "0", "a" * 253])
def test_name_that_an_object_may_have(name: str) -> None:
    with pytest.raises(ClaimNotFound):
        ClaimReader(api(), FAKE.driver_name).read(ClaimRef("default", name, REF.uid))
