"""The scheduler's loop on an API server in memory: from a waiting pod to a bound one."""

import pytest

from api.objects import JSON
from api.resources import DRA_V1ALPHA2, PODS
from kube.errors import Invalid, KubeError, NotFound
from tests.support.build import (
    POD_CLAIM,
    allocated,
    claim,
    deleted,
    node,
    pod,
    reserved,
    resource_class,
    templated_pod,
)
from tests.support.controlplanerig import ControlRig, scheduler_rig
from tests.support.tables import cases

KEY = "default/pod"
USER = pod("pod", (POD_CLAIM, "claim"))


def answered(context: JSON, **unsuitable: list[str]) -> JSON:
    entries = [{"name": n, "unsuitableNodes": nodes} for n, nodes in unsuitable.items()]
    return {**context, "status": {"resourceClaims": entries}}


def conditions(rig: ControlRig) -> list[tuple[str, str, str]]:
    found = (rig.pod().get("status") or {}).get("conditions") or []
    return [(c["type"], c["status"], c["reason"]) for c in found]


def test_binds_a_pod_without_claims() -> None:
    rig = scheduler_rig(node(), pod())
    rig.settle()
    assert rig.node_of() == "node-1"
    assert rig.told("normal") == [("Scheduled", "Successfully assigned default/pod to node-1")]
    assert rig.told() == []


def test_waits_for_a_node_and_tells_why() -> None:
    rig = scheduler_rig(pod())
    rig.settle()
    assert rig.told() == [("FailedScheduling", "no nodes available to schedule pods")]
    assert conditions(rig) == [("PodScheduled", "False", "Unschedulable")]
    rig.put(node())
    rig.sync()
    assert rig.due() == [KEY]


def eager(name: str, cpu: str, **fields: object) -> JSON:
    container = {"name": "main", "resources": {"requests": {"cpu": cpu}}}
    return pod(name, containers=[container], **fields)


def test_cpu_of_pods_that_were_just_bound_is_taken() -> None:
    """The watch need not have told of the first one."""
    room = {"allocatable": {"cpu": "2"}}
    given = node()
    rig = scheduler_rig(
        {**given, "status": {**given["status"], **room}}, eager("a", "1500m"), eager("b", "1")
    )
    rig.settle()
    assert rig.node_of("a") == "node-1"
    assert rig.told() == [("FailedScheduling", "0/1 nodes are available: 1 Insufficient cpu.")]


def test_looks_again_when_a_pod_leaves_its_node() -> None:
    room = {"allocatable": {"cpu": "2"}}
    given = node()
    there = eager("a", "1500m", nodeName="node-1")
    rig = scheduler_rig({**given, "status": {**given["status"], **room}}, there, eager("b", "1"))
    rig.settle()
    assert rig.node_of("b") is None
    rig.put({**there, "status": {"phase": "Succeeded"}})
    rig.sync()
    assert rig.due() == ["default/b"]


def test_negotiates_with_the_driver() -> None:
    """The walk of a claim: select, allocate, bind; kubernetes scheduling-select-immediately."""
    rig = scheduler_rig(node(), USER, claim(), resource_class())
    rig.settle()
    context = rig.context()
    assert context["spec"] == {"selectedNode": "node-1", "potentialNodes": ["node-1"]}
    assert context["metadata"]["ownerReferences"][0]["uid"] == "uid-pod"
    assert rig.told() == [("FailedScheduling", "waiting for resource driver")]
    assert conditions(rig) == [("PodScheduled", "False", "Unschedulable")]
    rig.put(reserved(allocated(rig.claim())))
    rig.sync()
    rig.settle()
    assert rig.node_of() == "node-1"
    assert not rig.has(DRA_V1ALPHA2.contexts)


def test_driver_answer_is_looked_at_without_back_off() -> None:
    two = pod("pod", ("a", "claim"), ("b", "other"))
    rig = scheduler_rig(node(), two, claim(), claim("other"), resource_class())
    rig.settle()
    assert "selectedNode" not in rig.context()["spec"]
    rig.put(answered(rig.context(), a=[], b=[]))
    rig.sync()
    rig.settle()
    assert rig.context()["spec"]["selectedNode"] == "node-1"


def test_second_answer_moves_the_selected_node() -> None:
    rig = scheduler_rig(node("node-1"), node("node-2"), USER, claim(), resource_class())
    rig.settle()
    first = rig.context()["spec"]["selectedNode"]
    rig.put(answered(rig.context(), **{POD_CLAIM: [first]}))
    rig.sync()
    rig.settle()
    (second,) = {"node-1", "node-2"} - {first}
    assert rig.context()["spec"]["selectedNode"] == second


def test_back_off_doubles_between_failures() -> None:
    rig = scheduler_rig(node(unschedulable=True), pod())
    rig.settle()
    pauses = []
    for number in range(6):
        rig.put({**rig.pod(), "metadata": {**rig.pod()["metadata"], "labels": {"n": str(number)}}})
        rig.sync()
        rig.settle()
        failed = len(rig.told())
        began = rig.time
        while len(rig.told()) == failed:
            rig.time += 0.5
            rig.settle()
        pauses.append(rig.time - began)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_one_pod_at_a_time_gets_an_unshared_claim() -> None:
    given = allocated(claim())
    given["status"]["allocation"]["shareable"] = False
    second = pod("second", (POD_CLAIM, "claim"))
    rig = scheduler_rig(node(), USER, second, given, resource_class())
    rig.settle()
    bound = [name for name in ("pod", "second") if rig.node_of(name)]
    assert len(bound) == len(rig.claim()["status"]["reservedFor"]) == 1
    rig.put({**rig.claim(), "status": given["status"]})
    rig.sync()
    rig.time += 10.0
    rig.settle()
    assert rig.node_of("pod") == rig.node_of("second") == "node-1"


