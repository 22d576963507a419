"""Which versions of resource.k8s.io there are, which one to use, and who reads its claims.

By presence: v1alpha3 has classic claims in 1.31 only, so beside no later version, and the server's
minor version tells where those are off. Whether the gate DRAControlPlaneController is on cannot be
found out: without it the API server of 1.31 serves the same resources, and empties spec.controller
of new claims.
Source: kubernetes pkg/registry/resource/rest/storage_resource.go, and
pkg/registry/resource/resourceclaim/strategy.go (release-1.31).
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Final

from api.claims import v1, v1alpha2, v1alpha3
from api.claims.view import ClaimView
from api.errors import UnsupportedVersion
from api.names import RESOURCE_GROUP
from api.objects import JSON
from api.resources import DRA_VERSIONS, STRUCTURED_VERSIONS, Resource

CLASSIC: Final = tuple(DRA_VERSIONS)
"""With claims that a driver's controller allocates, the preferred one first."""

STRUCTURED: Final = tuple(STRUCTURED_VERSIONS)
"""With claims that kube-scheduler allocates, the newest first."""

CLAIMS: Final[Mapping[str, Resource]] = {
    **{name: known.claims for name, known in DRA_VERSIONS.items()},
    **{name: known.claims for name, known in STRUCTURED_VERSIONS.items()},
}
"""ResourceClaim in each version."""

READERS: Final[Mapping[str, Callable[[JSON], ClaimView]]] = {
    "v1alpha2": v1alpha2.read,
    "v1alpha3": v1alpha3.read,
    **dict.fromkeys(STRUCTURED, v1.read),
}
_BY_API_VERSION: Final = {CLAIMS[name].api_version: read for name, read in READERS.items()}

_LAST_CLASSIC_MINOR: Final = 31
_GATE: Final = "the feature gate DynamicResourceAllocation on every component"
_ADVICE: Final = {
    "v1alpha2": f"on Kubernetes 1.27 to 1.30 with {_GATE} and "
    f"--runtime-config={RESOURCE_GROUP}/v1alpha2=true",
    "v1alpha3": "on Kubernetes 1.31 with the feature gates DynamicResourceAllocation on every "
    "component and DRAControlPlaneController on API server and scheduler, and "
    f"--runtime-config={RESOURCE_GROUP}/v1alpha3=true",
    "v1": "on Kubernetes 1.34 or later",
    "v1beta2": f"on Kubernetes 1.33 with {_GATE} and "
    f"--runtime-config={RESOURCE_GROUP}/v1beta2=true",
    "v1beta1": f"on Kubernetes 1.32 with {_GATE} and "
    f"--runtime-config={RESOURCE_GROUP}/v1beta1=true",
}
_BY_MINOR: Final = {31: "v1alpha3", 32: "v1beta1", 33: "v1beta2"}
"""What a server of that minor version has if it is asked to."""


def read_claim(raw: JSON) -> ClaimView:
    """Return what a ResourceClaim says, by the version that it names."""
    return _BY_API_VERSION[raw["apiVersion"]](raw)


def choose(served: Collection[str], usable: Collection[str], server: JSON | None = None) -> str:
    """Return the version to use.

    Args:
        served: versions of resource.k8s.io that the server has.
        usable: those that the caller can work with, the preferred one first.
        server: answer of `GET /version`, if the caller has asked for it.

    Raises:
        UnsupportedVersion: there is none; with what to do about it.
    """
    minor = _minor(server or {})
    late = (minor or 0) > _LAST_CLASSIC_MINOR or not set(served).isdisjoint(STRUCTURED)
    for version in usable:
        if version in served and not (late and version == "v1alpha3"):
            return version
    if late and set(usable).isdisjoint(STRUCTURED):
        release = "1.32 or later" if minor is None else f"1.{minor}"
        raise UnsupportedVersion(
            f"the API server is Kubernetes {release}, and drivers with a controller (classic "
            "Dynamic Resource Allocation) were removed in 1.32; use Kubernetes 1.27 to 1.31"
        )
    raise UnsupportedVersion(
        f"the API server serves {RESOURCE_GROUP} in {', '.join(served) or 'no version'}, this "
        f"driver needs {' or '.join(usable)}; start the API server {_advice(usable, minor)}"
    )


def _advice(usable: Collection[str], minor: int | None) -> str:
    """Return how to get one of these versions, on the server's own minor version if that can."""
    own = "" if minor is None else _BY_MINOR.get(minor, "v1alpha2" if minor < 31 else "v1")
    return ", or ".join(_ADVICE[name] for name in ([own] if own in usable else usable))


def _minor(server: JSON) -> int | None:
    """Return the minor version; some distributions write `28+`."""
    digits = re.match(r"\d+", str(server.get("minor", "")))
    return int(digits.group()) if digits else None
