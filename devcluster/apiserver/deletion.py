"""What a delete request does to an object: it goes at once, or is marked and waits.

Pure; `devcluster.apiserver.store` stores the outcome.
Source: apiserver pkg/registry/rest/delete.go, pkg/registry/generic/registry/store.go.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from api.objects import JSON
from devcluster.apiserver.clock import timestamp
from devcluster.apiserver.errors import conflict
from devcluster.apiserver.kinds import Kind

ORPHAN: Final = "orphan"
FOREGROUND: Final = "foregroundDeletion"
"""Finalizers of the garbage collector."""

_FINALIZERS: Final = {"Orphan": ORPHAN, "Foreground": FOREGROUND}


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """How to delete.

    Attributes:
        uid: precondition; empty for none.
        resource_version: precondition; empty for none.
        grace_seconds: how long the object may take to end; None for what it says itself.
        propagation: `Background`, `Foreground`, `Orphan`, or empty for background.
        dry_run: do all but the storing.
    """

    uid: str = ""
    resource_version: str = ""
    grace_seconds: int | None = None
    propagation: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Deletion:
    """An object's last state if it is `gone`, else the state in which it waits."""

    obj: JSON
    gone: bool


def check_preconditions(kind: Kind, obj: JSON, options: DeleteOptions) -> None:
    """Raise Conflict if the object is not the one that the client means."""
    meta = obj["metadata"]
    for field, title, wanted in (
        ("uid", "UID", options.uid),
        ("resourceVersion", "ResourceVersion", options.resource_version),
    ):
        if wanted and wanted != meta[field]:
            why = f"{title} in precondition: {wanted}, {title} in object meta: {meta[field]}"
            raise conflict(kind, meta["name"], f"Precondition failed: {why}")


def plan_deletion(kind: Kind, obj: JSON, options: DeleteOptions, now: datetime) -> Deletion:
    """Return what a deletion makes of an object.

    Args:
        kind: of the object.
        obj: a copy of the stored one, which is changed.
        options: of the request; its preconditions hold.
        now: time of the request.
    """
    meta = obj["metadata"]
    finalizer = _FINALIZERS.get(options.propagation)
    if finalizer and finalizer not in (meta.get("finalizers") or []):
        meta["finalizers"] = [*(meta.get("finalizers") or []), finalizer]
    grace = kind.strategy.grace(obj, options.grace_seconds)
    if grace == 0 and not meta.get("finalizers") and not kind.strategy.held(obj):
        return Deletion(obj, gone=True)
    if not meta.get("deletionTimestamp"):
        _mark(kind, obj, grace, now)
    elif grace < meta.get("deletionGracePeriodSeconds", 0):
        _shorten(meta, grace)
    return Deletion(obj, gone=False)


def is_over(kind: Kind, obj: JSON) -> bool:
    """Tell whether nothing keeps a deleted object any more."""
    meta = obj["metadata"]
    waits = meta.get("finalizers") or meta.get("deletionGracePeriodSeconds")
    return bool(meta.get("deletionTimestamp")) and not waits and not kind.strategy.held(obj)


def _mark(kind: Kind, obj: JSON, grace: int, now: datetime) -> None:
    meta = obj["metadata"]
    meta["deletionTimestamp"] = timestamp(now + timedelta(seconds=grace))
    meta["deletionGracePeriodSeconds"] = grace
    if "generation" in meta:
        meta["generation"] += 1
    kind.strategy.prepare_delete(obj)


def _shorten(meta: JSON, grace: int) -> None:
    end = datetime.fromisoformat(meta["deletionTimestamp"])
    less = timedelta(seconds=meta["deletionGracePeriodSeconds"] - grace)
    meta["deletionTimestamp"] = timestamp(end - less)
    meta["deletionGracePeriodSeconds"] = grace
