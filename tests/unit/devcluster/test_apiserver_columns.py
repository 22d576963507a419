"""What kubectl get shows of the built-in kinds."""

from datetime import UTC, datetime
from typing import Any

import pytest

from devcluster.apiserver.columns import columns_of
from tests.support.tables import cases

JSON = dict[str, Any]

NOW = datetime(2024, 5, 6, 12, 0, 0, tzinfo=UTC)
META = {"name": "n", "creationTimestamp": "2024-05-06T11:00:00Z"}
RESOURCE = "resource.k8s.io"


def shown(group: str, kind: str, obj: JSON) -> dict[str, object]:
    """Return the cells of an object by column."""
    whole = {**obj, "metadata": {**META, **obj.get("metadata", {})}}
    return {column.name: column.read(whole, NOW) for column in columns_of(group, kind)}


def container(state: JSON, *, ready: bool = False, restarts: int = 0, **more: Any) -> JSON:
    return {"name": "c", "ready": ready, "restartCount": restarts, "state": state, **more}


RUNNING: JSON = {"running": {}}
DONE: JSON = {"terminated": {"exitCode": 0, "reason": "Completed"}}
DELETED = {"metadata": {"deletionTimestamp": "2024-05-06T12:00:00Z"}}


def pod(*statuses: JSON, phase: str = "Running", **status: Any) -> JSON:
    spec = {"containers": [{"name": "c"}] * max(len(statuses), 1), "initContainers": [{}, {}]}
    return {"spec": spec, "status": {"phase": phase, "containerStatuses": [*statuses], **status}}


def waiting(reason: str) -> JSON:
    return container({"waiting": {"reason": reason}})


def gated(reason: str) -> JSON:
    condition = {"type": "PodScheduled", "status": "False", "reason": reason}
    return pod(phase="Pending", conditions=[condition])


def initial(*states: JSON, **status: Any) -> JSON:
    statuses = [container(state) for state in states]
    return pod(
        waiting("PodInitializing"), phase="Pending", initContainerStatuses=statuses, **status
    )


READY = {"type": "Ready", "status": "True"}
PODS = {
    "fresh": ({"spec": {"containers": [{}]}}, "", "0/1"),
    "pending": (pod(phase="Pending"), "Pending", "0/1"),
    "unschedulable": (gated("Unschedulable"), "Pending", "0/1"),
    "gated": (gated("SchedulingGated"), "SchedulingGated", "0/1"),
    "creating": (pod(waiting("ContainerCreating"), phase="Pending"), "ContainerCreating", "0/1"),
    "running": (pod(container(RUNNING, ready=True)), "Running", "1/1"),
    "not-ready": (pod(container(RUNNING)), "Running", "0/1"),
    "crashing": (pod(waiting("CrashLoopBackOff")), "CrashLoopBackOff", "0/1"),
    "completed": (pod(container(DONE), phase="Succeeded"), "Completed", "0/1"),
    "one-completed": (pod(container(DONE), container(RUNNING, ready=True)), "NotReady", "1/2"),
    "one-completed-ready": (
        pod(container(DONE), container(RUNNING, ready=True), conditions=[READY]),
        "Running",
        "1/2",
    ),
    "error": (
        pod(container({"terminated": {"exitCode": 1, "reason": "Error"}}), phase="Failed"),
        "Error",
        "0/1",
    ),
    "exit-code": (pod(container({"terminated": {"exitCode": 3}})), "ExitCode:3", "0/1"),
    "signal": (pod(container({"terminated": {"signal": 9}})), "Signal:9", "0/1"),
    "evicted": (pod(phase="Failed", reason="Evicted"), "Evicted", "0/1"),
    "terminating": ({**pod(container(RUNNING, ready=True)), **DELETED}, "Terminating", "1/1"),
    "terminating-done": (
        {**pod(container(DONE), phase="Succeeded"), **DELETED},
        "Completed",
        "0/1",
    ),
    "node-lost": ({**pod(reason="NodeLost"), **DELETED}, "Unknown", "0/1"),
    "init-first": (initial(RUNNING, {"waiting": {}}), "Init:0/2", "0/1"),
    "init-second": (initial(DONE, RUNNING), "Init:1/2", "0/1"),
    "init-waiting": (initial({"waiting": {"reason": "ErrImagePull"}}), "Init:ErrImagePull", "0/1"),
    "init-queued": (initial({"waiting": {"reason": "PodInitializing"}}), "Init:0/2", "0/1"),
    "init-failed": (initial({"terminated": {"exitCode": 2}}), "Init:ExitCode:2", "0/1"),
    "init-error": (
        initial({"terminated": {"exitCode": 2, "reason": "Error"}}),
        "Init:Error",
        "0/1",
    ),
    "init-done": (initial(DONE, DONE), "PodInitializing", "0/1"),
    "init-repeated": (
        initial(RUNNING, conditions=[{"type": "Initialized", "status": "True"}]),
        "PodInitializing",
        "0/1",
    ),
}


