"""Which claims of a pod wait for this driver, and what they ask for."""

from api.claims.versions import read_claim
from api.claims.view import ClaimView
from api.objects import Key, object_key
from api.pods import Pod, PodClaim
from controller.claims.writer import PendingClaim
from controller.errors import ClaimNotReady, ForeignClaim
from controller.versions.dialect import ClaimRequests, Dialect, Unusable
from kube.store import Store


class PendingClaims:
    """Finds the pending claims of pods in the watch cache of claims."""

    def __init__(self, claims: Store, dialect: Dialect) -> None:
        """Look into `claims`, and read them with `dialect`."""
        self._claims = claims
        self._dialect = dialect

    def of_pod(self, pod: Pod) -> dict[str, PendingClaim] | Unusable:
        """Return the unallocated delayed claims that are ours, by name within the pod.

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
            reading = self._dialect.read(claim)
            if isinstance(reading, Unusable):
                return reading
            if isinstance(reading, ClaimRequests):
                found[entry.name] = PendingClaim(claim, reading)
        return found

    def _claim(self, pod: Pod, entry: PodClaim) -> ClaimView | None:
        """Return the claim of one entry, None for one that was deliberately not created."""
        if entry.omitted:
            return None
        raw = self._claims.get(self._key(pod, entry))
        if raw is None:
            raise ClaimNotReady(f"claim {entry.name} of pod {pod.namespace}/{pod.name} is unknown")
        claim = read_claim(raw)
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
