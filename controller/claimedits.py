"""What the controller changes in a claim, as values. Pure; controller.claims writes them."""

from api.names import DRIVER_NAME, FINALIZER
from api.objects import JSON
from controller.dialect import with_status

MOVED_ANNOTATION = f"{DRIVER_NAME}/moved-at"


def with_finalizer(raw: JSON) -> JSON:
    """Return the metadata that add our finalizer, the mark that the claim is ours to free."""
    return {"finalizers": [*(raw["metadata"].get("finalizers") or []), FINALIZER]}


def with_move(raw: JSON) -> JSON:
    """Return the metadata that note a move of the allocation, which no earlier write had."""
    return {"annotations": {MOVED_ANNOTATION: str(raw["metadata"].get("resourceVersion", ""))}}


def without_finalizer(raw: JSON) -> JSON:
    """Return the metadata that drop our finalizer."""
    return {"finalizers": [f for f in raw["metadata"].get("finalizers") or [] if f != FINALIZER]}


def reserved(raw: JSON, consumer: JSON) -> JSON:
    """Return the claim reserved for its first consumer."""
    return with_status(raw, reservedFor=[consumer])
