"""Conditions in the status of an object. Pure."""

from collections.abc import Sequence

from api.objects import JSON


def condition_of(obj: JSON, kind: str) -> JSON:
    """Return a condition of an object, empty if it has none of this type."""
    found = (obj.get("status") or {}).get("conditions") or []
    return next((each for each in found if each.get("type") == kind), {})


def holds(obj: JSON, kind: str) -> bool:
    """Tell whether a condition of an object is True."""
    return bool(condition_of(obj, kind).get("status") == "True")


def condition(kind: str, status: str, reason: str, message: str) -> JSON:
    """Return a condition without times."""
    return {"type": kind, "status": status, "reason": reason, "message": message}


def with_condition(conditions: Sequence[JSON], new: JSON, now: str) -> list[JSON]:
    """Return conditions of which one is new; it keeps the time of a status that stays.

    Args:
        conditions: before.
        new: as `condition` makes it, with further times if its kind has such.
        now: metav1.Time.
    """
    old = next((each for each in conditions if each.get("type") == new["type"]), {})
    since = old.get("lastTransitionTime") if old.get("status") == new["status"] else None
    others = [each for each in conditions if each.get("type") != new["type"]]
    return [*others, {**new, "lastTransitionTime": since or now}]
