"""The kubelet of `testing` at drivers' real sockets, as each minor treats them."""

import os
from typing import Any

import pytest

from api.objects import JSON
from api.resources import STRUCTURED_VERSIONS
from devcluster.kubelet.errors import UnresolvableDevices
from dra.driver import Edits, Mount
from testing.apiserver import MemoryApi
from testing.kubelet import Kubelet, PrepareFailed, UnprepareFailed, drivers_of
from testing.kubeletcalls import (
    HEALTH_V1,
    HEALTH_V1ALPHA1,
    V1,
    V1ALPHA2,
    V1ALPHA3,
    V1BETA1,
    Refused,
)
from testing.node import Node
from testing.waiting import NotSeen
from tests.support.fakedriver import Driver, serving
from tests.support.structuredobjects import a_slice
from tests.unit.testing.conftest import Lamps

NAME = Lamps.contract.driver_name
LAMP = Edits({"LAMP": "lamp0"}, (Mount("/host/lamp0", "/dev/lamp"),))


def classic(name: str = "driver.example.com") -> JSON:
    """Return an allocated claim of a classic driver."""
    meta = {"namespace": "default", "name": "claim", "uid": "uid"}
    return {"metadata": meta, "status": {"driverName": name, "allocation": {"shareable": True}}}


@pytest.mark.parametrize(
    ("dra_minor", "service", "health"),
    [(32, V1BETA1, None), (34, V1, HEALTH_V1ALPHA1), (37, V1, HEALTH_V1)],
    ids=["1.32", "1.34", "1.37"],
)
def test_the_services_are_those_of_the_minor(
    dra_kubelet: Kubelet, lamps: Lamps, service: object, health: str | None
) -> None:
    found = dra_kubelet.plugins[NAME]
    assert (found.service, found.health) == (service, health)


@pytest.mark.parametrize(
    ("dra_minor", "generations", "service", "called"),
    [
        (27, ["v1alpha2"], V1ALPHA2, "v1alpha2 prepare"),
        (30, ["v1alpha2"], V1ALPHA3, "v1alpha2 prepare"),
        (30, ["v1alpha2", "v1alpha3"], V1ALPHA3, "v1alpha3 prepare"),
    ],
    ids=["1.27", "1.30, single claims only", "1.30"],
)
def test_a_classic_driver_is_called_by_what_it_has(
    dra_kubelet: Kubelet, generations: list[str], service: object, called: str
) -> None:
    directories = dra_kubelet.directories
    endpoint = directories.plugins / "dra.sock"
    driver = Driver(generations=generations, endpoint=str(endpoint), ids={"uid": []})
    with serving(driver, endpoint, directories.registry / "d-reg.sock"):
        assert dra_kubelet.register(driver.name).service == service
        assert dra_kubelet.prepare(classic()) == Edits()
    assert driver.notified == [(True, "")]
    assert driver.calls == [(called, ["uid"])]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        pytest.param({"versions": ["1.0.0"]}, r"none of 1\.0\.0 is supported", id="version"),
        pytest.param({"type": "CSIPlugin"}, "plugin type 'CSIPlugin' is not", id="type"),
    ],
)
def test_a_driver_that_is_none_for_it_is_refused_and_told(
    dra_kubelet: Kubelet, given: dict[str, Any], why: str
) -> None:
    socket = dra_kubelet.directories.registry / "d-reg.sock"
    with serving(Driver(**given), socket) as driver, pytest.raises(Refused, match=why) as refused:
        dra_kubelet.register(driver.name)
    assert driver.notified == [(False, str(refused.value))]


def test_a_driver_that_never_comes(dra_kubelet: Kubelet) -> None:
    with pytest.raises(NotSeen, match=r"waited .* for driver none"):
        dra_kubelet.register("none", 0.1)


@pytest.mark.parametrize("dra_minor", [32, 33, 34, 35, 36, 37])
def test_a_claim_is_prepared_once_and_its_container_gets_its_edits(
    dra_kubelet: Kubelet, lamps: Lamps, claim: JSON
) -> None:
    assert dra_kubelet.prepare(claim) == LAMP
    assert dra_kubelet.prepare(claim) == LAMP
    assert dra_kubelet.edits(claim, "devices") == LAMP
    assert dra_kubelet.edits(claim, "other") == Edits()
    dra_kubelet.unprepare(claim)
    dra_kubelet.unprepare(claim)
    assert lamps.calls == [("prepare", "claim"), ("unprepare", "claim")]


def test_a_pod_has_several_claims_by_one_call(
    dra_kubelet: Kubelet, dra_node: Node, lamps: Lamps, claim: JSON
) -> None:
    other = dra_node.allocate(NAME, "lamp1", name="other")
    edits = dra_kubelet.prepare(claim, other)
    assert edits.env == {"LAMP": "lamp1"}
    assert edits.mounts == (Mount("/host/lamp1", "/dev/lamp"),)
    assert sorted(lamps.calls) == [("prepare", "claim"), ("prepare", "other")]


