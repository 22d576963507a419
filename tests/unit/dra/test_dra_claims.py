import pytest

from api.claims.versions import CLASSIC, STRUCTURED, read_claim
from api.contract import FAKE
from api.objects import JSON, ClaimUID
from api.resources import DRA_V1ALPHA2, Resource
from api.selectors import only_node
from dra.claims import ClaimReader, ClaimRef, verify
from dra.errors import (
    ClaimNotFound,
    ClaimUidMismatch,
    InvalidClaimName,
    NotAllocated,
    NotAllocatedHere,
    UnsupportedServer,
)
from kube.errors import ConnectFailed, NotFound
from testing.apiserver import MemoryApi
from tests.support.build import allocated, claim
from tests.support.pluginrig import NODE

REF = ClaimRef("default", "claim", ClaimUID("uid-claim"))
DRIVER = FAKE.driver_name


def api(*versions: str) -> MemoryApi:
    return MemoryApi(*versions)


class Served:
    """A server that has a claim of that name, unless it is missing, in the versions it serves."""

    def __init__(self, *served: str, missing: NotFound | None = None) -> None:
        self.served = list(served)
        self.missing = missing
        self.asked: list[str] = []

    def versions(self, group: str) -> list[str]:
        self.asked.append("versions")
        return self.served

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> JSON:
        self.asked.append(resource.version)
        if resource.version not in self.served:
            raise NotFound(404, message="404 page not found")
        if self.missing is not None:
            raise self.missing
        return {**claim(name), "apiVersion": resource.api_version}


def new_claim(*results: JSON, controller: str = DRIVER) -> JSON:
    allocation = {
        "controller": controller,
        "nodeSelector": only_node(NODE),
        "devices": {"results": list(results)},
    }
    raw = {**claim(), "apiVersion": "resource.k8s.io/v1alpha3"}
    return {**raw, "status": {"allocation": allocation}}


def structured(driver: str = DRIVER, nodes: JSON | None = None, version: str = "v1") -> JSON:
    result = {"request": "r", "driver": driver, "pool": NODE, "device": "d"}
    allocation = {"devices": {"results": [result]}, "nodeSelector": nodes}
    raw = {**claim(), "apiVersion": f"resource.k8s.io/{version}"}
    return {**raw, "status": {"allocation": allocation}}


