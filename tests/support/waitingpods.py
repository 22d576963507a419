"""Clusters in which a pod waits, each for another cause, as fake-dra explain sees them.

`python -m tests.support.waitingpods` renews the outputs in docs/explain.md.
"""

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

import explain.commands as commands
from api.objects import JSON
from api.resources import EVENTS, NODES, PODS, STRUCTURED_VERSIONS
from cli.__main__ import main
from devcluster.apiserver.resourceapi import structured
from kube.calls import Patch
from kube.errors import Forbidden, KubeError
from testing.apiserver import MemoryApi
from tests.support.allocationworld import DRIVER, a_class, ask, device, drawing
from tests.support.readme import renewed

PAGE: Final = Path(__file__).parents[2] / "docs/explain.md"
NOW: Final = datetime(2026, 11, 29, 12, tzinfo=UTC)
V1: Final = STRUCTURED_VERSIONS["v1"]
_NODES: Final = ("node-1", "node-2")
_REFUSED: Final = (
    "0/2 nodes are available: 2 cannot allocate all claims. preemption: 0/2 nodes are available: 2 "
    "Preemption is not helpful for scheduling."
)


class Cluster(MemoryApi):
    """Two nodes with GPUs of 1.37, a class for them, and a pod that waits."""

    def __init__(self, minor: int = 37, *versions: str) -> None:
        super().__init__(api=structured(minor, *versions))
        self.put(V1.classes, a_class("gpu", f'device.driver == "{DRIVER}"'))
        for name in _NODES:
            self.node(name)

    def close(self) -> None:
        """Stay open for the test."""

    def node(self, name: str, cpu: str = "4", taints: Sequence[JSON] = ()) -> None:
        status = {
            "allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        meta = {"name": name, "labels": {"kubernetes.io/hostname": name}}
        self.put(NODES, {"metadata": meta, "spec": {"taints": list(taints)}, "status": status})

    def gpus(self, node: str, *devices: JSON, count: int = 1, **spec: Any) -> None:
        """Publish a slice of the pool of a node; without devices two that are equal."""
        pool = {"name": node, "generation": 1, "resourceSliceCount": count}
        listed = devices or (device("gpu-0"), device("gpu-1"))
        body = {"driver": DRIVER, "nodeName": node, "pool": pool, **spec}
        body = {name: value for name, value in body.items() if value is not None}
        if "sharedCounters" not in spec:
            body["devices"] = list(listed)
        name = f"{node}-{DRIVER}-{len(self.all(V1.slices))}"
        self.put(V1.slices, {"metadata": {"name": name}, "spec": body})

    def claim(self, name: str, *requests: JSON, **fields: Any) -> JSON:
        """Store a claim of an hour ago; devices as `node/device`."""
        meta = {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "creationTimestamp": "2026-11-29T11:00:00Z",
            **fields.pop("metadata", {}),
        }
        asked = list(requests) or [ask("gpu", deviceClassName="gpu")]
        spec = {"devices": {"requests": asked, **fields}}
        return self.put(V1.claims, {"metadata": meta, "spec": spec})

    def hold(self, name: str, *devices: str, by: str = "", **fields: Any) -> None:
        """Give a claim devices, and reserve it for a pod."""
        claim = self.find(V1.claims, name, "default")
        results = [
            {"request": "gpu", "driver": DRIVER, "pool": pool, "device": device, **fields}
            for pool, _, device in (each.partition("/") for each in devices)
        ]
        node = {"key": "metadata.name", "operator": "In", "values": [devices[0].split("/")[0]]}
        claim["status"] = {
            "allocation": {
                "allocationTimestamp": "2026-11-29T09:00:00Z",
                "devices": {"results": results},
                "nodeSelector": {"nodeSelectorTerms": [{"matchFields": [node]}]},
            },
            "reservedFor": [{"resource": "pods", "name": by, "uid": f"uid-{by}"}] if by else [],
        }
        self.put(V1.claims, claim)

    def pod(self, *claims: str, message: str = _REFUSED, **spec: Any) -> JSON:
        """Store the pod `waiting`, which uses claims; `template:NAME` is a template."""
        condition = {"type": "PodScheduled", "status": "False", "message": message}
        entries = [_entry(index, each) for index, each in enumerate(claims)]
        status: JSON = {"phase": "Pending", "conditions": [condition] if message else []}
        body = {"containers": [{"name": "main", **spec.pop("container", {})}], **spec}
        if entries:
            body["resourceClaims"] = entries
        meta = {"name": "waiting", "namespace": "default", "uid": "uid-waiting"}
        return self.put(PODS, {"metadata": meta, "spec": body, "status": status})

    def event(self, message: str) -> None:
        """Let the kubelet tell of the pod."""
        about = {"kind": "Pod", "name": "waiting", "namespace": "default", "uid": "uid-waiting"}
        self.put(
            EVENTS,
            {
                "metadata": {"name": "waiting.1", "namespace": "default"},
                "involvedObject": about,
                "type": "Warning",
                "reason": "FailedPrepareDynamicResources",
                "message": message,
                "lastTimestamp": "2026-11-29T11:59:00Z",
            },
        )

    def deny(self, *plurals: str) -> None:
        """Refuse to list resources."""

        def fault(verb: str, plural: str, _body: Patch | None) -> KubeError | None:
            if verb == "list" and plural in plurals:
                message = f'{plural} is forbidden: User "jane" cannot list resource "{plural}"'
                return Forbidden(403, "Forbidden", message)
            return None

        self.fault = fault


def _entry(index: int, claim: str) -> JSON:
    if claim.startswith("template:"):
        return {"name": f"c{index}", "resourceClaimTemplateName": claim.partition(":")[2]}
    return {"name": f"c{index}", "resourceClaimName": claim}


def run(cluster: MemoryApi, *arguments: str) -> Result:
    """Run fake-dra on a cluster, at a fixed time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands.Client, "from_kubeconfig", lambda *_, **__: cluster)
        patch.setattr(commands, "now", lambda: NOW)
        return CliRunner().invoke(main, arguments, env={"COLUMNS": "100"})


def gpu(count: int | str = 1, *expressions: str, **body: Any) -> JSON:
    """Return the request `gpu` of the class `gpu`."""
    return ask("gpu", *expressions, count=count, deviceClassName="gpu", **body)


def _not_dra(cluster: Cluster) -> None:
    cluster.pod(message="0/2 nodes are available: 2 Insufficient cpu.")


def _gated(cluster: Cluster) -> None:
    cluster.claim("gpu")
    cluster.pod("gpu", message="Scheduling is blocked", schedulingGates=[{"name": "example.com/q"}])


def _no_template(cluster: Cluster) -> None:
    cluster.pod("template:gpus", message="")


def _no_claim(cluster: Cluster) -> None:
    cluster.pod("gpu", message="")


def _left_claim(cluster: Cluster) -> None:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "waiting", "uid": "old", "controller": True}
    cluster.claim("waiting-c0", metadata={"ownerReferences": [owner]})
    cluster.put(V1.templates, {"metadata": {"name": "gpus", "namespace": "default"}})
    pod = cluster.pod("template:gpus", message="")
    pod["status"]["resourceClaimStatuses"] = [{"name": "c0", "resourceClaimName": "waiting-c0"}]
    cluster.put(PODS, pod)


def _no_class(cluster: Cluster) -> None:
    cluster.claim("gpu", ask("gpu", deviceClassName="gpus"))
    cluster.pod("gpu", message="request gpu: device class gpus does not exist")


def _in_use(cluster: Cluster) -> None:
    cluster.gpus("node-1")
    cluster.gpus("node-2", *(device(f"gpu-{n}") for n in range(4)))
    cluster.claim("training")
    cluster.hold("training", "node-2/gpu-3", by="train-0")
    cluster.claim("gpus", gpu(4))
    cluster.pod("gpus")


def _selector(cluster: Cluster) -> None:
    for node in _NODES:
        cluster.gpus(node, device("gpu-0", attributes={"model": "a100"}))
    cluster.claim("gpu", gpu(1, f'device.attributes["{DRIVER}"].model == "h100"'))
    cluster.pod("gpu")


def _failing_selector(cluster: Cluster) -> None:
    cluster.gpus("node-1", device("gpu-0", attributes={"model": "a100"}))
    cluster.gpus("node-2")
    cluster.claim("gpu", gpu(1, f'device.attributes["{DRIVER}"].model == "h100"'))
    cluster.pod("gpu", message="selector #0: CEL runtime error: no such key: model")


def _taint(cluster: Cluster) -> None:
    taint = {"key": "example.com/unhealthy", "value": "ecc", "effect": "NoSchedule"}
    cluster.gpus("node-1", device("gpu-0", taints=[taint]))
    cluster.claim("gpu")
    cluster.pod("gpu")


def _evicted(cluster: Cluster) -> None:
    taint = {"key": "example.com/unhealthy", "value": "ecc", "effect": "NoExecute"}
    cluster.gpus("node-1", device("gpu-0", taints=[taint]))
    cluster.claim("gpu", gpu(tolerations=[{"operator": "Exists"}]))
    cluster.pod("gpu", message="")


def _counters(cluster: Cluster) -> None:
    card = {"name": "card", "counters": {"units": {"value": "16"}}}
    cluster.gpus("node-1", count=2, sharedCounters=[card])
    cluster.gpus(
        "node-1", drawing("whole", 16), drawing("half-0", 8), drawing("half-1", 8), count=2
    )
    cluster.claim("training")
    cluster.hold("training", "node-1/half-0", by="train-0")
    cluster.claim("gpu", gpu(2))
    cluster.pod("gpu")


def _capacity(cluster: Cluster) -> None:
    card = device("gpu-0", capacity={"memory": "40Gi"}, allowMultipleAllocations=True)
    cluster.gpus("node-1", card)
    cluster.claim("training")
    share = {"shareID": "0a6bf3a4-1c2d-4d6e-8f5a-2b3c4d5e6f70"}
    cluster.hold(
        "training", "node-1/gpu-0", by="train-0", consumedCapacity={"memory": "30Gi"}, **share
    )
    cluster.claim("gpu", gpu(1, capacity={"requests": {"memory": "20Gi"}}))
    cluster.pod("gpu")


def _constraint(cluster: Cluster) -> None:
    cluster.gpus("node-1", *(device(f"gpu-{n}", attributes={"numa": n}) for n in range(2)))
    match = {"matchAttribute": f"{DRIVER}/numa"}
    cluster.claim("gpu", gpu(2), constraints=[match])
    cluster.pod("gpu")


def _incomplete(cluster: Cluster) -> None:
    cluster.gpus("node-1", count=2)
    cluster.claim("gpu")
    cluster.pod("gpu")


def _elsewhere(cluster: Cluster) -> None:
    cluster.gpus("node-1")
    cluster.claim("gpu")
    cluster.hold("gpu", "node-1/gpu-0")
    cluster.pod(
        "gpu",
        nodeSelector={"kubernetes.io/hostname": "node-2"},
        message="0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 "
        "resourceclaim not available on the node.",
    )


def _place(cluster: Cluster) -> None:
    taint = {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}
    cluster.node("node-1", cpu="1")
    cluster.node("node-2", taints=[taint])
    for node in _NODES:
        cluster.gpus(node)
    cluster.claim("gpu")
    cluster.pod(
        "gpu",
        container={"resources": {"requests": {"cpu": "2"}}},
        message="0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint "
        "{node.kubernetes.io/disk-pressure: }.",
    )


def _bound(cluster: Cluster, by: str = "waiting") -> None:
    cluster.gpus("node-1")
    cluster.claim("gpu")
    cluster.hold("gpu", "node-1/gpu-0", by=by)
    cluster.pod("gpu", message="", nodeName="node-1")


def _no_plugin(cluster: Cluster) -> None:
    _bound(cluster)
    cluster.event(
        f"Failed to prepare dynamic resources: prepare dynamic resources: DRA driver {DRIVER} is "
        "not registered"
    )


def _failing_plugin(cluster: Cluster) -> None:
    _bound(cluster)
    cluster.event(
        "Failed to prepare dynamic resources: prepare dynamic resources: NodePrepareResources "
        "failed for ResourceClaim gpu: device gpu-0 has fallen off the bus"
    )


def _not_reserved(cluster: Cluster) -> None:
    _bound(cluster, by="")


def _binding(cluster: Cluster) -> None:
    cluster.gpus("node-1")
    cluster.claim("gpu")
    cluster.hold("gpu", "node-1/gpu-0", bindingConditions=["example.com/attached"])
    cluster.pod("gpu", message="")


def _held_by_nobody(cluster: Cluster) -> None:
    cluster.gpus("node-1")
    cluster.claim("left")
    cluster.hold("left", "node-1/gpu-0")


def _forbidden(cluster: Cluster) -> None:
    _taint(cluster)
    cluster.deny("resourceslices", "nodes")


def _dropped(cluster: Cluster) -> None:
    applied = json.dumps({"spec": {"devices": {"requests": [gpu(tolerations=[{"key": "a"}])]}}})
    name = "kubectl.kubernetes.io/last-applied-configuration"
    _taint(cluster)
    cluster.claim("gpu", metadata={"annotations": {name: applied}})


def _extended(cluster: Cluster) -> None:
    cluster.put(V1.classes, a_class("gpu", extendedResourceName="example.com/gpu"))
    cluster.gpus("node-1")
    asked = {"requests": {"example.com/gpu": "3"}}
    cluster.pod(container={"resources": asked})


def _fits(cluster: Cluster) -> None:
    cluster.gpus("node-1")
    cluster.claim("gpu")
    cluster.pod("gpu", message="")


@dataclass(frozen=True, slots=True)
class Case:
    """A cluster, what is asked of it, and the exit code of the answer."""

    make: Callable[[Cluster], None]
    code: int = 1
    command: str = "explain pod waiting"

    def output(self) -> str:
        """Return command and answer as a console shows them."""
        cluster = Cluster()
        self.make(cluster)
        found = run(cluster, *shlex.split(self.command))
        assert found.exit_code == self.code, (found.exit_code, found.output, found.exception)
        assert cluster.writes() == []
        return f"$ fake-dra {self.command}\n{found.output}"


_WHY_NOT: Final = (
    f"""why-not --class gpu --selector 'device.driver == "{DRIVER}" && """
    f"""device.attributes["{DRIVER}"].model == "h100"'"""
)
CASES: Final = {
    "notdra": Case(_not_dra, 3),
    "gated": Case(_gated),
    "notemplate": Case(_no_template),
    "noclaim": Case(_no_claim),
    "leftclaim": Case(_left_claim),
    "noclass": Case(_no_class),
    "inuse": Case(_in_use),
    "selector": Case(_selector),
    "failingselector": Case(_failing_selector),
    "taint": Case(_taint),
    "evicted": Case(_evicted, 0),
    "counters": Case(_counters),
    "capacity": Case(_capacity),
    "constraint": Case(_constraint),
    "incomplete": Case(_incomplete),
    "elsewhere": Case(_elsewhere),
    "place": Case(_place),
    "binding": Case(_binding),
    "notreserved": Case(_not_reserved),
    "noplugin": Case(_no_plugin),
    "failingplugin": Case(_failing_plugin),
    "dropped": Case(_dropped),
    "extended": Case(_extended),
    "forbidden": Case(_forbidden, 3),
    "fits": Case(_fits, 0),
    "claim": Case(_held_by_nobody, 0, "explain claim left"),
    "node": Case(_counters, 0, "explain node node-1"),
    "class": Case(_in_use, 0, "explain class gpu"),
    "whynot": Case(_selector, 1, _WHY_NOT),
}


if __name__ == "__main__":
    outputs = {name: case.output() for name, case in CASES.items()}
    PAGE.write_text(renewed(PAGE.read_text("utf-8"), outputs), "utf-8")
