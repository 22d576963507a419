"""The node of `testing`: its API server over HTTP, what is published, and claims for it."""

import threading

import pytest

from api.claims.versions import READERS
from api.resources import NODES, STRUCTURED_VERSIONS
from kube.client import Client
from testing.apiserver import MemoryApi
from testing.clock import Clock
from testing.node import Node
from testing.objects import served_by
from testing.waiting import NotSeen
from tests.support.structuredobjects import DRIVER, a_slice, device

SLICES = STRUCTURED_VERSIONS["v1"].slices


def test_a_program_with_the_kubeconfig_sees_and_changes_the_same_objects(dra_node: Node) -> None:
    client = Client.from_kubeconfig(str(dra_node.kubeconfig), qps=0, burst=0, user_agent="test")
    try:
        assert client.get(NODES, "node-1")["status"]["nodeInfo"]["kubeletVersion"] == "v1.37.0"
        before = client.list(SLICES).resource_version
        client.create(SLICES, a_slice("a", device()))
        assert dra_node.api.find(SLICES, "a")["spec"]["driver"] == DRIVER
        with client.watch(SLICES, resource_version=before, timeout_seconds=60) as seen:
            assert next(seen).object["metadata"]["name"] == "a"
    finally:
        client.close()


def test_a_pool_counts_when_it_is_complete(dra_node: Node) -> None:
    pool = {"name": "node-1", "generation": 1, "resourceSliceCount": 2}
    dra_node.api.put(SLICES, a_slice("a", device("a"), pool=pool))
    with pytest.raises(NotSeen, match="1 of 2 slices"):
        dra_node.published(DRIVER, seconds=0.01)
    last = a_slice("b", device("b"), pool=pool)
    late = threading.Thread(target=dra_node.api.put, args=(SLICES, last))
    late.start()
    (found,) = dra_node.published(DRIVER)
    late.join()
    assert [each["name"] for each in found.devices] == ["a", "b"]


@pytest.mark.parametrize("dra_minor", [32, 34, 37])
def test_an_allocated_claim_says_what_the_driver_has_to_know(dra_node: Node) -> None:
    raw = dra_node.allocate(
        DRIVER, "a", "b", pods=["p", "q"], parameters={"size": 2}, class_parameters={"size": 1}
    )
    claim = READERS[served_by(dra_node.api).claims.version](raw)
    assert [(r.request, r.pool, r.device) for r in claim.results(DRIVER)] == [
        ("devices", "node-1", "a"),
        ("devices", "node-1", "b"),
    ]
    assert [c.parameters for c in claim.results(DRIVER)[0].config] == [{"size": 1}, {"size": 2}]
    assert [(c.resource, c.name, c.uid) for c in claim.consumers] == [
        ("pods", "p", "uid-p"),
        ("pods", "q", "uid-q"),
    ]
    assert claim.node(DRIVER) == "node-1"


@pytest.mark.parametrize("dra_minor", [31])
def test_a_classic_server_has_no_structured_claims(dra_api_server: MemoryApi) -> None:
    with pytest.raises(LookupError, match="v1alpha2"):
        served_by(dra_api_server)


def test_the_clock_passes_when_told_to(dra_clock: Clock) -> None:
    dra_clock.sleep(3.0)
    dra_clock.advance(1.0)
    assert (dra_clock(), dra_clock.sleeps) == (4.0, [3.0])
