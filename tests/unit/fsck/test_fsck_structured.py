"""Where kube-scheduler allocates: what fsck looks at there, and what uninstall leaves."""

from typing import Any

import pytest
from click.testing import CliRunner, Result

import fsck.command as program
import fsck.uninstall as uninstalling
from api.classes import CLASSES, wanted_classes
from api.contract import FAKE
from api.objects import JSON
from api.resources import DRA_VERSIONS, STATES, STRUCTURED_VERSIONS
from cli.__main__ import main
from devcluster.apiserver.resourceapi import structured
from fsck.uninstall import StillInUse, check_unused, remove_published
from kube.errors import NotFound
from testing.apiserver import MemoryApi
from tests.support.build import NAMESPACE, SYSTEM, finalized, nas
from tests.support.structuredobjects import a_slice, claim_body, device

V1 = STRUCTURED_VERSIONS["v1"]
POOL = "node-1"


def result(name: str, **fields: Any) -> JSON:
    base = {"request": "r", "driver": FAKE.driver_name, "pool": POOL, "device": name}
    return {**base, **fields}


def held(name: str, *results: JSON) -> JSON:
    """Return a claim that has devices."""
    meta = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}"}
    allocation = {"devices": {"results": list(results)}}
    return {**claim_body(), "metadata": meta, "status": {"allocation": allocation}}


class Cluster(MemoryApi):
    """A cluster of 1.37 whose driver offers two devices."""

    def __init__(self, *claims: JSON) -> None:
        super().__init__(api=structured(37))
        self.publish("ours", device("fake-0"), device("fake-1"), driver=FAKE.driver_name)
        for claim in claims:
            self.put(V1.claims, claim)

    def publish(self, name: str, *devices: JSON, driver: str) -> None:
        self.put(V1.slices, a_slice(name, *devices, driver=driver))

    def close(self) -> None:
        """Stay open for the test."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    def on(api: MemoryApi, *arguments: str) -> Result:
        for module in (program, uninstalling):
            monkeypatch.setattr(module.Client, "from_kubeconfig", lambda *_, **__: api)
            monkeypatch.setattr(module, "configure", lambda *_: None)
        return CliRunner().invoke(main, [*arguments], env={"POD_NAMESPACE": SYSTEM})

    return on


def test_clean_cluster_is_told_as_what_it_is(run: Any) -> None:
    api = Cluster(held("a", result("fake-0")), held("b", result("fake-1")), held("c"))
    found = run(api, "fsck", "--settle", "0")
    assert found.exit_code == 0
    looked = "looked at 1 node and 3 claims (2 of this driver) of "
    assert found.output.startswith(looked)
    assert found.output.endswith(", where kube-scheduler allocates\nno violations\n")
    assert api.writes() == []


@pytest.mark.parametrize(
    ("claims", "kinds"),
    [
        pytest.param([held("a", result("fake-2"))], {"NotOffered"}, id="in-no-slice"),
        pytest.param(
            [held("a", result("fake-0")), held("b", result("fake-0"))],
            {"DeviceShared"},
            id="two-holders",
        ),
        pytest.param(
            [held("a", result("fake-0")), held("b", result("fake-0", adminAccess=True))],
            set(),
            id="an-admin-beside",
        ),
        pytest.param(
            [held(n, result("fake-0", shareID=f"uid-{n}")) for n in "ab"], set(), id="two-shares"
        ),
        pytest.param([held("a", result("x", driver="other.example.com"))], set(), id="of-others"),
        pytest.param([finalized(held("a"))], {"LeftOver"}, id="finalizer-of-a-classic-claim"),
    ],
)
def test_what_must_never_be_is_found(run: Any, claims: list[JSON], kinds: set[str]) -> None:
    found = run(Cluster(*claims), "fsck", "--settle", "0")
    rows = [line.split()[0] for line in found.output.splitlines()[2:]]
    assert set(rows) == kinds
    assert found.exit_code == bool(kinds)


def test_node_state_that_is_left_is_found(run: Any) -> None:
    api = Cluster()
    api.put(STATES, nas("old-node"))
    found = run(api, "fsck", "--settle", "0")
    assert found.exit_code == 1
    assert "LeftOver  old-node  -      the NodeAllocationState is of classic" in found.output


def test_nothing_of_the_driver_is_nothing_to_look_at(run: Any) -> None:
    found = run(MemoryApi(api=structured(37)), "fsck", "--settle", "0")
    assert found.exit_code == 2
    assert "has no ResourceSlice and no claim of this driver" in found.output


@pytest.mark.parametrize("minor", [32, 33, 34, 37])
def test_driver_with_allocated_claims_may_not_go(minor: int) -> None:
    api = MemoryApi(api=structured(minor))
    claims = STRUCTURED_VERSIONS[api.served[0]].claims
    api.put(claims, held("theirs", result("x", driver="other.example.com")))
    check_unused(api, SYSTEM, FAKE)
    api.put(claims, held("a", result("fake-0")))
    with pytest.raises(StillInUse, match="in use by default/a;"):
        check_unused(api, SYSTEM, FAKE)


SERVED = {
    **{version: (lambda v=version: MemoryApi(v)) for version in DRA_VERSIONS},
    **{f"1.{minor}": (lambda m=minor: MemoryApi(api=structured(m))) for minor in (32, 33, 34, 37)},
}


@pytest.mark.parametrize("make", SERVED.values(), ids=list(SERVED))
def test_uninstall_removes_the_classes_that_the_driver_made(make: Any) -> None:
    api = make()
    version = api.served[0]
    foreign = {"metadata": {"name": "theirs"}, "spec": {}}
    for obj in (*wanted_classes(version, FAKE, "ours"), foreign):
        api.put(CLASSES[version], obj)
    for _ in range(2):
        remove_published(api, FAKE)
        assert [obj["metadata"]["name"] for obj in api.all(CLASSES[version])] == ["theirs"]


def test_uninstall_removes_the_slices_of_the_driver(run: Any) -> None:
    api = Cluster()
    api.publish("theirs", device("x"), driver="other.example.com")
    api.put(STATES, nas())
    assert run(api, "uninstall").exit_code == 0
    assert [obj["metadata"]["name"] for obj in api.all(V1.slices)] == ["theirs"]
    assert api.all(STATES) == []


def test_what_the_kubelet_removes_first_is_fine() -> None:
    api = Cluster()
    gone = NotFound(404, "NotFound", "gone", {})
    api.fault = lambda verb, _plural, _body: gone if verb == "delete" else None
    remove_published(api, FAKE)


def test_server_without_claims_has_nothing_to_remove() -> None:
    api = MemoryApi("v1alpha2")
    api.served = []
    remove_published(api, FAKE)
    assert api.writes() == []
