"""What a claim says in every version: one table, with what each version calls a thing."""

from collections.abc import Callable
from typing import Any

import pytest

from api.claims.versions import CLAIMS, CLASSIC, READERS, STRUCTURED, read_claim
from api.claims.view import Consumer
from api.contract import FAKE
from api.names import POD_CLAIM_NAME_ANNOTATION
from api.objects import JSON
from api.selectors import only_node
from tests.support import build

DRIVER = FAKE.driver_name
NODES = only_node("node-1")
RESULTS = {"results": [{"request": "r", "driver": DRIVER, "pool": "p", "device": "d"}]}
each_version = pytest.mark.parametrize("version", READERS)


def claim(version: str, **status: Any) -> JSON:
    made = {**build.claim(), "apiVersion": CLAIMS[version].api_version, "spec": None}
    return {**made, "status": status} if status else made


def status(version: str, driver: str = DRIVER, nodes: JSON | None = NODES) -> JSON:
    """Return the status of a claim that a driver has to prepare."""
    if version == "v1alpha2":
        allocation: JSON = {"shareable": True, "availableOnNodes": nodes}
        return {"driverName": driver, "allocation": allocation}
    results = {"results": [{**RESULTS["results"][0], "driver": driver}]}
    allocation = {"devices": results, "nodeSelector": nodes}
    if version == "v1alpha3":
        allocation["controller"] = driver
    return {"allocation": allocation}


@each_version
def test_a_new_claim_has_nothing_yet(version: str) -> None:
    view = read_claim(claim(version))
    assert (view.key, view.name, view.uid) == ("default/claim", "claim", "uid-claim")
    assert (view.allocation, view.consumers, view.finalizers) == (None, (), [])
    assert (view.owner_uid, view.pod_claim_name, view.label) == (None, None, "claim")
    assert (view.deleting, view.deallocation_requested, view.leaving) == (False, False, False)
    assert (view.immediate, view.class_name, view.parameters) == (False, "", None)
    assert (view.allocated_by(DRIVER), view.node(DRIVER), view.results(DRIVER)) == (False, None, ())
    assert not view.held_by(FAKE)


@each_version
def test_an_allocated_claim_is_read(version: str) -> None:
    raw = claim(version, **status(version))
    view = read_claim(raw)
    assert view.raw is raw
    assert view.allocation is not None
    assert (view.allocation.drivers, view.allocation.nodes) == ({DRIVER}, NODES)
    assert (view.allocated_by(DRIVER), view.node(DRIVER), view.held_by(FAKE)) == (
        True,
        "node-1",
        True,
    )
    assert len(view.results(DRIVER)) == (version != "v1alpha2")


@each_version
def test_an_allocation_of_another_driver_is_not_ours(version: str) -> None:
    view = read_claim(claim(version, **status(version, "other")))
    assert view.allocation is not None
    assert (view.allocated_by(DRIVER), view.node(DRIVER), view.results(DRIVER)) == (False, None, ())
    assert not view.held_by(FAKE)
    assert view.node("other") == "node-1"


@each_version
def test_an_allocation_may_be_for_every_node(version: str) -> None:
    view = read_claim(claim(version, **status(version, nodes=None)))
    assert (view.allocated_by(DRIVER), view.node(DRIVER)) == (True, None)


@each_version
@pytest.mark.parametrize("empty", [None, {}], ids=["null", "empty"])
def test_an_empty_allocation_is_none(version: str, empty: JSON | None) -> None:
    assert read_claim(claim(version, allocation=empty)).allocation is None


@pytest.mark.parametrize("version", CLASSIC)
def test_a_claim_that_no_driver_allocated_is_the_schedulers(version: str) -> None:
    view = read_claim(claim(version, **status(version, "")))
    assert view.allocation is not None
    assert view.allocation.drivers == frozenset()


@pytest.mark.parametrize("version", STRUCTURED)
def test_every_driver_of_a_structured_claim_prepares_it(version: str) -> None:
    results = [{"driver": "a"}, {"driver": DRIVER}, {"driver": "a"}]
    view = read_claim(claim(version, allocation={"devices": {"results": results}}))
    assert view.allocation is not None
    assert view.allocation.drivers == {"a", DRIVER}


@each_version
def test_consumers_are_read(version: str) -> None:
    pod = {"resource": "pods", "name": "pod", "uid": "uid-pod"}
    group = {"apiGroup": "scheduling.k8s.io", "resource": "podgroups", "name": "g", "uid": "u"}
    view = read_claim(claim(version, reservedFor=[pod, group]))
    assert view.reserved_for == [pod, group]
    assert view.consumers == (Consumer("pods", "pod", "uid-pod"), Consumer("podgroups", "g", "u"))


@each_version
@pytest.mark.parametrize(
    ("change", "leaving"),
    [(build.deleted, (True, False)), (build.deallocating, (False, True))],
    ids=["deleted", "deallocated"],
)
def test_a_claim_leaves(
    version: str, change: Callable[[JSON], JSON], leaving: tuple[bool, bool]
) -> None:
    view = read_claim(change(claim(version, **status(version))))
    assert (view.deleting, view.deallocation_requested) == leaving
    assert view.leaving


@each_version
def test_a_finalizer_alone_makes_a_claim_ours(version: str) -> None:
    view = read_claim(build.finalized(claim(version)))
    assert (view.finalizers, view.held_by(FAKE)) == ([FAKE.finalizer], True)
    assert not view.held_by(FAKE.renamed("other.example.com"))


@each_version
def test_a_claim_of_a_template_is_called_what_its_pod_calls_it(version: str) -> None:
    raw = build.owned(claim(version))
    raw["metadata"]["annotations"] = {POD_CLAIM_NAME_ANNOTATION: "devices"}
    view = read_claim(raw)
    assert (view.owner_uid, view.pod_claim_name, view.label) == ("uid-pod", "devices", "devices")
