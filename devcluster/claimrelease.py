"""Takes claims back: from consumers that are gone, and altogether when their pod is done.

One half of the claim controller; podclaimsync.py is the other. Decisions are in claimrules.py.
Source: kubernetes pkg/controller/resourceclaim/controller.go v1.30 (syncClaim).
"""

from api.claims.versions import read_claim
from api.claims.view import ClaimView
from api.objects import JSON, Key, object_key, uid_of
from api.pods import Pod
from api.resources import DRA_V1ALPHA2, PODS
from devcluster.caches import Caches
from devcluster.claimrules import foreign_consumers, is_leftover, released, still_consumes
from kube.client import Client
from kube.errors import NotFound
from ops.logs import get_logger

_LOG = get_logger("claim-controller")


class ClaimRelease:
    """Brings the consumers of one claim up to date."""

    def __init__(self, client: Client, caches: Caches) -> None:
        """Decide on `caches`; write to `client`, and ask it for pods that no cache has seen."""
        self._client = client
        self._caches = caches

    def sync(self, key: Key) -> None:
        """Drop consumers that are gone, then a generated claim that nobody will use.

        A claim whose pod is gone for good is left to the garbage collector.

        Raises:
            KubeError: a request failed.
        """
        raw = self._caches[DRA_V1ALPHA2.claims].get(key)
        if raw is None:
            return
        claim = read_claim(raw)
        if foreign := foreign_consumers(claim):
            _LOG.warning("claim is reserved for something that is no pod", claim=key, by=foreign)
            return
        body = released(claim, lambda consumer: self._is_there(claim, consumer))
        if body is not None:
            claim = read_claim(self._client.update(DRA_V1ALPHA2.claims, body, subresource="status"))
            self._caches[DRA_V1ALPHA2.claims].written(claim.raw)
            _LOG.info("released", claim=key, consumers=len(claim.reserved_for))
        if not claim.reserved_for and is_leftover(claim, self._owner(claim)):
            self._delete(claim)

    def _is_there(self, claim: ClaimView, consumer: JSON) -> bool:
        name = str(consumer.get("name", ""))
        cached = self._caches[PODS].get(object_key(claim.namespace, name))
        if cached is not None and uid_of(cached) == consumer.get("uid"):
            return still_consumes(Pod(cached), consumer)
        try:
            found = self._client.get(PODS, name, claim.namespace)
        except NotFound:
            return False
        return still_consumes(Pod(found), consumer)

    def _owner(self, claim: ClaimView) -> Pod | None:
        for owner in claim.raw["metadata"].get("ownerReferences") or []:
            if owner.get("controller") and owner.get("kind") == "Pod":
                raw = self._caches[PODS].get(object_key(claim.namespace, str(owner["name"])))
                return Pod(raw) if raw is not None else None
        return None

    def _delete(self, claim: ClaimView) -> None:
        try:
            self._client.delete(DRA_V1ALPHA2.claims, claim.name, claim.namespace, uid=claim.uid)
        except NotFound:
            return
        _LOG.info("deleted a claim whose pod is done", claim=claim.key)
