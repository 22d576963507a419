from typing import Any

import pytest

from api.objects import JSON
from devcluster.apiserver.errors import Invalid
from devcluster.apiserver.patch import MERGE, Patch
from devcluster.apiserver.rules.allocations import allocation_errors
from devcluster.apiserver.rules.claims import status_errors
from devcluster.apiserver.writes import WriteOptions
from tests.support.apiserverrig import STARTED, Rig

DRIVER = "driver.example.com"
SHARED = {"shareable": True}


def consumer(number: int) -> JSON:
    return {"resource": "pods", "name": f"p{number}", "uid": f"u{number}"}


def allocated(**status: Any) -> JSON:
    return {"driverName": DRIVER, "allocation": {}, **status}


def errors(new: JSON, old: JSON | None = None, *, deleting: bool = False) -> list[str]:
    meta = {"deletionTimestamp": STARTED} if deleting else {}
    found = status_errors(
        {"metadata": meta, "status": new}, {"metadata": meta, "status": old or {}}
    )
    return [str(error) for error in found]


ONE, TWO = consumer(1), consumer(2)
ASKED = {"deallocationRequested": True}


@pytest.mark.parametrize(
    ("new", "old"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"driverName": DRIVER}, {}, id="driver only"),
        pytest.param(allocated(), {}, id="allocate"),
        pytest.param(allocated(reservedFor=[ONE]), {}, id="allocate and reserve"),
        pytest.param(allocated(reservedFor=[ONE]), allocated(), id="reserve"),
        pytest.param(
            allocated(allocation=SHARED, reservedFor=[ONE, TWO]),
            allocated(allocation=SHARED, reservedFor=[ONE]),
            id="share",
        ),
        pytest.param(
            allocated(allocation=SHARED, reservedFor=[consumer(n) for n in range(32)]),
            allocated(allocation=SHARED),
            id="32 consumers",
        ),
        pytest.param(allocated(), allocated(reservedFor=[ONE]), id="release"),
        pytest.param(allocated(**ASKED), allocated(reservedFor=[ONE]), id="release and deallocate"),
        pytest.param({}, allocated(**ASKED), id="deallocate"),
        pytest.param({}, allocated(), id="deallocate unasked"),
    ],
)
def test_steps_in_the_life_of_a_claim(new: JSON, old: JSON) -> None:
    assert errors(new, old) == []


@pytest.mark.parametrize(
    ("new", "old", "said"),
    [
        pytest.param(
            {"allocation": {}},
            {},
            "status.driverName: Required value: must be specified when `allocation` is set",
            id="no driver",
        ),
        pytest.param(
            {"driverName": "a b"},
            {},
            'status.driverName: Invalid value: "a b": a lowercase',
            id="name",
        ),
        pytest.param(
            {"driverName": "x" * 64},
            {},
            "status.driverName: Too long: may not be longer than 63",
            id="long name",
        ),
        pytest.param(
            {"reservedFor": [ONE]},
            {},
            "status.reservedFor: Forbidden: may not be specified when `allocated` is not set",
            id="not allocated",
        ),
        pytest.param(
            allocated(reservedFor=[ONE, TWO]),
            allocated(),
            "status.reservedFor: Forbidden: may not be reserved more than once",
            id="not shareable",
        ),
        pytest.param(
            allocated(allocation=SHARED, reservedFor=[ONE, {**TWO, "uid": "u1"}]),
            allocated(allocation=SHARED),
            'status.reservedFor[1].uid: Duplicate value: "u1"',
            id="same consumer",
        ),
        pytest.param(
            allocated(reservedFor=[{"resource": "pods", "name": "p"}]),
            allocated(),
            "status.reservedFor[0].uid: Required value",
            id="no uid",
        ),
        pytest.param(
            allocated(allocation=SHARED, reservedFor=[consumer(n) for n in range(33)]),
            allocated(allocation=SHARED),
            "status.reservedFor: Too long: may not be longer than 32",
            id="33 consumers",
        ),
        pytest.param(
            allocated(allocation={"shareable": True}),
            allocated(),
            'status.allocation: Invalid value: {"shareable": true}: field is immutable',
            id="other allocation",
        ),
        pytest.param(
            allocated(reservedFor=[ONE], **ASKED),
            allocated(reservedFor=[ONE]),
            "status.deallocationRequested: Forbidden: deallocation cannot be requested while "
            "`reservedFor` is set",
            id="deallocate in use",
        ),
        pytest.param(
            allocated(reservedFor=[ONE], **ASKED),
            allocated(**ASKED),
            "status.reservedFor: Forbidden: new entries may not be added while "
            "`deallocationRequested` or `deletionTimestamp` are set",
            id="reserve while deallocating",
        ),
        pytest.param(
            allocated(),
            allocated(**ASKED),
            "status.deallocationRequested: Forbidden: may not be cleared when `allocation` is set",
            id="change of mind",
        ),
        pytest.param(
            ASKED,
            allocated(**ASKED),
            "status: Forbidden: `allocation` must be set when `deallocationRequested` is set",
            id="half deallocated",
        ),
    ],
)
def test_jumps_in_the_life_of_a_claim(new: JSON, old: JSON, said: str) -> None:
    found = errors(new, old)
    assert len(found) == 1
    assert found[0].startswith(said)


