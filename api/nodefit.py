"""Which nodes a pod may run on, apart from its claims, and which of them it prefers.

A small version of the plugins NodeName, NodeUnschedulable, TaintToleration and NodeAffinity; for
NodeResourcesFit there is api.noderoom.
Source: kubernetes pkg/scheduler/framework/plugins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from api.conditions import holds
from api.objects import JSON, NodeName
from api.pods import Pod
from api.selectors import selects

_NOT_READY_TAINT: JSON = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
_HARD_EFFECTS = frozenset({"NoSchedule", "NoExecute"})


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node as the scheduler sees it.

    Attributes:
        taints: of the spec; a node without a true Ready condition has one more.
    """

    name: NodeName
    labels: Mapping[str, str]
    unschedulable: bool
    taints: tuple[JSON, ...]

    @classmethod
    def parse(cls, raw: JSON) -> "NodeView":
        """Read a core/v1 Node."""
        meta, spec = raw["metadata"], raw.get("spec") or {}
        taints = tuple(spec.get("taints") or ())
        return cls(
            name=NodeName(meta["name"]),
            labels=meta.get("labels") or {},
            unschedulable=bool(spec.get("unschedulable")),
            taints=taints if is_ready(raw) else (*taints, _NOT_READY_TAINT),
        )


def is_ready(node: JSON) -> bool:
    """Tell whether a core/v1 Node has a true Ready condition."""
    return holds(node, "Ready")


def misfit(pod: Pod, node: NodeView) -> str | None:
    """Tell why a node is no place for a pod, in the words of kube-scheduler; None if it is one."""
    spec = pod.raw.get("spec") or {}
    if node.unschedulable:
        return "node(s) were unschedulable"
    for taint in node.taints:
        if taint.get("effect") in _HARD_EFFECTS and not _tolerated(spec, taint):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    wanted: Mapping[str, str] = spec.get("nodeSelector") or {}
    if any(node.labels.get(key) != value for key, value in wanted.items()):
        return "node(s) didn't match Pod's node affinity/selector"
    if not selects(_required_affinity(spec), node.name, node.labels):
        return "node(s) didn't match Pod's node affinity/selector"
    return None


def least_loaded(
    nodes: Sequence[NodeView], pods_on: Mapping[NodeName, int], chance: Random
) -> NodeName:
    """Return one of the nodes with the fewest pods, which one among equals by chance.

    Args:
        nodes: the candidates, at least one.
        pods_on: how many pods a node has; absent is none.
        chance: breaks ties.
    """
    fewest = min(pods_on.get(node.name, 0) for node in nodes)
    return chance.choice([n.name for n in nodes if pods_on.get(n.name, 0) == fewest])


def _required_affinity(spec: JSON) -> JSON | None:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    return affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or None


def _tolerated(spec: JSON, taint: JSON) -> bool:
    return any(_tolerates(t, taint) for t in spec.get("tolerations") or [])


def _tolerates(toleration: JSON, taint: JSON) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("key") not in (None, "", taint["key"]):
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")
