"""The subresource `scale`: how many pods a workload has and should have, whatever its kind.

Pure; `devcluster.apiserver.views.subresources` serves it.
Source: k8s.io/api/autoscaling/v1, kubernetes pkg/registry/apps/*/storage.
"""

from typing import Any

from api.objects import JSON
from devcluster.apiserver import fielderrors
from devcluster.apiserver.errors import invalid
from devcluster.apiserver.kinds import Kind
from devcluster.apiserver.selectors import label_selector_text

_META = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(obj: JSON) -> JSON:
    """Return the Scale of a Deployment or ReplicaSet."""
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: obj["metadata"][name] for name in _META},
        "spec": {"replicas": obj["spec"]["replicas"]},
        "status": {
            "replicas": (obj.get("status") or {}).get("replicas", 0),
            "selector": label_selector_text(obj["spec"]["selector"]),
        },
    }


def scaled(kind: Kind, obj: JSON, scale: JSON) -> JSON:
    """Return an object with the number of pods, and the precondition, of a Scale.

    Raises:
        Invalid: it has no such number.
    """
    meta, replicas = scale.get("metadata") or {}, _replicas(scale)
    if replicas is None:
        raise invalid(kind, obj["metadata"]["name"], [fielderrors.required("spec.replicas")])
    own = {key: meta[key] for key in ("uid", "resourceVersion") if meta.get(key)}
    return {
        **obj,
        "metadata": {**obj["metadata"], **own},
        "spec": {**obj["spec"], "replicas": replicas},
    }


def _replicas(scale: JSON) -> Any:
    return (scale.get("spec") or {}).get("replicas")
