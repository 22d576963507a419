"""Prepares a pod's claims before its containers start, and unprepares them after the last one.

The DRA manager of the virtual kubelet: it fetches claims, calls drivers batch by batch, and keeps
a checkpoint. Thread-safe; pods that share a claim wait for each other.
Source: kubernetes pkg/kubelet/cm/dra/manager.go.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from api.claims.versions import read_claim
from api.claims.view import ClaimView
from api.objects import JSON, Key, object_key
from api.pods import Pod, PodClaim
from devcluster.extendedresources import recorded, requests_of
from devcluster.kubelet.checkpoint import Checkpoint, ClaimInfo
from devcluster.kubelet.devicehealth import DeviceHealth
from devcluster.kubelet.dialect import Dialect
from devcluster.kubelet.draclient import ClaimRequest, DraClient
from devcluster.kubelet.errors import PluginCallFailed, PrepareFailed, UnprepareFailed
from devcluster.kubelet.preparation import (
    check_annotation,
    check_claim,
    claims_to_prepare,
    complaint,
    devices_for,
    handles_of,
    requests_for,
    resources_of,
)
from kube.errors import KubeError
from kube.keylocks import KeyLocks

Fetch = Callable[[str, str], JSON]
"""Returns a claim by namespace and name from the API server."""


class ClaimManager:
    """The claims that one node holds for its pods."""

    def __init__(
        self,
        fetch: Fetch,
        driver: Callable[[str], DraClient | None],
        dialect: Dialect,
        checkpoint: Checkpoint,
        health: DeviceHealth | None = None,
    ) -> None:
        """Start from the checkpoint of an earlier run.

        Args:
            fetch: reads a claim, uncached.
            driver: returns the client of a registered driver by name.
            dialect: of the emulated kubelet.
            checkpoint: survives this object.
            health: of the node's devices, where the status of pods shows it.

        Raises:
            CheckpointCorrupt: the file cannot be read.
        """
        self._fetch = fetch
        self._driver = driver
        self._dialect = dialect
        self._checkpoint = checkpoint
        self._health = health
        self._lock = threading.Lock()
        self._busy = KeyLocks[Key]()
        self._held = {object_key(c.namespace, c.name): c for c in checkpoint.load()}
        self._prepared: set[Key] = set()

    def prepare(self, pod: Pod) -> None:
        """Have every claim that the pod needs prepared; repeats only what is not yet done.

        Raises:
            PrepareFailed: for the pod's event; try again later.
        """
        entries = {
            object_key(pod.namespace, entry.claim_name or ""): entry
            for entry in claims_to_prepare(pod, self._dialect)
        }
        with self._busy.holding(entries):
            held = [self._hold(pod, entry) for entry in entries.values()]
            fresh = [claim for claim in held if self._key(claim) not in self._prepared]
            for driver, requests in requests_for(fresh).items():
                self._prepare_batch(driver, requests, fresh)
            with self._lock:
                self._prepared.update(self._key(claim) for claim in fresh)

    def unprepare(self, pod_uid: str) -> None:
        """Let go of every claim of a pod; drivers are called where it was the last one here.

        Raises:
            UnprepareFailed: the claims stay held; try again later.
        """
        with self._lock:
            keys = [key for key, claim in self._held.items() if pod_uid in claim.pods]
        with self._busy.holding(keys):
            last: list[ClaimInfo] = []
            for claim in [self._held[key] for key in keys if key in self._held]:
                if claim.pods == {pod_uid}:
                    last.append(claim)
                else:
                    self._keep(replace(claim, pods=claim.pods - {pod_uid}))
            for driver, requests in requests_for(last).items():
                self._unprepare_batch(driver, requests)
            self._forget(last)

    def devices(self, pod: Pod, container: JSON) -> tuple[str, ...]:
        """Return the CDI ids that a container gets; the pod's claims must be prepared."""
        held = self._held_by(pod)
        return devices_for(container, held, requests_of(pod, str(container.get("name"))))

    def resources(self, pod: Pod) -> Mapping[str, list[JSON]]:
        """Return what the status of each container shows of its devices, if it does, by name."""
        if self._health is None:
            return {}
        held = self._held_by(pod)
        containers = (pod.raw.get("spec") or {}).get("containers") or []
        return {each["name"]: resources_of(each, held, self._health) for each in containers}

    def pods(self) -> set[str]:
        """Return the uids of all pods that some claim is held for."""
        with self._lock:
            return {uid for claim in self._held.values() for uid in claim.pods}

    def _held_by(self, pod: Pod) -> dict[str, ClaimInfo]:
        with self._lock:
            return {
                entry.name: self._held[key]
                for entry in [*pod.claims, *filter(None, [recorded(pod)])]
                if (key := object_key(pod.namespace, entry.claim_name or "")) in self._held
            }

    def _hold(self, pod: Pod, entry: PodClaim) -> ClaimInfo:
        """Fetch and check a claim, and record that the pod uses it."""
        claim = self._fetched(pod, entry)
        check_claim(pod, entry, claim)
        with self._lock:
            held = self._held.get(claim.key)
        if held is not None and held.uid != claim.uid:
            raise PrepareFailed(
                f"old ResourceClaim with same name {claim.key} and different UID {held.uid} "
                "still exists"
            )
        if held is None:
            held = ClaimInfo(claim.namespace, claim.name, claim.uid, handles_of(claim))
        if pod.uid not in held.pods:
            held = replace(held, pods=held.pods | {pod.uid})
            self._keep(held)
        return held

    def _fetched(self, pod: Pod, entry: PodClaim) -> ClaimView:
        if not entry.claim_name:
            raise PrepareFailed(
                f"failed to fetch ResourceClaim of pod claim {entry.name} of pod {pod.name}: "
                "the pod's status does not name it yet"
            )
        try:
            return read_claim(self._fetch(pod.namespace, entry.claim_name))
        except KubeError as error:
            raise PrepareFailed(
                f"failed to fetch ResourceClaim {entry.claim_name} referenced by pod "
                f"{pod.name}: {error}"
            ) from error

    def _prepare_batch(
        self, driver: str, requests: Sequence[ClaimRequest], claims: Sequence[ClaimInfo]
    ) -> None:
        client = self._driver(driver)
        if client is None:
            raise PrepareFailed(_not_registered(driver))
        try:
            answers = client.prepare(requests)
        except PluginCallFailed as error:
            raise PrepareFailed(f"NodePrepareResources failed: {error}") from error
        wrong = complaint("NodePrepareResources", requests, answers)
        if wrong is not None:
            raise PrepareFailed(wrong)
        for claim in claims:
            if claim.uid in answers:
                check_annotation(self._dialect, driver, claim)
                latest = self._held[self._key(claim)]
                devices = {**latest.devices, driver: answers[claim.uid].devices}
                self._keep(replace(latest, devices=devices))

    def _unprepare_batch(self, driver: str, requests: Sequence[ClaimRequest]) -> None:
        client = self._driver(driver)
        if client is None:
            raise UnprepareFailed(_not_registered(driver))
        try:
            answers = client.unprepare(requests)
        except PluginCallFailed as error:
            raise UnprepareFailed(f"NodeUnprepareResources failed: {error}") from error
        wrong = complaint("NodeUnprepareResources", requests, answers)
        if wrong is not None:
            raise UnprepareFailed(wrong)

    def _keep(self, claim: ClaimInfo) -> None:
        with self._lock:
            self._held[self._key(claim)] = claim
            self._checkpoint.store(self._held.values())

    def _forget(self, claims: Sequence[ClaimInfo]) -> None:
        if not claims:
            return
        with self._lock:
            for claim in claims:
                self._held.pop(self._key(claim), None)
                self._prepared.discard(self._key(claim))
            self._checkpoint.store(self._held.values())

    @staticmethod
    def _key(claim: ClaimInfo) -> Key:
        return object_key(claim.namespace, claim.name)


def _not_registered(driver: str) -> str:
    return f"plugin name {driver} not found in the list of registered DRA plugins"