def test_a_claim_that_is_going_takes_no_consumer_but_loses_them() -> None:
    shared = allocated(allocation=SHARED, reservedFor=[ONE, TWO])
    assert errors(allocated(reservedFor=[ONE]), allocated(), deleting=True)
    assert errors({**shared, "reservedFor": [TWO]}, shared, deleting=True) == []


@pytest.mark.parametrize(
    ("allocation", "said"),
    [
        (None, []),
        ({}, []),
        ({"resourceHandles": [{"driverName": DRIVER, "data": "x" * 16384}] * 32}, []),
        ({"availableOnNodes": {"nodeSelectorTerms": [{}]}}, []),
        (
            {"availableOnNodes": {"nodeSelectorTerms": []}},
            [
                (
                    "a.availableOnNodes.nodeSelectorTerms: Required value: must have at least "
                    "one node selector term"
                )
            ],
        ),
        ({"resourceHandles": [{"data": ""}]}, ["a.resourceHandles[0].driverName: Required value"]),
        (
            {"resourceHandles": [{"driverName": DRIVER, "data": "é" * 8193}]},
            ["a.resourceHandles[0].data: Too long: may not be longer than 16384"],
        ),
        (
            {"resourceHandles": [{"driverName": DRIVER}] * 33},
            ["a.resourceHandles: Too long: may not be longer than 32"],
        ),
    ],
)
def test_shapes_of_allocations(allocation: JSON | None, said: list[str]) -> None:
    assert [str(error) for error in allocation_errors("a", allocation)] == said


def test_a_handle_has_one_kind_of_data() -> None:
    handle = {"driverName": "A b", "data": "x", "structuredData": {}}
    found = [error.path for error in allocation_errors("a", {"resourceHandles": [handle]})]
    assert found == ["a.resourceHandles[0].driverName", "a.resourceHandles[0]"]


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_claim_waits_for_its_first_consumer_by_default(rig: Rig) -> None:
    claim = rig.create(
        "ResourceClaim", {"metadata": {"name": "c"}, "spec": {"resourceClassName": "k"}}
    )
    assert claim["spec"]["allocationMode"] == "WaitForFirstConsumer"
    assert claim["status"] == {}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"resourceClassName": "A b"},
        {"resourceClassName": "k", "allocationMode": "Soon"},
        {"resourceClassName": "k", "parametersRef": {"kind": "K"}},
    ],
    ids=["no class", "bad class", "mode", "parameters without name"],
)
def test_claims_and_templates_that_ask_for_nonsense(rig: Rig, spec: JSON) -> None:
    with pytest.raises(Invalid):
        rig.create("ResourceClaim", {"metadata": {"name": "c"}, "spec": spec})
    with pytest.raises(Invalid):
        rig.create("ResourceClaimTemplate", {"metadata": {"name": "c"}, "spec": {"spec": spec}})


@pytest.mark.parametrize("kind", ["ResourceClaim", "ResourceClaimTemplate"])
def test_what_is_asked_for_never_changes(rig: Rig, kind: str) -> None:
    wanted: JSON = {"resourceClassName": "k"}
    spec = wanted if kind == "ResourceClaim" else {"spec": wanted}
    made = rig.create(kind, {"metadata": {"name": "c"}, "spec": spec})
    relabel = {**made, "metadata": {**made["metadata"], "labels": {"a": "1"}}}
    rig.store.update(rig.kind(kind), "default", "c", relabel)
    other = {**wanted, "resourceClassName": "other"}
    patch = Patch(MERGE, {"spec": other if kind == "ResourceClaim" else {"spec": other}})
    with pytest.raises(Invalid, match=r"spec: Invalid value: .*field is immutable"):
        rig.store.patch(rig.kind(kind), "default", "c", patch)


def test_finalizer_and_status_are_written_apart(rig: Rig) -> None:
    kind = rig.kind("ResourceClaim")
    rig.create("ResourceClaim", {"metadata": {"name": "c"}, "spec": {"resourceClassName": "k"}})
    both = Patch(MERGE, {"metadata": {"finalizers": ["x.io/f"]}, "status": allocated()})
    obj = rig.store.patch(kind, "default", "c", both)
    assert (obj["metadata"]["finalizers"], obj["status"]) == (["x.io/f"], {})
    without = Patch(MERGE, {"metadata": {"finalizers": []}, "status": allocated()})
    obj = rig.store.patch(kind, "default", "c", without, options=WriteOptions(subresource="status"))
    assert (obj["metadata"]["finalizers"], obj["status"]) == (["x.io/f"], allocated())
    with pytest.raises(Invalid):
        rig.store.patch(
            kind,
            "default",
            "c",
            Patch(MERGE, {"status": {"driverName": None}}),
            options=WriteOptions(subresource="status"),
        )


@pytest.mark.parametrize("name", [None, "", "a b"])
def test_a_class_names_its_driver(rig: Rig, name: str | None) -> None:
    body = {"metadata": {"name": "k"}, **({} if name is None else {"driverName": name})}
    with pytest.raises(Invalid, match="driverName"):
        rig.create("ResourceClass", body)


def test_a_class_may_change_its_driver(rig: Rig) -> None:
    rig.create("ResourceClass", {"metadata": {"name": "k"}, "driverName": DRIVER})
    kind = rig.kind("ResourceClass")
    assert (
        rig.store.patch(kind, "", "k", Patch(MERGE, {"driverName": "b.io"}))["driverName"] == "b.io"
    )
    with pytest.raises(Invalid):
        rig.store.patch(kind, "", "k", Patch(MERGE, {"driverName": ""}))
