"""The ReplicaSets of a Deployment as its history: one for each template, numbered. Pure.

Source: kubernetes pkg/controller/deployment/util/deployment_util.go, sync.go v1.30.
"""

import copy
import json
import zlib
from collections.abc import Iterable, Sequence
from typing import Final

from api.objects import JSON, is_deleting
from api.resources import REPLICA_SETS
from devcluster.workloads.ownership import owner_reference

HASH_LABEL: Final = "pod-template-hash"
REVISION: Final = "deployment.kubernetes.io/revision"
_OWN: Final = frozenset({REVISION, "kubectl.kubernetes.io/last-applied-configuration"})
"""Annotations that a ReplicaSet does not take over from its Deployment."""

_SIGNS: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Of a hash: they make no words. Source: apimachinery pkg/util/rand, SafeEncodeString."""


def template_hash(template: JSON) -> str:
    """Return a short text that stands for a template."""
    number = zlib.crc32(json.dumps(template, sort_keys=True).encode())
    return "".join(_SIGNS[ord(digit) % len(_SIGNS)] for digit in str(number))


def current(deployment: JSON, sets: Iterable[JSON]) -> JSON | None:
    """Return the oldest ReplicaSet that has the template of the Deployment."""
    wanted = deployment["spec"]["template"]
    same = (each for each in by_age(sets) if _unhashed(each["spec"]["template"]) == wanted)
    return next(same, None)


def by_age(sets: Iterable[JSON]) -> list[JSON]:
    """Return ReplicaSets, the oldest first."""
    return sorted(sets, key=lambda each: (each["metadata"]["creationTimestamp"], revision(each)))


def revision(obj: JSON) -> int:
    """Return the revision of a ReplicaSet or Deployment, 0 for none."""
    text = str((obj["metadata"].get("annotations") or {}).get(REVISION, ""))
    return int(text) if text.isdecimal() else 0


def history_annotations(deployment: JSON, new: JSON | None, olds: Iterable[JSON]) -> dict[str, str]:
    """Return the annotations of the current ReplicaSet: it is the latest revision."""
    mine = (deployment["metadata"].get("annotations") or {}).items()
    latest = max(map(revision, olds), default=0)
    number = revision(new) if new is not None and revision(new) > latest else latest + 1
    old = (new["metadata"].get("annotations") or {}) if new is not None else {}
    return {**old, **{k: v for k, v in mine if k not in _OWN}, REVISION: str(number)}


def replica_set_of(deployment: JSON, annotations: JSON) -> JSON:
    """Return the ReplicaSet to create for the current template of a Deployment, without pods."""
    spec, meta = deployment["spec"], deployment["metadata"]
    template = copy.deepcopy(spec["template"])
    label = {HASH_LABEL: template_hash(template)}
    template.setdefault("metadata", {})
    template["metadata"]["labels"] = {**(template["metadata"].get("labels") or {}), **label}
    selector = copy.deepcopy(spec["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), **label}
    return {
        "apiVersion": REPLICA_SETS.api_version,
        "kind": REPLICA_SETS.kind,
        "metadata": {
            "name": f"{meta['name']}-{label[HASH_LABEL]}",
            "namespace": meta["namespace"],
            "labels": template["metadata"]["labels"],
            "annotations": annotations,
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {
            "replicas": 0,
            "minReadySeconds": spec.get("minReadySeconds", 0),
            "selector": selector,
            "template": template,
        },
    }


def forgotten(deployment: JSON, olds: Sequence[JSON]) -> list[JSON]:
    """Return the old ReplicaSets that are beyond the history and have no pods any more."""
    limit = deployment["spec"]["revisionHistoryLimit"]
    extra = sorted(olds, key=revision)[: max(0, len(olds) - limit)]
    return [each for each in extra if _is_idle(each)]


def _is_idle(replica_set: JSON) -> bool:
    status, meta = replica_set.get("status") or {}, replica_set["metadata"]
    seen = status.get("observedGeneration", 0) >= meta["generation"]
    empty = not status.get("replicas") and not replica_set["spec"]["replicas"]
    return seen and empty and not is_deleting(replica_set)


def _unhashed(template: JSON) -> JSON:
    meta = template.get("metadata") or {}
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k != HASH_LABEL}
    return {**template, "metadata": {**meta, "labels": labels}}
