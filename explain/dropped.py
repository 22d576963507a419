"""Fields that the API server has dropped: they were applied, and are not stored.

Told by the annotation that `kubectl apply` leaves; there is no other trace of them.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from api.conversion import converted
from api.objects import JSON, key_of
from api.resources import STRUCTURED_VERSIONS

_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_CLAIMS: Final = STRUCTURED_VERSIONS["v1"].claims


def dropped(claim: JSON) -> Iterator[str]:
    """Yield a text for each field of a claim's spec that was dropped."""
    applied = (claim["metadata"].get("annotations") or {}).get(_APPLIED)
    try:
        given = converted(json.loads(applied), _CLAIMS) if applied else {}
    except ValueError:
        return
    for path in _missing(given.get("spec"), claim["spec"], "spec"):
        yield (
            f"claim {key_of(claim)}: {path} was applied, but the API server has dropped it: a "
            "feature gate is off there"
        )


def _missing(given: Any, stored: Any, path: str) -> Iterator[str]:
    if isinstance(given, dict) and isinstance(stored, dict):
        for name, value in given.items():
            if name in stored:
                yield from _missing(value, stored[name], f"{path}.{name}")
            elif value not in (None, "", [], {}):
                yield f"{path}.{name}"
    elif isinstance(given, list) and isinstance(stored, list):
        for index, (one, other) in enumerate(zip(given, stored, strict=False)):
            yield from _missing(one, other, f"{path}[{index}]")
