"""The binding of a pod to a node: the one write that sets `spec.nodeName`.

Source: kubernetes pkg/registry/core/pod/storage/storage.go (BindingREST).
"""

from api.conditions import with_condition
from api.objects import JSON, is_deleting
from devcluster.apiserver import fielderrors
from devcluster.apiserver.errors import conflict, invalid
from devcluster.apiserver.kinds import Kind


def target_node(kind: Kind, name: str, binding: JSON) -> str:
    """Return the node that a Binding names; Invalid if it names none."""
    target = binding.get("target") or {}
    if target.get("kind", "Node") not in ("Node", ""):
        found = fielderrors.unsupported("target.kind", target["kind"], ("Node", "<empty>"))
        raise invalid(kind, name, [found])
    if not target.get("name"):
        raise invalid(kind, name, [fielderrors.required("target.name")])
    return str(target["name"])


def bind(kind: Kind, pod: JSON, binding: JSON, now: str) -> JSON:
    """Return a pod that runs on the node of a Binding.

    Args:
        kind: of pods.
        pod: as stored; changed.
        binding: as sent; a uid in its metadata is a precondition.
        now: metav1.Time.

    Raises:
        Conflict: the pod is on a node already, or is being deleted, or is another one.
        Invalid: the binding names no node.
    """
    meta = pod["metadata"]
    name, node = meta["name"], target_node(kind, meta["name"], binding)
    uid = (binding.get("metadata") or {}).get("uid")
    if uid and uid != meta["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {meta['uid']}"
        raise conflict(kind, name, why)
    if is_deleting(pod):
        raise conflict(kind, name, f"pod {name} is being deleted, cannot be assigned to a host")
    if assigned := pod["spec"].get("nodeName"):
        raise conflict(kind, name, f'pod {name} is already assigned to node "{assigned}"')
    pod["spec"]["nodeName"] = node
    _set_scheduled(pod, now)
    return pod


def _set_scheduled(pod: JSON, now: str) -> None:
    status = pod.setdefault("status", {})
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None}
    status["conditions"] = with_condition(status.get("conditions") or [], scheduled, now)
