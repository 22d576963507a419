"""What speaks against allocating on a node, by its Node object and its plugin's heartbeats.

For a claim that waits for a pod the scheduler leaves bad nodes out; an Immediate claim has nobody
who does. Pure; called by controller.claims.sync, and `trimmed` by the reflector of Nodes.
Source: kubernetes pkg/scheduler/framework/plugins, NodeUnschedulable and TaintToleration.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from api.objects import JSON

_KEEPS_PODS_OFF: Final = frozenset({"NoSchedule", "NoExecute"})
_OF_KUBERNETES: Final = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
"""Taints for what has happened to a node; users tolerate those that they have put there."""


class Severity(IntEnum):
    """How much speaks against a node; less is better."""

    TAINTED = 1
    SILENT = 2
    CLOSED = 3


@dataclass(frozen=True, slots=True)
class Objection:
    """What speaks against a node.

    Attributes:
        severity: CLOSED where no pod could run, so that a claim had better wait.
        message: for people, without the node's name.
    """

    severity: Severity
    message: str


def objection(node: JSON | None, *, silent: bool) -> Objection | None:
    """Return the worst that speaks against a node, None if nothing does.

    Args:
        node: the Node, None if there is none.
        silent: whether its plugin has stopped sending heartbeats.
    """
    closed = _closed(node)
    if closed is not None:
        return Objection(Severity.CLOSED, closed)
    if silent:
        return Objection(Severity.SILENT, "its plugin has stopped sending heartbeats")
    taints = _taints(node)
    if taints:
        text = f"it has the taint {_named(taints[0])}"
        return Objection(
            Severity.TAINTED, f"{text}, so that only pods which tolerate that can use the claim"
        )
    return None


def trimmed(node: JSON) -> JSON:
    """Return a Node with just what is looked at here and by the node selectors of classes.

    Nodes are 10 to 20 KiB, most of it images and addresses; in a large cluster many share the same
    labels.
    """
    meta, spec, status = node["metadata"], node.get("spec") or {}, node.get("status") or {}
    labels = {sys.intern(k): sys.intern(v) for k, v in (meta.get("labels") or {}).items()}
    kept = {name: meta[name] for name in ("name", "uid", "resourceVersion") if name in meta}
    ready = [c for c in status.get("conditions") or () if c.get("type") == "Ready"]
    return {
        "metadata": {**kept, "labels": labels},
        "spec": {name: spec[name] for name in ("unschedulable", "taints") if spec.get(name)},
        "status": {"conditions": [{name: c.get(name) for name in _OF_CONDITION} for c in ready]},
    }


_OF_CONDITION: Final = ("type", "status", "reason")


def _closed(node: JSON | None) -> str | None:
    if node is None:
        return "its Node does not exist"
    if (node.get("spec") or {}).get("unschedulable"):
        return "it is cordoned"
    for condition in (node.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Ready" and condition.get("status") != "True":
            return f"its kubelet is not ready ({condition.get('reason') or 'no reason given'})"
    passing = [t for t in _taints(node) if str(t.get("key")).startswith(_OF_KUBERNETES)]
    return f"it has the taint {_named(passing[0])}" if passing else None


def _taints(node: JSON | None) -> list[JSON]:
    given: Iterable[JSON] = ((node or {}).get("spec") or {}).get("taints") or ()
    return [taint for taint in given if taint.get("effect") in _KEEPS_PODS_OFF]


def _named(taint: JSON) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key')}{value}:{taint.get('effect')}"
