"""The scheduler's loop where it allocates itself, on an API server in memory with the real rules.

How devices are chosen is tested in tests/unit/allocation.
"""

from typing import Any

import pytest

from api.objects import JSON
from devcluster.claimapi import STRUCTURED
from devcluster.claimrules import FINALIZER
from kube.errors import Conflict, Invalid
from tests.support.build import node
from tests.support.controlplanerig import ControlRig, scheduler_rig
from tests.support.structuredobjects import DRIVER, device
from tests.support.structuredworld import CLASS, claim, published, rule, user, wish
from tests.support.tables import cases

KEY = "default/pod"
USER = user("pod", "claim")


def rig_of(*objects: JSON) -> ControlRig:
    return scheduler_rig(*objects, known=STRUCTURED)


def devices_of(rig: ControlRig, name: str = "claim") -> list[str]:
    found = (rig.claim(name).get("status") or {}).get("allocation") or {"devices": {}}
    return [each["device"] for each in found["devices"].get("results") or ()]


def free(rig: ControlRig, name: str) -> None:
    """Take a claim's allocation back, as the claim controller does."""
    stored = rig.claim(name)
    del stored["status"]
    rig.api.rewrite(stored)
    rig.sync()


def test_allocates_reserves_and_binds() -> None:
    rig = rig_of(node(), CLASS, published(device()), claim(), USER)
    rig.settle()
    stored = rig.claim()
    assert rig.node_of() == "node-1"
    assert stored["metadata"]["finalizers"] == [FINALIZER]
    assert stored["status"]["reservedFor"] == [
        {"resource": "pods", "name": "pod", "uid": "uid-pod"}
    ]
    allocation = stored["status"]["allocation"]
    assert allocation["devices"]["results"] == [
        {"request": "r", "driver": DRIVER, "pool": "node-1", "device": "gpu-0"}
    ]
    assert allocation["allocationTimestamp"] == "1970-01-01T00:16:40Z"
    assert rig.api.writes() == [
        ("update", "resourceclaims"),
        ("update", "resourceclaims/status"),
        ("create", "pods/pod/binding"),
    ]


def test_no_device_is_given_twice() -> None:
    pods = [user(f"pod-{n}", f"c-{n}") for n in range(3)]
    claims = [claim(f"c-{n}") for n in range(3)]
    rig = rig_of(node(), CLASS, published(device("gpu-0"), device("gpu-1")), *claims, *pods)
    rig.settle()
    given = sorted(device for n in range(3) for device in devices_of(rig, f"c-{n}"))
    assert given == ["gpu-0", "gpu-1"]
    assert sum(rig.node_of(f"pod-{n}") is not None for n in range(3)) == 2


def counted(name: str, units: int) -> JSON:
    drawn = {"counterSet": "card", "counters": {"units": {"value": str(units)}}}
    return device(name, consumesCounters=[drawn])


def card() -> list[JSON]:
    """A whole device and its halves, which share the units of one counter."""
    sets = [{"name": "card", "counters": {"units": {"value": "2"}}}]
    pool = {"name": "node-1", "generation": 1, "resourceSliceCount": 2}
    counters = published(sharedCounters=sets, pool=pool)
    counters["metadata"]["name"] = "counters"
    devices = (counted("whole", 2), counted("half-0", 1), counted("half-1", 1))
    return [counters, published(*devices, pool=pool)]


def test_a_whole_device_is_never_beside_its_parts() -> None:
    pods = [user(f"pod-{n}", f"c-{n}") for n in range(2)]
    rig = rig_of(node(), CLASS, *card(), claim("c-0"), claim("c-1"), *pods)
    rig.settle()
    assert [devices_of(rig, f"c-{n}") for n in range(2)] == [["whole"], []]
    assert rig.told()[0] == (
        "FailedScheduling",
        (
            "0/1 nodes are available: 1 cannot allocate all claims. (claim default/c-1, request r: "
            "1 wanted, 0 of 3 devices fit (2 counters, 1 in-use))"
        ),
    )