@cases(("obj", "status", "ready"), PODS)
def test_pod_status(obj: JSON, status: str, ready: str) -> None:
    cells = shown("", "Pod", obj)
    assert (cells["Status"], cells["Ready"]) == (status, ready)


@cases(
    ("count", "ended", "text"),
    {
        "none": (0, None, "0"),
        "unknown-time": (2, None, "2"),
        "five-minutes-ago": (2, "2024-05-06T11:55:00Z", "2 (5m ago)"),
    },
)
def test_pod_restarts(count: int, ended: str | None, text: str) -> None:
    last = {"lastState": {"terminated": {"finishedAt": ended}}} if ended else {}
    obj = pod(container(RUNNING, restarts=count, **last))
    assert shown("", "Pod", obj)["Restarts"] == text


def test_restarts_of_init_containers_count_until_they_are_done() -> None:
    statuses = [container(RUNNING, restarts=3)]
    obj = pod(container({"waiting": {}}, restarts=1), initContainerStatuses=statuses)
    assert shown("", "Pod", obj)["Restarts"] == "3"


def test_wide_pod() -> None:
    obj = pod(container(RUNNING, ready=True), podIP="10.0.0.1", nominatedNodeName="b")
    obj["spec"].update(nodeName="a", readinessGates=[{"conditionType": "g"}])
    wide = {"IP": "10.0.0.1", "Node": "a", "Nominated Node": "b", "Readiness Gates": "0/1"}
    assert shown("", "Pod", obj).items() >= wide.items()
    empty = dict.fromkeys(wide, "<none>")
    assert shown("", "Pod", {}).items() >= empty.items()


def node(status: str | None, *, cordoned: bool = False) -> JSON:
    conditions = [{"type": "Ready", "status": status}] if status else []
    return {"spec": {"unschedulable": cordoned}, "status": {"conditions": conditions}}


EVENT = {
    "type": "Warning",
    "reason": "Failed",
    "message": " no device \n",
    "involvedObject": {"kind": "ResourceClaim", "name": "c", "fieldPath": "spec"},
    "source": {"component": "controller", "host": "a"},
    "count": 4,
    "firstTimestamp": "2024-05-06T11:50:00Z",
    "lastTimestamp": "2024-05-06T11:55:00Z",
}
CLAIM = {"resourceClassName": "fake", "allocationMode": "Immediate"}
USED = {"allocation": {}, "reservedFor": [{"uid": "u"}]}

