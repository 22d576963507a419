"""What speaks against a node, and how little of a Node is kept to know that."""

import json
from typing import Any

import pytest

from api.objects import JSON
from controller.decide.nodehealth import Objection, Severity, objection, trimmed
from tests.support.build import node

CLOSED, SILENT, TAINTED = Severity.CLOSED, Severity.SILENT, Severity.TAINTED


def taint(key: str, effect: str = "NoSchedule", **fields: str) -> JSON:
    return {"key": key, "effect": effect, **fields}


CORDON = taint("node.kubernetes.io/unschedulable")
TOLERABLE = "so that only pods which tolerate that can use the claim"


@pytest.mark.parametrize(
    ("given", "silent", "severity", "text"),
    [
        (node(), False, None, ""),
        (node(taints=[taint("a", "PreferNoSchedule")]), False, None, ""),
        (node(unschedulable=False, taints=[]), False, None, ""),
        ({"metadata": {"name": "node-1"}}, False, None, ""),
        (None, False, CLOSED, "its Node does not exist"),
        (None, True, CLOSED, "its Node does not exist"),
        (node(unschedulable=True, taints=[CORDON]), False, CLOSED, "it is cordoned"),
        (node(taints=[CORDON]), False, CLOSED, f"it has the taint {CORDON['key']}:NoSchedule"),
        (node(ready=False), True, CLOSED, "its kubelet is not ready (no reason given)"),
        (
            node(taints=[taint("own"), taint("node.kubernetes.io/disk-pressure")]),
            False,
            CLOSED,
            "it has the taint node.kubernetes.io/disk-pressure:NoSchedule",
        ),
        (
            node(taints=[taint("node.cloudprovider.kubernetes.io/shutdown", "NoExecute")]),
            False,
            CLOSED,
            "it has the taint node.cloudprovider.kubernetes.io/shutdown:NoExecute",
        ),
        (node(taints=[taint("own")]), True, SILENT, "its plugin has stopped sending heartbeats"),
        (
            node(taints=[taint("soft", "PreferNoSchedule"), taint("own", "NoExecute", value="x")]),
            False,
            TAINTED,
            f"it has the taint own=x:NoExecute, {TOLERABLE}",
        ),
        (
            node(taints=[taint("node-role.kubernetes.io/control-plane")]),
            False,
            TAINTED,
            f"it has the taint node-role.kubernetes.io/control-plane:NoSchedule, {TOLERABLE}",
        ),
    ],
)
def test_the_worst_is_told(
    given: JSON | None, silent: bool, severity: Severity | None, text: str
) -> None:
    expected = None if severity is None else Objection(severity, text)
    assert objection(given, silent=silent) == expected
    kept = None if given is None else trimmed(given)
    assert objection(kept, silent=silent) == expected


def test_the_reason_of_the_kubelet_is_told() -> None:
    raw = node()
    raw["status"]["conditions"] = [
        {"type": "MemoryPressure", "status": "Unknown", "reason": "NodeStatusUnknown"},
        {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"},
    ]
    found = objection(trimmed(raw), silent=False)
    assert found == Objection(CLOSED, "its kubelet is not ready (NodeStatusUnknown)")


def test_little_is_kept_of_a_node() -> None:
    raw: Any = node(taints=[taint("own")], podCIDR="10.0.0.0/24", providerID="x")
    raw["metadata"] |= {"resourceVersion": "7", "annotations": {"a": "b"}, "managedFields": [{}]}
    raw["status"] |= {"images": [{"names": ["i" * 100]}] * 50, "addresses": [{}]}
    raw["status"]["conditions"][0] |= {"reason": "KubeletReady", "lastHeartbeatTime": "now"}
    before = json.dumps(raw)
    assert trimmed(raw) == {
        "metadata": {
            "name": "node-1",
            "uid": "uid-node-1",
            "resourceVersion": "7",
            "labels": {"host": "node-1"},
        },
        "spec": {"taints": [taint("own")]},
        "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]},
    }
    assert json.dumps(raw) == before
