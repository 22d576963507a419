"""Pods that wait, on their node, for the devices that they were given."""

import pytest

from api.claims.versions import read_claim
from api.objects import JSON
from devcluster.bindingconditions import is_ready
from devcluster.claimapi import STRUCTURED
from devcluster.errors import DevicesNotReady
from tests.support.build import node
from tests.support.controlplanerig import ControlRig, scheduler_rig
from tests.support.structuredobjects import DRIVER, device
from tests.support.structuredworld import CLASS, claim, published, user
from tests.support.tables import cases

KEY = "default/pod"
USER = user("pod", "claim")
AWAITED = {"bindingConditions": ["Ready"], "bindingFailureConditions": ["Broken"]}
NAMED = {"driver": DRIVER, "pool": "node-1", "device": "gpu-0"}
SINCE = "1970-01-01T00:16:40Z"
FAILED = (
    'running PreBind plugin "DynamicResources": device binding failed: claim=claim, reason=Lost, '
    'message="no answer"'
)
TIMEOUT = 'running PreBind plugin "DynamicResources": device binding timeout: claim=claim'


def condition(kind: str, status: str = "True", **others: str) -> JSON:
    """Return a condition as a driver writes it."""
    made = {"type": kind, "status": status, "reason": "Lost", "message": "no answer"}
    return {**made, "lastTransitionTime": SINCE, **others}


def allocated(*results: JSON, shown: list[JSON] | None = None) -> JSON:
    """Return a claim that was allocated 1,000 seconds after the epoch."""
    allocation = {"devices": {"results": [*results]}, "allocationTimestamp": SINCE}
    return {**claim(), "status": {"allocation": allocation, "devices": shown or []}}


@cases(
    ("results", "shown", "expected"),
    {
        "no conditions": ([NAMED], [], True),
        "nothing is said": ([{**NAMED, **AWAITED}], [], False),
        "not true": (
            [{**NAMED, **AWAITED}],
            [{**NAMED, "conditions": [condition("Ready", "False")]}],
            False,
        ),
        "of another device": (
            [{**NAMED, **AWAITED}],
            [{**NAMED, "device": "gpu-1", "conditions": [condition("Ready")]}],
            False,
        ),
        "true": (
            [{**NAMED, **AWAITED}],
            [{**NAMED, "conditions": [condition("Ready"), condition("Broken", "False")]}],
            True,
        ),
        "one of two devices": (
            [{**NAMED, **AWAITED}, {**NAMED, **AWAITED, "device": "gpu-1"}],
            [{**NAMED, "conditions": [condition("Ready")]}],
            False,
        ),
        "the first share speaks for all": (
            [{**NAMED, **AWAITED, "shareID": "b"}],
            [{**NAMED, "shareID": "a", "conditions": [condition("Ready")]}],
            True,
        ),
    },
)
def test_devices_are_ready(results: list[JSON], shown: list[JSON], *, expected: bool) -> None:
    assert is_ready(read_claim(allocated(*results, shown=shown)), 1000.0) is expected


@cases(
    ("kind", "now", "message"),
    {
        "a device has failed": (
            "Broken",
            1000.0,
            'device binding failed: claim=claim, reason=Lost, message="no answer"',
        ),
        "it takes too long": ("Other", 1600.1, "device binding timeout: claim=claim"),
    },
)
def test_devices_that_will_not_be_ready(kind: str, now: float, message: str) -> None:
    shown = [{**NAMED, "conditions": [condition(kind)]}]
    with pytest.raises(DevicesNotReady) as raised:
        is_ready(read_claim(allocated({**NAMED, **AWAITED}, shown=shown)), now)
    assert str(raised.value) == message


def test_devices_that_are_ready_late_are_ready() -> None:
    shown = [{**NAMED, "conditions": [condition("Ready")]}]
    assert is_ready(read_claim(allocated({**NAMED, **AWAITED}, shown=shown)), 9999.0)


def test_a_claim_without_devices_is_not_ready() -> None:
    assert not is_ready(read_claim(claim()), 1000.0)


def waiting(*others: JSON) -> ControlRig:
    """Return a scheduler whose pod has a device that is not ready."""
    slices = published(device(**AWAITED), device("gpu-1", **AWAITED))
    rig = scheduler_rig(node(), CLASS, slices, claim(), USER, *others, known=STRUCTURED)
    rig.settle()
    assert rig.node_of() is None
    return rig


