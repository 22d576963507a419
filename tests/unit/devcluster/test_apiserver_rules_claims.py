from typing import Any

import pytest

from api.objects import JSON
from devcluster.apiserver.errors import Invalid
from devcluster.apiserver.patch import MERGE, Patch
from devcluster.apiserver.rules.allocations import allocation_errors
from devcluster.apiserver.rules.claims import status_errors
from devcluster.apiserver.writes import WriteOptions
from tests.support.apiserverrig import STARTED, Rig
from tests.support.tables import cases

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


@cases(
    ("new", "old"),
    {
        "nothing": ({}, {}),
        "driver only": ({"driverName": DRIVER}, {}),
        "allocate": (allocated(), {}),
        "allocate and reserve": (allocated(reservedFor=[ONE]), {}),
        "reserve": (allocated(reservedFor=[ONE]), allocated()),
        "share": (
            allocated(allocation=SHARED, reservedFor=[ONE, TWO]),
            allocated(allocation=SHARED, reservedFor=[ONE]),
        ),
        "32 consumers": (
            allocated(allocation=SHARED, reservedFor=[consumer(n) for n in range(32)]),
            allocated(allocation=SHARED),
        ),
        "release": (allocated(), allocated(reservedFor=[ONE])),
        "release and deallocate": (allocated(**ASKED), allocated(reservedFor=[ONE])),
        "deallocate": ({}, allocated(**ASKED)),
        "deallocate unasked": ({}, allocated()),
    },
)
def test_steps_in_the_life_of_a_claim(new: JSON, old: JSON) -> None:
    assert errors(new, old) == []


@cases(
    ("new", "old", "said"),
    {
        "no driver": (
            {"allocation": {}},
            {},
            "status.driverName: Required value: must be specified when `allocation` is set",
        ),
        "name": ({"driverName": "a b"}, {}, 'status.driverName: Invalid value: "a b": a lowercase'),
        "long name": (
            {"driverName": "x" * 64},
            {},
            "status.driverName: Too long: may not be longer than 63",
        ),
        "not allocated": (
            {"reservedFor": [ONE]},
            {},
            "status.reservedFor: Forbidden: may not be specified when `allocated` is not set",
        ),
        "not shareable": (
            allocated(reservedFor=[ONE, TWO]),
            allocated(),
            "status.reservedFor: Forbidden: may not be reserved more than once",
        ),
        "same consumer": (
            allocated(allocation=SHARED, reservedFor=[ONE, {**TWO, "uid": "u1"}]),
            allocated(allocation=SHARED),
            'status.reservedFor[1].uid: Duplicate value: "u1"',
        ),
        "no uid": (
            allocated(reservedFor=[{"resource": "pods", "name": "p"}]),
            allocated(),
            "status.reservedFor[0].uid: Required value",
        ),
        "33 consumers": (
            allocated(allocation=SHARED, reservedFor=[consumer(n) for n in range(33)]),
            allocated(allocation=SHARED),
            "status.reservedFor: Too long: may not be longer than 32",
        ),
        "other allocation": (
            allocated(allocation={"shareable": True}),
            allocated(),
            'status.allocation: Invalid value: {"shareable": true}: field is immutable',
        ),
        "deallocate in use": (
            allocated(reservedFor=[ONE], **ASKED),
            allocated(reservedFor=[ONE]),
            (
                "status.deallocationRequested: Forbidden: deallocation cannot be requested while "
                "`reservedFor` is set"
            ),
        ),
        "reserve while deallocating": (
            allocated(reservedFor=[ONE], **ASKED),
            allocated(**ASKED),
            (
                "status.reservedFor: Forbidden: new entries may not be added while "
                "`deallocationRequested` or `deletionTimestamp` are set"
            ),
        ),
        "change of mind": (
            allocated(),
            allocated(**ASKED),
            "status.deallocationRequested: Forbidden: may not be cleared when `allocation` is set",
        ),
        "half deallocated": (
            ASKED,
            allocated(**ASKED),
            "status: Forbidden: `allocation` must be set when `deallocationRequested` is set",
        ),
    },
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
        (None, ""),
        ({}, ""),
        ({"resourceHandles": [{"driverName": DRIVER, "data": "x" * 16384}] * 32}, ""),
        ({"availableOnNodes": {"nodeSelectorTerms": [{}]}}, ""),
        (
            {"availableOnNodes": {"nodeSelectorTerms": []}},
            (
                "a.availableOnNodes.nodeSelectorTerms: Required value: must have at least "
                "one node selector term"
            ),
        ),
        ({"resourceHandles": [{"data": ""}]}, "a.resourceHandles[0].driverName: Required value"),
        (
            {"resourceHandles": [{"driverName": DRIVER, "data": "é" * 8193}]},
            "a.resourceHandles[0].data: Too long: may not be longer than 16384",
        ),
        (
            {"resourceHandles": [{"driverName": DRIVER}] * 33},
            "a.resourceHandles: Too long: may not be longer than 32",
        ),
    ],
)
def test_shapes_of_allocations(allocation: JSON | None, said: str) -> None:
    assert "\n".join(map(str, allocation_errors("a", allocation))) == said


def test_a_handle_has_one_kind_of_data() -> None:
    handle = {"driverName": "A b", "data": "x", "structuredData": {}}
    found = [error.path for error in allocation_errors("a", {"resourceHandles": [handle]})]
    assert found == ["a.resourceHandles[0].driverName", "a.resourceHandles[0]"]


def test_a_claim_waits_for_its_first_consumer_by_default(rig: Rig) -> None:
    claim = rig.create(
        "ResourceClaim", {"metadata": {"name": "c"}, "spec": {"resourceClassName": "k"}}
    )
    assert claim["spec"]["allocationMode"] == "WaitForFirstConsumer"
    assert claim["status"] == {}


@cases(
    "spec",
    {
        "no class": {},
        "bad class": {"resourceClassName": "A b"},
        "mode": {"resourceClassName": "k", "allocationMode": "Soon"},
        "parameters without name": {"resourceClassName": "k", "parametersRef": {"kind": "K"}},
    },
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
