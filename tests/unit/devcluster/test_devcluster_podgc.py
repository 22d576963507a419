"""Pods that nobody will end are deleted by force, and no others."""

from api.objects import JSON
from api.pods import Pod
from api.resources import NODES, PODS
from devcluster.podgc import ORPHANED, QUARANTINE_SECONDS, PodGarbage, why_garbage
from kube.errors import ConnectFailed, KubeError
from kube.store import Store
from testing.apiserver import MemoryApi
from tests.support.build import node, pod
from tests.support.tables import cases

OUT_OF_SERVICE = {"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}


def going(raw: JSON) -> JSON:
    meta = {**raw["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    return {**raw, "metadata": {**meta, "finalizers": ["example.com/held"]}}


class Rig:
    def __init__(self, *objects: JSON) -> None:
        self.api = MemoryApi()
        self.now = 1000.0
        self.pods, self.nodes = Store(), Store()
        for obj in objects:
            self.api.put(PODS if obj["kind"] == "Pod" else NODES, obj)
        self.garbage = PodGarbage(self.api, self.pods, self.nodes, clock=lambda: self.now)

    def collect(self, after: float = 0.0) -> list[str]:
        """Look once after some seconds; return the names of the pods that are left."""
        self.now += after
        self.pods.replace(self.api.all(PODS), self.api.version())
        self.nodes.replace(self.api.all(NODES), self.api.version())
        self.garbage.collect()
        return sorted(obj["metadata"]["name"] for obj in self.api.all(PODS))


@cases(
    ("raw", "on", "why"),
    {
        "pending": (pod(), None, None),
        "orphaned": (pod(nodeName="gone"), None, ORPHANED),
        "orphaned and going": (going(pod(nodeName="gone")), None, ORPHANED),
        "missing for a short time": (pod(nodeName="lost"), None, None),
        "going unscheduled": (going(pod()), None, "terminating, and on no node"),
        "its kubelet ends it": (going(pod(nodeName="node-1")), node(), None),
        "out of service": (
            going(pod(nodeName="node-1")),
            node(ready=False, taints=[OUT_OF_SERVICE]),
            "terminating on a node that is out of service",
        ),
        "still ready": (going(pod(nodeName="node-1")), node(taints=[OUT_OF_SERVICE]), None),
        "may come back": (going(pod(nodeName="node-1")), node(ready=False), None),
        "nobody wants it to go": (
            pod(nodeName="node-1"),
            node(ready=False, taints=[OUT_OF_SERVICE]),
            None,
        ),
    },
)
def test_verdicts(raw: JSON, on: JSON | None, why: str | None) -> None:
    assert why_garbage(Pod(raw), on, {"gone"}) == why


def test_a_pod_on_a_missing_node_goes_after_a_quarantine() -> None:
    rig = Rig(node("here"), pod("kept", nodeName="here"), pod("orphan", nodeName="gone"))
    assert rig.collect() == ["kept", "orphan"]
    assert rig.collect(QUARANTINE_SECONDS - 1) == ["kept", "orphan"]
    assert rig.collect(1) == ["kept"]


def test_a_node_that_comes_back_keeps_its_pods() -> None:
    rig = Rig(pod("mine", nodeName="node-1"))
    rig.collect()
    rig.api.put(NODES, node())
    rig.collect(QUARANTINE_SECONDS)
    rig.api.remove(NODES, "node-1")
    assert rig.collect() == ["mine"]
    assert rig.collect(QUARANTINE_SECONDS - 1) == ["mine"]
    assert rig.collect(1) == []


def test_an_orphan_is_failed_before_it_is_deleted() -> None:
    held = pod("orphan", nodeName="gone")
    held["metadata"]["finalizers"] = ["example.com/held"]
    rig = Rig({**held, "status": {"phase": "Running", "conditions": [{"type": "Ready"}]}})
    rig.collect()
    rig.collect(QUARANTINE_SECONDS)
    left = rig.api.find(PODS, "orphan", "default")
    assert left["metadata"]["deletionTimestamp"]
    assert left["status"]["phase"] == "Failed"
    ready, target = left["status"]["conditions"]
    assert ready == {"type": "Ready"}
    assert (target["type"], target["reason"], target["message"]) == (
        "DisruptionTarget",
        "DeletionByPodGC",
        "PodGC: node no longer exists",
    )


def test_a_finished_pod_keeps_its_phase() -> None:
    done = {**pod("done", nodeName="gone"), "status": {"phase": "Succeeded"}}
    rig = Rig(done)
    rig.collect()
    assert rig.collect(QUARANTINE_SECONDS) == []
    assert rig.api.writes() == [("delete", "pods")]


def test_what_fails_hinders_no_other_and_is_tried_again() -> None:
    rig = Rig(*(pod(name, nodeName="gone") for name in ("a", "b")))
    rig.collect()
    broken = [ConnectFailed("no connection")]

    def fault(verb: str, plural: str, _body: object) -> KubeError | None:
        return broken.pop() if broken and verb == "delete" else None

    rig.api.fault = fault
    assert len(rig.collect(QUARANTINE_SECONDS)) == 1
    assert rig.collect() == []