CASES = {
    "node": (("", "Node"), node("True"), {"Status": "Ready", "Roles": "<none>", "Age": "60m"}),
    "node-not-ready": (("", "Node"), node("False"), {"Status": "NotReady"}),
    "node-lost": (("", "Node"), node("Unknown"), {"Status": "NotReady"}),
    "node-unknown": (("", "Node"), node(None), {"Status": "Unknown", "Version": ""}),
    "node-cordoned": (
        ("", "Node"),
        node("True", cordoned=True),
        {"Status": "Ready,SchedulingDisabled"},
    ),
    "node-roles": (
        ("", "Node"),
        {
            "metadata": {
                "labels": {"node-role.kubernetes.io/b": "", "node-role.kubernetes.io/a": ""}
            }
        },
        {"Roles": "a,b"},
    ),
    "node-wide": (
        ("", "Node"),
        {
            "status": {
                "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
                "nodeInfo": {"kubeletVersion": "v1.30.0", "osImage": "Linux"},
            }
        },
        {
            "Version": "v1.30.0",
            "Internal-IP": "10.0.0.1",
            "External-IP": "<none>",
            "OS-Image": "Linux",
            "Kernel-Version": "<unknown>",
            "Container-Runtime": "<unknown>",
        },
    ),
    "namespace": (("", "Namespace"), {"status": {"phase": "Active"}}, {"Status": "Active"}),
    "event": (
        ("", "Event"),
        EVENT,
        {
            "Last Seen": "5m",
            "Type": "Warning",
            "Reason": "Failed",
            "Object": "resourceclaim/c",
            "Subobject": "spec",
            "Source": "controller, a",
            "Message": "no device",
            "First Seen": "10m",
            "Count": 4,
            "Name": "n",
        },
    ),
    "event-series": (
        ("", "Event"),
        {
            "eventTime": "2024-05-06T11:50:00Z",
            "series": {"count": 7, "lastObservedTime": "2024-05-06T11:58:00Z"},
            "reportingComponent": "scheduler",
            "involvedObject": {"kind": "Pod"},
        },
        {
            "Last Seen": "2m",
            "First Seen": "10m",
            "Count": 7,
            "Source": "scheduler",
            "Object": "pod",
        },
    ),
    "event-once": (
        ("", "Event"),
        {"eventTime": "2024-05-06T11:50:00Z"},
        {"Last Seen": "10m", "Count": 1},
    ),
    "config-map": (("", "ConfigMap"), {"data": {"a": ""}, "binaryData": {"b": ""}}, {"Data": 2}),
    "secret": (
        ("", "Secret"),
        {"type": "Opaque", "data": {"a": ""}},
        {"Type": "Opaque", "Data": 1},
    ),
    "service-account": (("", "ServiceAccount"), {}, {"Secrets": 0}),
    "lease": (("coordination.k8s.io", "Lease"), {"spec": {"holderIdentity": "a"}}, {"Holder": "a"}),
    "claim-pending": (
        (RESOURCE, "ResourceClaim"),
        {"spec": CLAIM},
        {
            "Name": "n",
            "ResourceClassName": "fake",
            "AllocationMode": "Immediate",
            "State": "pending",
            "Age": "60m",
        },
    ),
    "claim-allocated": (
        (RESOURCE, "ResourceClaim"),
        {"status": {"allocation": {}}},
        {"State": "allocated"},
    ),
    "claim-reserved": (
        (RESOURCE, "ResourceClaim"),
        {"status": USED},
        {"State": "allocated,reserved"},
    ),
    "claim-deleted": ((RESOURCE, "ResourceClaim"), DELETED, {"State": "deleted"}),
    "claim-deleted-reserved": (
        (RESOURCE, "ResourceClaim"),
        {**DELETED, "status": USED},
        {"State": "deleted,allocated,reserved"},
    ),
    "template": (
        (RESOURCE, "ResourceClaimTemplate"),
        {"spec": {"spec": CLAIM}},
        {"ResourceClassName": "fake", "AllocationMode": "Immediate"},
    ),
    "class": ((RESOURCE, "ResourceClass"), {"driverName": "d"}, {"DriverName": "d"}),
    "scheduling": (
        (RESOURCE, "PodSchedulingContext"),
        {"spec": {"selectedNode": "a"}},
        {"SelectedNode": "a", "Age": "60m"},
    ),
    "definition": (
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        {},
        {"Created At": "2024-05-06T11:00:00Z"},
    ),
    "deployment": (
        ("apps", "Deployment"),
        {
            "spec": {
                "replicas": 3,
                "selector": {
                    "matchLabels": {"b": "2", "a": "1"},
                    "matchExpressions": [
                        {"key": "c", "operator": "In", "values": ["y", "x"]},
                        {"key": "d", "operator": "NotIn", "values": ["z"]},
                        {"key": "e", "operator": "Exists"},
                        {"key": "f", "operator": "DoesNotExist"},
                    ],
                },
                "template": {
                    "spec": {
                        "containers": [{"name": "c", "image": "i"}, {"name": "d", "image": "j"}]
                    }
                },
            },
            "status": {"readyReplicas": 2, "updatedReplicas": 1},
        },
        {
            "Ready": "2/3",
            "Up-to-date": 1,
            "Available": 0,
            "Containers": "c,d",
            "Images": "i,j",
            "Selector": "a=1,b=2,c in (x,y),d notin (z),e,!f",
        },
    ),
    "replica-set": (
        ("apps", "ReplicaSet"),
        {"spec": {"replicas": 3}, "status": {"replicas": 2, "readyReplicas": 1}},
        {"Desired": 3, "Current": 2, "Ready": 1, "Selector": "<none>"},
    ),
    "job": (
        ("batch", "Job"),
        {
            "spec": {"completions": 4, "parallelism": 2},
            "status": {
                "succeeded": 4,
                "startTime": "2024-05-06T11:00:00Z",
                "completionTime": "2024-05-06T11:00:42Z",
            },
        },
        {"Completions": "4/4", "Duration": "42s"},
    ),
    "job-that-runs": (
        ("batch", "Job"),
        {"spec": {"parallelism": 1}, "status": {"startTime": "2024-05-06T11:55:00Z"}},
        {"Completions": "0/1", "Duration": "5m"},
    ),
    "job-with-a-queue": (
        ("batch", "Job"),
        {"spec": {"parallelism": 3}, "status": {}},
        {"Completions": "0/1 of 3", "Duration": ""},
    ),
    "any-other": (("batch", "CronJob"), {}, {"Name": "n", "Age": "60m"}),
}


@cases(("kind", "obj", "cells"), CASES)
def test_cells(kind: tuple[str, str], obj: JSON, cells: dict[str, object]) -> None:
    assert shown(*kind, obj).items() >= cells.items()


@pytest.mark.parametrize(
    ("kind", "narrow"),
    [
        ("Pod", ["Name", "Ready", "Status", "Restarts", "Age"]),
        ("Node", ["Name", "Status", "Roles", "Age", "Version"]),
        ("Event", ["Last Seen", "Type", "Reason", "Object", "Message"]),
    ],
)
def test_columns_without_wide(kind: str, narrow: list[str]) -> None:
    assert [column.name for column in columns_of("", kind) if not column.priority] == narrow


@pytest.mark.parametrize(("group", "kind"), sorted({kind for kind, _, _ in CASES.values()}))
def test_an_object_without_anything_has_cells_too(group: str, kind: str) -> None:
    assert shown(group, kind, {})