@cases(
    ("given", "claims"),
    {
        "claim-not-generated": (templated_pod(), []),
        "claim-reference-missing": (USER, []),
        "claim-deleted": (USER, [deleted(claim())]),
        "wrong-claim": (templated_pod(made="claim"), [claim()]),
        "other-scheduler": (pod(schedulerName="mine"), []),
        "gated": (pod(schedulingGates=[{"name": "gate"}]), []),
        "pod-deleted": (deleted(pod()), []),
        "bound": (pod(nodeName="node-9"), []),
        "finished": ({**pod(), "status": {"phase": "Failed"}}, []),
    },
)
def test_leaves_pods_alone(given: JSON, claims: list[JSON]) -> None:
    """PreEnqueue of the plugin, and the filters of the scheduler's event handlers."""
    rig = scheduler_rig(node(), given, *claims, resource_class())
    rig.part.process(KEY)
    assert rig.api.writes() == []
    assert rig.told() == []


def test_bound_pod_is_not_bound_again_before_the_watch_tells() -> None:
    rig = scheduler_rig(node(), pod())
    rig.part.process(KEY)
    before = rig.api.writes()
    rig.part.process(KEY)
    assert rig.api.writes() == before


def test_assumed_pods_count_on_their_node() -> None:
    pods = [pod(f"pod-{i}") for i in range(6)]
    rig = scheduler_rig(node("node-1"), node("node-2"), node("node-3"), *pods)
    for given in pods:
        rig.part.process(f"default/{given['metadata']['name']}")
    nodes = sorted(str(rig.node_of(f"pod-{i}")) for i in range(6))
    assert nodes == ["node-1", "node-1", "node-2", "node-2", "node-3", "node-3"]


def test_pod_that_vanished_meanwhile_is_forgotten() -> None:
    rig = scheduler_rig(pod())
    rig.api.objects.pop((PODS.plural, "default/pod"))
    rig.part.process(KEY)
    rig.sync()
    assert rig.part.queue.retries(KEY) == 0
    with pytest.raises(KeyError):
        rig.pod()


def test_next_attempt_builds_on_what_the_last_one_wrote() -> None:
    rig = scheduler_rig(node(), USER, claim(), resource_class())
    rig.part.process(KEY)
    rig.part.process(KEY)
    assert rig.api.writes().count(("create", "podschedulingcontexts")) == 1
    assert rig.part.queue.retries(KEY) == 0
    waiting = "waiting for resource driver to provide information"
    assert rig.told()[-1][1] == f"0/1 nodes are available: 1 {waiting}."


def test_same_failure_is_written_once() -> None:
    rig = scheduler_rig(pod())
    rig.part.process(KEY)
    rig.time += 10.0
    rig.part.process(KEY)
    assert len(rig.told()) == 2
    assert rig.api.writes() == [("patch", "pods/status")]


def test_condition_keeps_its_transition_time() -> None:
    rig = scheduler_rig(pod())
    rig.settle()
    first = rig.pod()["status"]["conditions"][0]
    rig.put(node(unschedulable=True))
    rig.sync()
    rig.time += 60.0
    rig.settle()
    second = rig.pod()["status"]["conditions"][0]
    assert second["message"] != first["message"]
    assert second["lastTransitionTime"] == first["lastTransitionTime"]


def test_pod_that_the_claim_has_no_place_for_is_told_why_and_tried_again() -> None:
    """The 33rd consumer; the text is that of kube-scheduler 1.30.14."""
    full = (
        'ResourceClaim.resource.k8s.io "claim" is invalid: status.reservedFor: '
        "Too long: may not be longer than 32"
    )
    rig = scheduler_rig(node(), USER, reserved(allocated(claim()), "other"), resource_class())

    def fault(_verb: str, plural: str, _body: JSON | None) -> KubeError | None:
        return Invalid(422, "Invalid", full) if plural == "resourceclaims/status" else None

    works, rig.api.fault = rig.api.fault, fault
    rig.settle()
    assert rig.told() == [
        ("FailedScheduling", f'running PreBind plugin "DynamicResources": {full}')
    ]
    assert conditions(rig) == [("PodScheduled", "False", "SchedulerError")]
    rig.api.fault = works
    rig.time += 1.0
    rig.settle()
    assert rig.node_of() == "node-1"
    assert len(rig.told()) == 1


def test_writes_for_a_pod_that_is_gone_end_quietly() -> None:
    rig = scheduler_rig(pod())

    def fault(verb: str, plural: str, body: JSON | None) -> KubeError | None:
        return NotFound(404, "NotFound", "gone") if verb == "patch" else None

    rig.api.fault = fault
    rig.part.process(KEY)
    assert rig.part.queue.retries(KEY) == 0