def test_an_error_of_the_driver_is_that_of_the_pod_until_it_is_over(
    dra_kubelet: Kubelet, lamps: Lamps, claim: JSON
) -> None:
    lamps.error = "no such lamp"
    with pytest.raises(PrepareFailed, match=r"default/claim: .*no such lamp"):
        dra_kubelet.prepare(claim)
    lamps.error = ""
    assert dra_kubelet.prepare(claim) == LAMP
    lamps.error = "busy"
    with pytest.raises(UnprepareFailed, match="busy"):
        dra_kubelet.unprepare(claim)
    lamps.error = ""
    dra_kubelet.unprepare(claim)
    assert [method for method, _ in lamps.calls] == ["prepare"] * 2 + ["unprepare"] * 2


def test_a_kubelet_that_restarts_has_claims_prepared_again_and_keeps_their_ids(
    dra_kubelet: Kubelet, dra_node: Node, lamps: Lamps, claim: JSON
) -> None:
    dra_kubelet.prepare(claim)
    dra_kubelet.restart()
    assert dra_node.published(NAME)
    assert dra_kubelet.edits(claim) == LAMP
    assert lamps.calls == [("prepare", "claim")]
    dra_kubelet.prepare(claim)
    assert lamps.calls == [("prepare", "claim")] * 2


def test_a_kubelet_that_starts_deletes_the_slices_of_its_node_only(
    dra_api_server: MemoryApi, dra_kubelet: Kubelet
) -> None:
    slices = STRUCTURED_VERSIONS["v1"].slices
    dra_api_server.put(slices, a_slice("mine"))
    dra_api_server.put(slices, a_slice("other", nodeName="node-2"))
    dra_kubelet.restart()
    assert [each["metadata"]["name"] for each in dra_api_server.all(slices)] == ["other"]


def test_a_claim_made_anew_under_its_name_is_refused_while_the_old_one_is_held(
    dra_kubelet: Kubelet, claim: JSON
) -> None:
    dra_kubelet.prepare(claim)
    new = {**claim, "metadata": {**claim["metadata"], "uid": "other"}}
    with pytest.raises(PrepareFailed, match="old ResourceClaim with same name claim still exists"):
        dra_kubelet.prepare(new)


def test_a_claim_of_a_driver_that_is_not_there(dra_kubelet: Kubelet) -> None:
    with pytest.raises(PrepareFailed, match=r"away\.example\.com is not registered"):
        dra_kubelet.prepare(classic("away.example.com"))


def test_a_claim_without_allocation() -> None:
    claim = {**classic(), "status": {}}
    with pytest.raises(PrepareFailed, match="default/claim is not allocated"):
        drivers_of(claim)


def test_a_claim_that_is_not_prepared_has_no_edits(dra_kubelet: Kubelet) -> None:
    with pytest.raises(PrepareFailed, match="default/claim is not prepared"):
        dra_kubelet.edits(classic())


def test_the_newest_of_two_instances_is_registered(dra_kubelet: Kubelet) -> None:
    registry = dra_kubelet.directories.registry
    versions = ["v1.DRAPlugin"]
    with (
        serving(Driver(versions=versions, endpoint="/z"), registry / "z-reg.sock") as old,
        serving(Driver(versions=versions, endpoint="/a"), registry / "a-reg.sock") as new,
    ):
        os.utime(registry / "z-reg.sock", (1, 1))
        assert str(dra_kubelet.register(new.name).endpoint) == "/a"
    assert (old.notified, new.notified) == ([], [(True, "")])


def test_a_container_does_not_start_without_the_files_of_its_ids(
    dra_kubelet: Kubelet, claim: JSON
) -> None:
    dra_kubelet.prepare(claim)
    for path in dra_kubelet.directories.cdi.iterdir():
        path.unlink()
    with pytest.raises(UnresolvableDevices, match="unresolvable CDI devices"):
        dra_kubelet.edits(claim)


def test_a_driver_that_is_gone_fails_the_pod(dra_kubelet: Kubelet, dra_node: Node) -> None:
    with dra_node.running(Lamps()):
        claim = dra_node.allocate(NAME, "lamp0")
    dra_kubelet.call_seconds = 0.1
    with pytest.raises(PrepareFailed, match=NAME):
        dra_kubelet.prepare(claim)


def test_the_health_of_all_devices_is_told(dra_kubelet: Kubelet, lamps: Lamps) -> None:
    told = dra_kubelet.health(NAME)
    assert next(told) == {("node-1", "lamp0"): "HEALTHY", ("node-1", "lamp1"): "UNKNOWN"}
    told.close()


@pytest.mark.parametrize("dra_minor", [33])
def test_an_old_kubelet_asks_for_no_health(dra_kubelet: Kubelet, lamps: Lamps) -> None:
    with pytest.raises(Refused, match="no health service"):
        next(dra_kubelet.health(NAME))