def say(rig: ControlRig, *conditions: JSON) -> None:
    """Write conditions of the pod's device, as its driver does."""
    stored = rig.claim()
    (result,) = stored["status"]["allocation"]["devices"]["results"]
    named = {field: result[field] for field in ("driver", "pool", "device")}
    stored["status"]["devices"] = [{**named, "conditions": [*conditions]}]
    rig.api.rewrite(stored)
    rig.sync()


def test_a_pod_is_bound_once_its_device_is_ready() -> None:
    rig = waiting()
    status = rig.claim()["status"]
    (result,) = status["allocation"]["devices"]["results"]
    assert AWAITED.items() <= result.items()
    assert [each["uid"] for each in status["reservedFor"]] == ["uid-pod"]
    text = "waiting for binding conditions for device on node node-1"
    assert rig.told("normal") == [("BindingConditionsPending", text)]
    say(rig, condition("Ready"))
    rig.settle()
    assert rig.node_of() == "node-1"
    assert rig.told("normal")[1][0] == "Scheduled"
    assert rig.told() == []


def test_a_pod_that_waits_is_told_of_once_and_looked_at_now_and_then() -> None:
    rig = waiting()
    for _ in range(3):
        rig.time += 5.0
        rig.settle()
    assert len(rig.told("normal")) == 1
    stored = rig.claim()
    stored["status"]["devices"] = [{**NAMED, "conditions": [condition("Ready")]}]
    rig.api.rewrite(stored)
    # no event: the cache alone knows
    rig.part.caches[STRUCTURED.claims].replace(rig.api.all(STRUCTURED.claims), rig.api.version())
    rig.due()
    rig.time += 5.0
    rig.settle()
    assert rig.node_of() == "node-1"


def test_devices_that_failed_are_given_back_and_others_are_tried() -> None:
    rig = waiting()
    say(rig, condition("Broken"))
    rig.settle()
    assert rig.told() == [("FailedScheduling", FAILED)]
    assert rig.node_of() is None
    assert "reservedFor" not in rig.claim()["status"]
    rig.time += 1.0
    rig.settle()
    assert rig.told()[1][1].endswith("deallocation of ResourceClaim completed")
    assert rig.claim().get("status", {}).get("allocation") is None
    rig.time += 2.0
    rig.settle()
    say(rig, condition("Ready"))
    rig.settle()
    assert rig.node_of() == "node-1"


def test_devices_that_are_not_ready_in_ten_minutes_are_given_back() -> None:
    rig = waiting()
    rig.time += 600.0
    rig.settle()
    assert rig.told() == []
    rig.time += 5.0
    rig.settle()
    assert rig.told() == [("FailedScheduling", TIMEOUT)]
    rig.time += 1.0
    rig.settle()
    assert rig.claim().get("status", {}).get("allocation") is None


def test_a_pod_whose_claim_was_freed_by_others_waits_no_longer_than_that() -> None:
    rig = waiting()
    stored = rig.claim()
    del stored["status"]["allocation"]
    rig.api.rewrite(stored)
    rig.sync()
    rig.settle()
    rig.time += 605.0
    rig.settle()
    (told,) = rig.told()
    assert told[1].endswith("device binding timeout: context deadline exceeded")
    rig.time += 1.0
    rig.settle()
    assert rig.claim()["status"]["allocation"]


def test_a_second_pod_waits_for_the_same_devices() -> None:
    rig = waiting(user("other", "claim"))
    assert {each["name"] for each in rig.claim()["status"]["reservedFor"]} == {"pod", "other"}
    say(rig, condition("Ready"))
    rig.settle()
    assert (rig.node_of(), rig.node_of("other")) == ("node-1", "node-1")


def test_a_pod_that_goes_while_it_waits_is_forgotten() -> None:
    rig = waiting()
    rig.api.remove(rig.resources["Pod"], KEY)
    rig.sync()
    rig.put({**USER, "metadata": {**USER["metadata"], "uid": "uid-next"}})
    rig.sync()
    rig.settle()
    assert rig.pod()["spec"].get("nodeName") is None
    assert [text for _, text in rig.told("normal")].count(
        "waiting for binding conditions for device on node node-1"
    ) == 2


def test_a_pod_whose_devices_are_ready_at_once_waits_for_nothing() -> None:
    rig = scheduler_rig(node(), CLASS, published(device()), claim(), USER, known=STRUCTURED)
    rig.settle()
    assert [reason for reason, _ in rig.told("normal")] == ["Scheduled"]
