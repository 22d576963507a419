"""Which claims of a pod wait for this driver, and what they ask for."""

from dataclasses import dataclass

from api.claims import Claim, Pod, PodClaim
from api.errors import UserError
from api.names import DRIVER_NAME
from api.objects import Key, object_key
from controller.allocator import DeviceRequest
from controller.claims import PendingClaim
from controller.errors import ClaimNotReady, ForeignClaim
from controller.parameters import ParametersLookup, topics
from controller.waiting import Topic
from kube.store import Store


@dataclass(frozen=True, slots=True)
class Unusable:
    """A claim of the pod that somebody has to mend first."""

    error: UserError
    claim: Claim
    topics: frozenset[Topic]


class PendingClaims:
    """Finds the pending claims of pods in the watch cache of claims."""

    def __init__(self, claims: Store, lookup: ParametersLookup) -> None:
        """Look into `claims`, and follow references with `lookup`."""
        self._claims = claims
        self._lookup = lookup

    def of_pod(self, pod: Pod) -> dict[str, PendingClaim] | Unusable:
        """Return the unallocated delayed claims of our classes, by name within the pod.

        Raises:
            ClaimNotReady: a claim is not in the cache yet, or is on its way out.
            ForeignClaim: a claim of the expected name was not made for this pod.
        """
        found: dict[str, PendingClaim] = {}
        for entry in pod.claims:
            claim = self._claim(pod, entry)
            if claim is None or claim.immediate or claim.allocation is not None:
                continue
            if claim.deleting:
                raise ClaimNotReady(f"claim {claim.key} is being deleted")
            asked = self.request(claim)
            if isinstance(asked, Unusable):
                return asked
            if asked is not None:
                found[entry.name] = PendingClaim(claim, asked)
        return found

    def request(self, claim: Claim) -> DeviceRequest | Unusable | None:
        """Return what a claim asks of a node, None when it is another driver's."""
        resource_class = None
        try:
            resource_class = self._lookup.resource_class(claim)
            if resource_class.driver_name != DRIVER_NAME:
                return None
            found = self._lookup.parameters(claim, resource_class)
        except UserError as error:
            return Unusable(error, claim, topics(claim, resource_class))
        return DeviceRequest(claim.uid, found.of_claim, found.of_class)

    def _claim(self, pod: Pod, entry: PodClaim) -> Claim | None:
        """Return the claim of one entry, None for one that was deliberately not created."""
        if entry.omitted:
            return None
        raw = self._claims.get(self._key(pod, entry))
        if raw is None:
            raise ClaimNotReady(f"claim {entry.name} of pod {pod.namespace}/{pod.name} is unknown")
        claim = Claim(raw)
        if entry.from_template and claim.owner_uid != pod.uid:
            raise ForeignClaim(
                f"ResourceClaim {claim.key} was not made for pod {pod.namespace}/{pod.name}; "
                "delete the claim or the pod"
            )
        return claim

    def _key(self, pod: Pod, entry: PodClaim) -> Key:
        """Return the claim's key; Kubernetes up to 1.27 names template claims by rule."""
        name = entry.claim_name or f"{pod.name}-{entry.name}"
        return object_key(pod.namespace, name)