def test_takes_the_node_that_has_the_devices() -> None:
    slices = published(device("gpu-0"), device("gpu-1"), on="node-2")
    rig = rig_of(
        node(),
        node("node-2"),
        CLASS,
        published(device()),
        slices,
        claim(count=2),
        USER,
    )
    rig.settle()
    assert rig.node_of() == "node-2"


def test_takes_the_node_of_the_best_alternative() -> None:
    def named(name: str) -> JSON:
        cel = {"expression": f'device.attributes["{DRIVER}"].kind == "{name}"'}
        return wish(name=name, selectors=[{"cel": cel}])

    slices = [
        published(device(attributes={"kind": {"string": kind}}), on=on)
        for on, kind in (("node-1", "small"), ("node-2", "large"))
    ]
    asked = [named("large"), named("small")]
    rig = rig_of(node(), node("node-2"), CLASS, *slices, claim(firstAvailable=asked), USER)
    rig.settle()
    assert rig.node_of() == "node-2"


def test_a_claim_of_two_pods_is_allocated_once_and_keeps_them_together() -> None:
    nodes = [node(), node("node-2")]
    slices = [published(device(), on=each) for each in ("node-1", "node-2")]
    rig = rig_of(*nodes, CLASS, *slices, claim(), USER, user("other", "claim"))
    rig.settle()
    assert rig.node_of() == rig.node_of("other") is not None
    assert {each["name"] for each in rig.claim()["status"]["reservedFor"]} == {"pod", "other"}


@cases(
    ("given", "told"),
    {
        "no-class": (
            [claim(), published(device())],
            (
                "0/1 nodes are available: request r: device class gpu does not exist. "
                "no new claims to deallocate"
            ),
        ),
        "no-slice": (
            [CLASS, claim()],
            (
                "0/1 nodes are available: 1 cannot allocate all claims. "
                "(claim default/claim, request r: 1 wanted, 0 of 0 devices fit)"
            ),
        ),
        "incomplete-pool": (
            [
                CLASS,
                claim(),
                published(
                    device(), pool={"name": "node-1", "generation": 1, "resourceSliceCount": 2}
                ),
            ],
            (
                "0/1 nodes are available: 1 cannot allocate all claims. "
                "(claim default/claim, request r: 1 wanted, 0 of 0 devices fit)"
            ),
        ),
    },
)
def test_says_what_is_missing(given: list[JSON], told: str) -> None:
    rig = rig_of(node(), USER, *given)
    rig.settle()
    assert rig.told() == [("FailedScheduling", told)]
    assert rig.pod()["status"]["conditions"][0]["reason"] == "Unschedulable"


def test_a_selector_that_fails_ends_the_attempt_with_an_error() -> None:
    cel = {"expression": f'device.attributes["{DRIVER}"].absent == 1'}
    rig = rig_of(node(), CLASS, published(device()), claim(selectors=[{"cel": cel}]), USER)
    rig.part.process(KEY)
    ((_, message),) = rig.told()
    assert message == (
        'running "DynamicResources" filter plugin: claim default/claim: selector #0 on device '
        f"{DRIVER}/node-1/gpu-0: CEL runtime error: no such key: absent"
    )
    assert rig.pod()["status"]["conditions"][0]["reason"] == "SchedulerError"


@cases(
    "change",
    {
        "slice": lambda rig: rig.put(published(device("gpu-0"), device("gpu-1"))),
        "class": lambda rig: rig.put({**CLASS, "metadata": {"name": "another"}}),
        "freed": lambda rig: free(rig, "busy"),
        "deleted": lambda rig: rig.api.remove(STRUCTURED.claims, "busy", "default"),
    },
)
def test_looks_again_when_devices_may_be_had(change: Any) -> None:
    rig = rig_of(node(), CLASS, published(device()), claim("busy"), user("first", "busy"))
    rig.settle()
    rig.put(claim())
    rig.put(USER)
    rig.sync()
    rig.settle()
    assert rig.node_of() is None
    rig.time += 20
    change(rig)
    rig.sync()
    assert KEY in rig.due()


