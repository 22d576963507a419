"""What is stored in a cluster whose scheduler allocates, whole and with defaults."""

from typing import Any

from api.objects import JSON
from devcluster.claimapi import RULES, STRUCTURED
from tests.support.build import pod
from tests.support.structuredobjects import a_slice, claim_body

CLASS: JSON = {
    "kind": "DeviceClass",
    "apiVersion": STRUCTURED.classes.api_version,
    "metadata": {"name": "gpu"},
    "spec": {},
}


def claim(name: str = "claim", **asked: Any) -> JSON:
    """Return a claim as it is stored, with defaults; for one device if nothing else is asked."""
    meta = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    kind = {"kind": "ResourceClaim", "apiVersion": STRUCTURED.claims.api_version}
    body = {"name": "r", "exactly": wish(**asked)}
    if "firstAvailable" in asked:
        body = {"name": "r", **asked}
    return {**kind, **claim_body(body), "metadata": meta}


def wish(**fields: Any) -> JSON:
    return {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 1, **fields}


def published(*devices: JSON, on: str = "node-1", **spec: Any) -> JSON:
    pool = {"name": on, "generation": 1, "resourceSliceCount": 1}
    kind = {"kind": "ResourceSlice", "apiVersion": STRUCTURED.slices.api_version}
    return {**kind, **a_slice(on, *devices, nodeName=on, **{"pool": pool, **spec})}


def user(name: str, *claims: str) -> JSON:
    entries = [{"name": each, "resourceClaimName": each} for each in claims]
    return {**pod(name), "spec": {"resourceClaims": entries}}


def rule(effect: str, **selector: str) -> JSON:
    """Return a rule for the devices that a selector matches, by default all."""
    taint = {"key": "example.com/broken", "effect": effect, "timeAdded": "1970-01-01T00:16:00Z"}
    return {
        "kind": RULES.kind,
        "apiVersion": RULES.api_version,
        "metadata": {"name": "rule"},
        "spec": {"deviceSelector": selector, "taint": taint},
    }