ZONE = {"key": "zone", "operator": "In", "values": ["a"]}
BY_LABEL: JSON = {"nodeSelectorTerms": [{"matchExpressions": [ZONE]}]}


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(allocated(claim()), id="v1alpha2"),
        pytest.param(new_claim(), id="v1alpha3"),
        pytest.param(structured(nodes=only_node(NODE)), id="v1"),
        pytest.param(structured(version="v1beta1"), id="v1beta1-for-every-node"),
        pytest.param(structured(nodes=BY_LABEL), id="v1-for-nodes-with-a-label"),
    ],
)
def test_claim_that_is_for_us(raw: JSON) -> None:
    verify(read_claim(raw), REF, NODE, DRIVER)


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
        pytest.param(
            new_claim(controller=""), NotAllocatedHere, "kube-scheduler", id="structured of 1.31"
        ),
        pytest.param(
            structured("other"), NotAllocatedHere, "driver other, not by", id="no result of ours"
        ),
        pytest.param(
            structured(nodes=only_node("node-2")),
            NotAllocatedHere,
            "other nodes than node-1",
            id="structured on another node",
        ),
    ],
)
def test_claim_that_is_not_for_us(raw: JSON, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        verify(read_claim(raw), REF, NODE, DRIVER)


def test_claim_without_selector_is_for_every_node() -> None:
    raw = allocated(claim())
    del raw["status"]["allocation"]["availableOnNodes"]
    verify(read_claim(raw), REF, NODE, DRIVER)


@pytest.mark.parametrize(
    ("served", "versions", "version"),
    [
        (("v1alpha2",), CLASSIC, "v1alpha2"),
        (("v1alpha3",), CLASSIC, "v1alpha3"),
        (("v1alpha3", "v1alpha2"), CLASSIC, "v1alpha2"),
        (("v1beta1", "v1"), STRUCTURED, "v1"),
        (("v1beta1",), STRUCTURED, "v1beta1"),
    ],
    ids=["1.30", "1.31", "both-classic", "1.34", "1.32"],
)
def test_version_is_chosen_by_the_server(
    served: tuple[str, ...], versions: tuple[str, ...], version: str
) -> None:
    server = Served(*served)
    reader = ClaimReader(server, versions)
    for _ in range(2):
        assert reader.read(REF).uid == REF.uid
    assert server.asked == ["versions", version, version]


@pytest.mark.parametrize(
    ("served", "text"),
    [
        ((), "feature gate"),
        (("v1alpha1",), "feature gate"),
        (("v1beta1", "v1"), "removed in 1.32"),
        (("v1alpha3", "v1beta1"), "removed in 1.32"),
    ],
    ids=["none", "1.26", "1.34", "1.32"],
)
def test_server_without_classic_claims(served: tuple[str, ...], text: str) -> None:
    with pytest.raises(UnsupportedServer, match=text):
        ClaimReader(Served(*served), CLASSIC).read(REF)


def test_missing_claim_costs_no_further_request() -> None:
    server = api("v1alpha2")
    server.put(DRA_V1ALPHA2.claims, allocated(claim("other")))
    reader = ClaimReader(server, CLASSIC)
    reader.read(ClaimRef("default", "other", ClaimUID("uid-other")))
    sent: list[str] = []
    server.fault = lambda verb, plural, _: sent.append(f"{verb} {plural}")  # type: ignore[func-returns-value]
    with pytest.raises(ClaimNotFound, match=r"default/claim \(uid uid-claim\)"):
        reader.read(REF)
    assert sent == ["get resourceclaims"]


def test_missing_claim_of_an_unknown_server_is_asked_for_once() -> None:
    server = Served("v1", missing=NotFound(404))
    with pytest.raises(ClaimNotFound):
        ClaimReader(server, STRUCTURED).read(REF)
    assert server.asked == ["versions", "v1"]


def test_not_found_that_names_no_object_is_asked_about_once() -> None:
    server = Served("v1")
    reader = ClaimReader(server, STRUCTURED)
    reader.read(REF)
    server.missing = NotFound(404)
    with pytest.raises(ClaimNotFound):
        reader.read(REF)
    assert server.asked == ["versions", "v1", "v1", "versions"]


def test_upgraded_server_is_asked_in_its_new_version() -> None:
    server = Served("v1alpha2")
    reader = ClaimReader(server, CLASSIC)
    reader.read(REF)
    server.served = ["v1alpha3"]
    assert reader.read(REF).raw["apiVersion"] == "resource.k8s.io/v1alpha3"
    assert server.asked == ["versions", "v1alpha2", "v1alpha2", "versions", "v1alpha3"]


def test_claim_that_goes_while_the_server_is_upgraded_is_missing() -> None:
    server = Served("v1beta1")
    reader = ClaimReader(server, STRUCTURED)
    reader.read(REF)
    server.served, server.missing = ["v1"], NotFound(404)
    with pytest.raises(ClaimNotFound):
        reader.read(REF)
    assert server.asked == ["versions", "v1beta1", "v1beta1", "versions", "v1"]


def test_server_that_is_away_is_no_missing_claim() -> None:
    server = api()
    server.fault = lambda *_: ConnectFailed("away")
    with pytest.raises(ConnectFailed):
        ClaimReader(server, CLASSIC).read(REF)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "A", "a_b", "a\0", "é", "a" * 254, "a%2e"])
@pytest.mark.parametrize("field", ["namespace", "name"])
def test_name_that_would_lead_elsewhere(field: str, name: str) -> None:
    server = api()
    names = {"namespace": "default", "name": "claim", field: name}
    with pytest.raises(InvalidClaimName, match="metadata"):
        ClaimReader(server, CLASSIC).read(ClaimRef(uid=REF.uid, **names))
    assert server.calls == []


@pytest.mark.parametrize("name", ["a", "a-b.c", "0", "a" * 253])
def test_name_that_an_object_may_have(name: str) -> None:
    with pytest.raises(ClaimNotFound):
        ClaimReader(api(), CLASSIC).read(ClaimRef("default", name, REF.uid))
