"""How verdicts are carried out, also when a write fails."""

from api.objects import JSON
from kube.errors import ConnectFailed, KubeError, ServerError
from tests.support.build import (
    POD_CLAIM,
    allocated,
    claim,
    node,
    pod,
    reserved,
    resource_class,
    scheduling,
)
from tests.support.controlplanerig import scheduler_rig

KEY = "default/pod"
USER = pod("pod", (POD_CLAIM, "claim"))


def test_asks_to_deallocate_what_sits_on_the_wrong_node() -> None:
    """First the stale selected node goes, then the allocation; kubernetes wrong-topology."""
    rig = scheduler_rig(
        node("node-1", unschedulable=True),
        node("node-2"),
        USER,
        reserved(allocated(claim(), "node-1")),
        scheduling(potential=["node-1"], selected="node-1"),
        resource_class(),
    )
    rig.part.process(KEY)
    assert rig.claim()["status"]["deallocationRequested"]
    assert "reservedFor" not in rig.claim()["status"]
    assert not rig.context()["spec"]["selectedNode"]
    assert [plural for verb, plural in rig.api.writes()][:2] == [
        "podschedulingcontexts",
        "resourceclaims/status",
    ]
    assert rig.told()[0][1].endswith("deallocation of ResourceClaim completed")


def test_gives_back_what_it_reserved_when_binding_fails() -> None:
    """Source: kubernetes TestPlugin bind-failure."""
    rig = scheduler_rig(node(), USER, allocated(claim()), resource_class())
    failed: list[str] = []

    def fault(verb: str, plural: str, body: JSON | None) -> KubeError | None:
        if verb == "create" and not failed:
            failed.append(plural)
            return ServerError(500, "InternalError", "no")
        return None

    rig.api.fault = fault
    rig.part.process(KEY)
    assert failed == ["pods/pod/binding"]
    assert "reservedFor" not in rig.claim()["status"]
    assert rig.node_of() is None
    assert rig.told() == [("FailedScheduling", 'running Bind plugin "DefaultBinder": no')]
    rig.time += 1.0
    rig.settle()
    assert rig.node_of() == "node-1"


def test_no_answer_is_nobody_s_fault_and_leads_to_another_try() -> None:
    rig = scheduler_rig(node(), USER, allocated(claim()), resource_class())
    works = rig.api.fault
    rig.api.fault = lambda verb, *_: ConnectFailed("refused") if verb == "create" else None
    rig.part.process(KEY)
    assert (rig.node_of(), rig.told(), rig.part.queue.retries(KEY)) == (None, [], 1)
    rig.api.fault = works
    rig.part.process(KEY)
    assert rig.node_of() == "node-1"


def test_conflict_leads_to_another_try_with_the_newer_claim() -> None:
    rig = scheduler_rig(node(), USER, allocated(claim()), resource_class())
    rig.put(reserved(rig.claim(), "other"))
    rig.part.process(KEY)
    assert rig.node_of() is None
    assert rig.told() == []
    rig.sync()
    rig.settle()
    assert [c["uid"] for c in rig.claim()["status"]["reservedFor"]] == ["uid-other", "uid-pod"]
    assert rig.node_of() == "node-1"


def test_context_of_a_former_pod_is_not_overwritten() -> None:
    rig = scheduler_rig(node(), USER, claim(), resource_class(), scheduling())
    replaced = rig.context()
    replaced["metadata"]["uid"] = "uid-replaced"
    rig.put(replaced)
    rig.part.process(KEY)
    assert rig.context()["spec"] == {"potentialNodes": []}
    assert rig.part.queue.retries(KEY) == 1


def test_pod_without_claims_has_no_context_to_delete() -> None:
    rig = scheduler_rig(node(), pod())
    rig.settle()
    assert rig.api.writes() == [("create", "pods/pod/binding")]


def test_gives_back_an_allocated_claim_while_the_other_is_pending() -> None:
    """Unreserve of the plugin: so that the pod blocks nobody."""
    two = pod("pod", ("a", "claim"), ("b", "other"))
    rig = scheduler_rig(node(), two, reserved(allocated(claim())), claim("other"), resource_class())
    rig.settle()
    assert "reservedFor" not in rig.claim()["status"]
    assert rig.context()["spec"]["selectedNode"] == "node-1"


def test_failing_to_delete_the_context_is_no_failure() -> None:
    rig = scheduler_rig(node(), USER, allocated(claim()), resource_class(), scheduling())

    def fault(verb: str, plural: str, body: JSON | None) -> KubeError | None:
        return ServerError(500, "InternalError", "no") if verb == "delete" else None

    rig.api.fault = fault
    rig.settle()
    assert rig.node_of() == "node-1"
    assert rig.part.queue.retries(KEY) == 0
