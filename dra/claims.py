"""ResourceClaims as the node sees them: fetched live, in either shape, and checked.

One adapter per version of resource.k8s.io turns an object into `NodeClaim`: v1alpha2 of Kubernetes
1.27 to 1.30, and v1alpha3 of 1.31. Called by `plugin.driver` before every prepare and by
`dra.garbage` to find out what is out of date.
Source: k8s.io/api/resource/{v1alpha2,v1alpha3}/types.go.
"""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from api.claims import Claim
from api.names import RESOURCE_GROUP
from api.objects import JSON, ClaimUID, NodeName
from api.resources import DRA_VERSIONS, Resource
from api.selectors import selects
from dra.errors import (
    ClaimNotFound,
    ClaimUidMismatch,
    InvalidClaimName,
    NotAllocated,
    NotAllocatedHere,
    UnsupportedServer,
)
from kube.errors import NotFound

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
_LONGEST_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class ClaimRef:
    """A claim as the kubelet names it."""

    namespace: str
    name: str
    uid: ClaimUID

    def __str__(self) -> str:
        return f"ResourceClaim {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class DeviceResult:
    """Which request of a claim a device serves; v1alpha3 only."""

    request: str
    pool: str
    device: str


@dataclass(frozen=True, slots=True)
class NodeClaim:
    """What the node has to know of a claim.

    Attributes:
        uid: identity.
        raw: the object, for events.
        label: what the pod calls the claim, else its name.
        allocated: whether there is an allocation.
        driver: that allocated it, empty without allocation.
        nodes: NodeSelector of the allocation, None for every node.
        results: our devices in the allocation; empty in v1alpha2.
    """

    uid: ClaimUID
    raw: JSON
    label: str
    allocated: bool
    driver: str
    nodes: JSON | None
    results: tuple[DeviceResult, ...] = ()


class Adapter(Protocol):
    """Reads claims of one version of resource.k8s.io."""

    def __call__(self, claim: Claim, driver_name: str, /) -> NodeClaim:
        """Return the claim in the form that does not depend on the version."""


def from_v1alpha2(claim: Claim, _driver_name: str) -> NodeClaim:
    """Read a claim of Kubernetes 1.27 to 1.30."""
    return NodeClaim(
        uid=claim.uid,
        raw=claim.raw,
        label=claim.pod_claim_name or claim.name,
        allocated=claim.allocation is not None,
        driver=claim.driver_name,
        nodes=(claim.allocation or {}).get("availableOnNodes"),
    )


def from_v1alpha3(claim: Claim, driver_name: str) -> NodeClaim:
    """Read a claim of Kubernetes 1.31, allocated by a driver's controller."""
    allocation = claim.allocation or {}
    results = (allocation.get("devices") or {}).get("results") or []
    return NodeClaim(
        uid=claim.uid,
        raw=claim.raw,
        label=claim.pod_claim_name or claim.name,
        allocated=claim.allocation is not None,
        driver=str(allocation.get("controller", "")),
        nodes=allocation.get("nodeSelector"),
        results=tuple(
            DeviceResult(r.get("request", ""), r.get("pool", ""), r.get("device", ""))
            for r in results
            if r.get("driver") == driver_name
        ),
    )


ADAPTERS: Final[Mapping[str, Adapter]] = {"v1alpha2": from_v1alpha2, "v1alpha3": from_v1alpha3}
"""By version of resource.k8s.io, the preferred one first."""


def verify(claim: NodeClaim, ref: ClaimRef, node: NodeName, driver_name: str) -> None:
    """Check that a claim is the one that was asked for, and allocated by us for this node.

    Raises:
        NotForThisNode: naming the claim, what is wrong, and what helps.
    """
    if claim.uid != ref.uid:
        raise ClaimUidMismatch(
            f"{ref} has uid {claim.uid}, not {ref.uid}: it was deleted and made anew; delete the "
            "pod so that it starts with the present claim"
        )
    if not claim.allocated:
        raise NotAllocated(
            f"{ref} is not allocated; wait until the controller has allocated it, or delete the "
            "pod if the claim was deallocated under it"
        )
    if claim.driver != driver_name:
        raise NotAllocatedHere(
            f"{ref} is allocated by driver {claim.driver or 'kube-scheduler'}, not by "
            f"{driver_name}; correct the driver name in its class (on Kubernetes 1.31 in "
            "spec.controller of the claim)"
        )
    if not selects(claim.nodes, node, {}):
        raise NotAllocatedHere(
            f"{ref} is allocated for other nodes than {node}; delete the pod so that it is "
            "scheduled to the node of its claim"
        )


class ObjectReader(Protocol):
    """What is needed of kube.client.Client."""

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> JSON:
        """Read an object."""

    def versions(self, group: str) -> list[str]:
        """Return the served versions of an API group."""


class ClaimReader:
    """Fetches claims in the version that the API server has at present."""

    def __init__(self, client: ObjectReader, driver_name: str) -> None:
        """Read with `client` for a driver; the version is looked up at the first claim."""
        self._driver_name = driver_name
        self._client = client
        self._lock = threading.Lock()
        self._version: str | None = None

    def read(self, ref: ClaimRef) -> NodeClaim:
        """Return the stored claim of that namespace and name, whatever its uid.

        A server that was upgraded answers 404 for the former version, so not found is believed
        only of a version that it serves.

        Raises:
            InvalidClaimName: namespace or name would lead to another object of the API server.
            ClaimNotFound: there is none.
            UnsupportedServer: the server serves no version that has classic claims.
            KubeError: the server did not answer.
        """
        _check_name(ref)
        known = self._version
        version = known or self._look_up()
        try:
            return self._get(version, ref)
        except ClaimNotFound:
            present = self._look_up() if known else version
            if present == version:
                raise
            return self._get(present, ref)

    def _get(self, version: str, ref: ClaimRef) -> NodeClaim:
        try:
            raw = self._client.get(DRA_VERSIONS[version].claims, ref.name, ref.namespace)
        except NotFound as error:
            raise ClaimNotFound(
                f"{ref} (uid {ref.uid}) does not exist any more; delete the pod if it still waits"
            ) from error
        return ADAPTERS[version](Claim(raw), self._driver_name)

    def _look_up(self) -> str:
        served = self._client.versions(RESOURCE_GROUP)
        version = next((v for v in ADAPTERS if v in served), None)
        if version is None:
            raise UnsupportedServer(
                f"the API server serves {RESOURCE_GROUP} in {', '.join(served) or 'no version'}, "
                f"this driver reads {' and '.join(ADAPTERS)} (Kubernetes 1.27 to 1.31); enable the "
                "feature gate DynamicResourceAllocation and the API in --runtime-config"
            )
        with self._lock:
            self._version = version
        return version


def _check_name(ref: ClaimRef) -> None:
    for text in (ref.namespace, ref.name):
        if not _NAME.fullmatch(text):
            raise InvalidClaimName(
                f"{text[:_LONGEST_SHOWN]!r} cannot be the namespace or name of a ResourceClaim; "
                "the caller has to send those of the ResourceClaim's metadata"
            )
