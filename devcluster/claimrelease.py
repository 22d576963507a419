"""Takes claims back: from consumers that are gone, and altogether when their pod is done.

One half of the claim controller; podclaimsync.py is the other. Decisions are in claimrules.py.
Source: kubernetes pkg/controller/resourceclaim/controller.go v1.30 (syncClaim).
"""

from api.claims.versions import read_claim
from api.claims.view import ClaimView
from api.objects import JSON, Key, object_key, uid_of
from api.pods import Pod
from api.resources import PODS
from devcluster.caches import Caches
from devcluster.claimapi import ClaimApi
from devcluster.claimrules import (
    foreign_consumers,
    is_leftover,
    released,
    still_consumes,
    without_finalizer,
)
from kube.client import Client
from kube.errors import NotFound
from ops.logs import get_logger

_LOG = get_logger("claim-controller")


class ClaimRelease:
    """Brings the consumers of one claim up to date."""

    def __init__(self, client: Client, caches: Caches, known: ClaimApi) -> None:
        """Decide on `caches`; write to `client`, and ask it for pods that no cache has seen."""
        self._client = client
        self._caches = caches
        self._claims = known.claims

    def sync(self, key: Key) -> None:
        """Drop consumers that are gone, then a generated claim that nobody will use.

        A claim whose pod is gone for good is left to the garbage collector.

        Raises:
            KubeError: a request failed.
        """
        raw = self._caches[self._claims].get(key)
        if raw is None:
            return
        claim = read_claim(raw)
        if foreign := foreign_consumers(claim):
            _LOG.warning("claim is reserved for something that is no pod", claim=key, by=foreign)
            return
        body = released(claim, lambda consumer: self._is_there(claim, consumer))
        if body is not None:
            claim = self._write(body, "status")
            _LOG.info("released", claim=key, consumers=len(claim.reserved_for))
        # the scheduler puts it on before it allocates
        done = body is not None or claim.deleting
        if done and (rest := without_finalizer(claim)) is not None:
            claim = self._write(rest)
        if not claim.reserved_for and is_leftover(claim, self._owner(claim)):
            self._delete(claim)

    def _write(self, body: JSON, subresource: str | None = None) -> ClaimView:
        stored = self._client.update(self._claims, body, subresource=subresource)
        self._caches[self._claims].written(stored)
        return read_claim(stored)

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
            self._client.delete(self._claims, claim.name, claim.namespace, uid=claim.uid)
        except NotFound:
            return
        _LOG.info("deleted a claim whose pod is done", claim=claim.key)