def test_what_is_freed_is_given_to_who_waits() -> None:
    rig = rig_of(node(), CLASS, published(device()), claim("busy"), user("first", "busy"))
    rig.settle()
    rig.put(claim())
    rig.put(USER)
    rig.sync()
    rig.settle()
    rig.time += 20
    free(rig, "busy")
    rig.settle()
    assert devices_of(rig) == ["gpu-0"]


def test_frees_a_claim_that_keeps_its_only_pod_from_every_node() -> None:
    rig = rig_of(node(), CLASS, published(device()), claim(), user("first", "claim"))
    rig.settle()
    rig.api.remove(rig.resources["Pod"], "first", "default")
    stored = rig.claim()
    stored["status"]["reservedFor"] = [{"resource": "pods", "name": "pod", "uid": "uid-pod"}]
    rig.api.rewrite(stored)
    rig.put(node(unschedulable=True))
    rig.put(node("node-2"))
    rig.put(published(device("gpu-9"), on="node-2"))
    rig.put(USER)
    rig.sync()
    rig.settle()
    assert "deallocation of ResourceClaim completed" in rig.told()[0][1]
    rig.time += 20
    rig.settle()
    assert (rig.node_of(), devices_of(rig)) == ("node-2", ["gpu-9"])


@pytest.mark.parametrize("verb", ["resourceclaims", "resourceclaims/status", "pods/pod/binding"])
def test_a_refused_write_leaves_no_pod_that_uses_what_it_has_not(verb: str) -> None:
    rig = rig_of(node(), CLASS, published(device()), claim(), USER)
    failures = iter([Invalid(422, "Invalid", "no", {})])
    rig.api.fault = lambda _verb, plural, _body: next(failures, None) if plural == verb else None
    rig.part.process(KEY)
    assert rig.node_of() is None
    assert not rig.claim().get("status", {}).get("reservedFor")
    rig.sync()
    rig.time += 20
    rig.settle()
    assert (rig.node_of(), devices_of(rig)) == ("node-1", ["gpu-0"])


def test_a_conflict_is_tried_again() -> None:
    rig = rig_of(node(), CLASS, published(device()), claim(), USER)
    failures = iter([Conflict(409, "Conflict", "changed", {})])
    rig.api.fault = lambda _verb, plural, _body: (
        next(failures, None) if plural == "resourceclaims/status" else None
    )
    rig.part.process(KEY)
    rig.sync()
    rig.time += 20
    rig.settle()
    assert (rig.node_of(), rig.told()) == ("node-1", [])


def test_shares_of_a_device_have_ids_of_their_own() -> None:
    capacity = {"memory": {"value": "8Gi"}}
    shared = device(allowMultipleAllocations=True, capacity=capacity)
    asked = {"capacity": {"requests": {"memory": "4Gi"}}}
    names = ("a", "b", "c")
    rig = rig_of(
        node(),
        CLASS,
        published(shared),
        *(claim(name, **asked) for name in names),
        *(user(f"pod-{name}", name) for name in names),
    )
    rig.settle()
    found = [
        each
        for name in names
        for each in ((rig.claim(name).get("status") or {}).get("allocation") or {"devices": {}})[
            "devices"
        ].get("results", ())
    ]
    assert [each["consumedCapacity"] for each in found] == [{"memory": "4Gi"}] * 2
    assert len({each["shareID"] for each in found}) == 2


def test_a_rule_keeps_pods_from_devices() -> None:
    tainted = rule("NoSchedule", device="gpu-0")
    slices = published(device("gpu-0"), device("gpu-1"))
    rig = rig_of(node(), CLASS, slices, tainted, claim(), USER)
    rig.settle()
    assert devices_of(rig) == ["gpu-1"]


def test_a_rule_that_goes_lets_a_pod_have_its_device() -> None:
    rig = rig_of(node(), CLASS, published(device()), rule("NoSchedule"), claim(), USER)
    rig.settle()
    assert rig.node_of() is None
    rig.api.remove(rig.resources["DeviceTaintRule"], "rule", None)
    rig.sync()
    rig.time += 20
    rig.settle()
    assert rig.node_of() == "node-1"
