"""ResourceClaims as the node sees them: fetched live, in the version that the API server has.

Called by `dra.node` before every prepare and by `dra.garbage` to find out what is out of date.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from api.claims.versions import CLAIMS, READERS, choose
from api.claims.view import ClaimView
from api.errors import UnsupportedVersion
from api.names import RESOURCE_GROUP
from api.objects import ClaimUID, NodeName
from api.selectors import selects
from api.validation import subdomain
from dra.errors import (
    ClaimNotFound,
    ClaimUidMismatch,
    InvalidClaimName,
    NotAllocated,
    NotAllocatedHere,
    UnsupportedServer,
)
from kube.client import Client
from kube.errors import NotFound

_LONGEST_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class ClaimRef:
    """A claim as the kubelet names it."""

    namespace: str
    name: str
    uid: ClaimUID

    def __str__(self) -> str:
        return f"ResourceClaim {self.namespace}/{self.name}"


def verify(claim: ClaimView, ref: ClaimRef, node: NodeName, driver_name: str) -> None:
    """Check that a claim is the one that was asked for, and allocated to us on this node.

    Raises:
        NotForThisNode: naming the claim, what is wrong, and what helps.
    """
    if claim.uid != ref.uid:
        raise ClaimUidMismatch(
            f"{ref} has uid {claim.uid}, not {ref.uid}: it was deleted and made anew; delete the "
            "pod so that it starts with the present claim"
        )
    if claim.allocation is None:
        raise NotAllocated(
            f"{ref} is not allocated; wait until the controller has allocated it, or delete the "
            "pod if the claim was deallocated under it"
        )
    if not claim.allocated_by(driver_name):
        others = ", ".join(sorted(claim.allocation.drivers)) or "kube-scheduler"
        raise NotAllocatedHere(
            f"{ref} is allocated by driver {others}, not by {driver_name}; correct the driver "
            "name in its class (on Kubernetes 1.31 in spec.controller of the claim)"
        )
    # of an allocation that selects nodes by labels, the scheduler has looked at these
    if not selects(claim.allocation.nodes, node, None):
        raise NotAllocatedHere(
            f"{ref} is allocated for other nodes than {node}; delete the pod so that it is "
            "scheduled to the node of its claim"
        )


class ClaimReader:
    """Fetches claims in the version that the API server has at present."""

    def __init__(self, client: Client, versions: Collection[str]) -> None:
        """Read with `client` in one of some versions, which is looked up at the first claim."""
        self._client = client
        self._versions = versions
        self._version: str | None = None

    def read(self, ref: ClaimRef) -> ClaimView:
        """Return the stored claim of that namespace and name, whatever its uid.

        A server that was upgraded answers 404 for the former version, and names no object in it.

        Raises:
            InvalidClaimName: namespace or name would lead to another object of the API server.
            ClaimNotFound: there is none.
            UnsupportedServer: the server serves none of the versions.
            KubeError: the server did not answer.
        """
        _check_name(ref)
        known = self._version
        version = known or self._look_up()
        try:
            return self._get(version, ref)
        except NotFound as error:
            named = error.details.get("name") == ref.name
            present = version if named or not known else self._look_up()
            if present == version:
                raise _not_found(ref) from error
        try:
            return self._get(present, ref)
        except NotFound as error:
            raise _not_found(ref) from error

    def _get(self, version: str, ref: ClaimRef) -> ClaimView:
        return READERS[version](self._client.get(CLAIMS[version], ref.name, ref.namespace))

    def _look_up(self) -> str:
        try:
            version = choose(self._client.versions(RESOURCE_GROUP), self._versions)
        except UnsupportedVersion as error:
            raise UnsupportedServer(str(error)) from error
        self._version = version
        return version


def _not_found(ref: ClaimRef) -> ClaimNotFound:
    return ClaimNotFound(
        f"{ref} (uid {ref.uid}) does not exist any more; delete the pod if it still waits"
    )


def _check_name(ref: ClaimRef) -> None:
    for text in (ref.namespace, ref.name):
        if subdomain(text):
            raise InvalidClaimName(
                f"{text[:_LONGEST_SHOWN]!r} cannot be the namespace or name of a ResourceClaim; "
                "the caller has to send those of the ResourceClaim's metadata"
            )
