"""What an API server serves of resource.k8s.io: versions and feature gates of a Kubernetes minor.

Source: kubernetes pkg/controlplane/instance.go.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from api.claims.versions import STRUCTURED
from api.features import GATES, on_by_default


@dataclass(frozen=True, slots=True)
class ResourceApi:
    """What is served of resource.k8s.io.

    Attributes:
        minor: of Kubernetes 1.x; decides on limits.
        versions: that are served.
        gates: feature gates over fields that are on; fields of others are dropped.
    """

    minor: int
    versions: tuple[str, ...]
    gates: frozenset[str] = frozenset()


CLASSIC: Final = ResourceApi(30, ("v1alpha2",))
"""Classic claims, as Kubernetes 1.27 to 1.30 have them."""


def structured(
    minor: int = 37, *versions: str, on: Iterable[str] = (), off: Iterable[str] = ()
) -> ResourceApi:
    """Return what a minor with structured parameters serves, 1.32 or later.

    Args:
        minor: of Kubernetes 1.x.
        versions: to serve; by default what is on by itself, up to 1.33 all there are.
        on: gates to turn on.
        off: gates to turn off.

    Raises:
        ValueError: the minor has no such version or gate.
    """
    known = STRUCTURED[max(0, 34 - minor) :]
    gates = {gate for gate, (since, _) in GATES.items() if since <= minor}
    if minor < 32 or set(versions) - set(known) or ({*on, *off} - gates):
        raise ValueError(f"1.{minor} has the versions {known} and the gates {sorted(gates)}")
    default = on_by_default(minor)
    chosen = versions or (known[:1] if minor >= 34 else known)
    return ResourceApi(minor, chosen, frozenset((default | set(on)) - set(off)))
