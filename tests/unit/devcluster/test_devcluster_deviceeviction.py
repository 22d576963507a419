"""Who has to leave a device with a NoExecute taint, and when."""

from typing import Any

import pytest

from api.objects import JSON
from tests.support.controlplanerig import ControlRig, eviction_rig
from tests.support.structuredobjects import DRIVER, device
from tests.support.structuredworld import claim, published, rule, user
from tests.support.tables import cases

TAINT: JSON = {
    "key": "example.com/broken",
    "effect": "NoExecute",
    "timeAdded": "1970-01-01T00:16:00Z",
}
ANYTHING: JSON = {"operator": "Exists"}


def used(name: str, *pods: str, gpu: str = "gpu-0", **result: Any) -> JSON:
    found = {"request": "r", "driver": DRIVER, "pool": "node-1", "device": gpu, **result}
    consumers = [{"resource": "pods", "name": pod, "uid": f"uid-{pod}"} for pod in pods]
    status = {"allocation": {"devices": {"results": [found]}}, "reservedFor": consumers}
    return {**claim(name), "status": status}


def left(rig: ControlRig) -> set[str]:
    pods = rig.api.all(rig.resources["Pod"])
    return {p["metadata"]["name"] for p in pods if "deletionTimestamp" not in p["metadata"]}


@cases(
    ("given", "stay"),
    {
        "slice": ([published(device("gpu-0", taints=[TAINT]), device("gpu-1"))], {"other"}),
        "rule": ([rule("NoExecute", device="gpu-0")], {"other"}),
        "rule-of-the-pool": ([rule("NoExecute", driver=DRIVER, pool="node-1")], set()),
        "rule-of-another-pool": ([rule("NoExecute", pool="node-2")], {"a", "b", "other"}),
        "no-schedule": ([rule("NoSchedule")], {"a", "b", "other"}),
        "none": ([], {"a", "b", "other"}),
    },
)
def test_pods_leave_tainted_devices(given: list[JSON], stay: set[str]) -> None:
    slices = [] if any(each["kind"] == "ResourceSlice" for each in given) else SLICES
    pods = [user("a", "one"), user("b", "one"), user("other", "two")]
    claims = [used("one", "a", "b"), used("two", "other", gpu="gpu-1")]
    rig = eviction_rig(*pods, *claims, *slices, *given)
    rig.settle()
    assert left(rig) == stay
    assert rig.told("normal") == [
        ("DeviceTaintManagerEviction", f"Marking for deletion Pod default/{name}")
        for name in ("a", "b", "other")
        if name not in stay
    ]


SLICES = [published(device("gpu-0"), device("gpu-1"))]


@cases(
    ("tolerations", "seconds"),
    {
        "none": ([], 0),
        "other-key": ([{"key": "x", "operator": "Exists"}], 0),
        "other-effect": ([{**ANYTHING, "effect": "NoSchedule"}], 0),
        "for-ever": ([ANYTHING], None),
        "for-a-time": ([{**ANYTHING, "tolerationSeconds": 100}], 60),
        "for-the-shorter-time": (
            [ANYTHING, *({**ANYTHING, "tolerationSeconds": each} for each in (200, 100))],
            60,
        ),
        "for-less-than-nothing": ([{**ANYTHING, "tolerationSeconds": -5}], 0),
    },
)
def test_tolerations_delay(tolerations: list[JSON], seconds: int | None) -> None:
    """The taint is from 40 seconds ago."""
    claims = [used("one", "a", tolerations=tolerations)]
    rig = eviction_rig(user("a", "one"), *claims, *SLICES, rule("NoExecute"))
    rig.settle()
    assert (left(rig) == set()) is (seconds == 0)
    if seconds:
        rig.part.queue.add("devices")
        rig.time += seconds
        rig.settle()
        assert left(rig) == set()


@pytest.mark.parametrize("change", ["uid", "unused"])
def test_who_does_not_use_the_claim_stays(change: str) -> None:
    made = used("one", *(["a"] if change == "uid" else []))
    pod = user("a", "one")
    pod["metadata"]["uid"] = "uid-another"
    rig = eviction_rig(pod, made, *SLICES, rule("NoExecute"))
    rig.settle()
    assert left(rig) == {"a"}
    assert rig.api.writes() == []
