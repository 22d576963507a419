"""Kubernetes from 1.32 on: kube-scheduler allocates, each result names its driver.

v1beta1, v1beta2 and v1 differ in what claims ask for only, see api.conversion.
"""

from api.claims.view import Allocation, ClaimView, allocation_of
from api.objects import JSON


def read(raw: JSON) -> ClaimView:
    """Read a claim of v1, v1beta2 or v1beta1."""
    found = allocation_of(raw)
    if found is None:
        return ClaimView(raw)
    entries = (found.get("devices") or {}).get("results") or []
    drivers = frozenset(str(entry.get("driver", "")) for entry in entries)
    return ClaimView(raw, Allocation(found, drivers, found.get("nodeSelector")))
