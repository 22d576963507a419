"""Deletes the pods whose claims have devices with a NoExecute taint that they do not tolerate.

As the device-taint-eviction controller of kube-controller-manager does, for taints of slices and of
DeviceTaintRules. How far an eviction has come is not written into the rules.
Source: kubernetes pkg/controller/devicetainteviction v1.37.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from allocation.inuse import device_id
from allocation.taints import is_tolerated, with_rules
from api.claims.versions import read_claim
from api.claims.view import ClaimView
from api.conditions import condition, with_condition
from api.objects import JSON, key_of, object_key
from api.pods import Pod
from api.resources import PODS
from api.times import parse_time, timestamp
from devcluster.caches import Caches
from devcluster.claimapi import RULES, STRUCTURED
from devcluster.controlloop import ControlLoop
from devcluster.podclaims import is_finished
from kube.client import Client
from kube.errors import NotFound
from kube.events import EventRecorder
from kube.workqueue import WorkQueue
from ops.lifecycle import Lifecycle

_EVERYTHING: Final = "devices"
"""The one key of the queue: taints and claims are few, and looked at together."""

_Taints = Mapping[tuple[str, str, str], Sequence[JSON]]


@dataclass(frozen=True, slots=True)
class Eviction:
    """The pods of a claim have to go at a time, in seconds since the epoch."""

    claim: ClaimView
    at: float


def evicting(slices: Iterable[JSON], rules: Sequence[JSON]) -> _Taints:
    """Return the NoExecute taints of devices, by driver, pool and name."""
    found: dict[tuple[str, str, str], Sequence[JSON]] = {}
    for each in with_rules(slices, rules):
        spec = each["spec"]
        for device in spec.get("devices") or ():
            taints = [t for t in device.get("taints") or () if t["effect"] == "NoExecute"]
            if taints:
                found[spec["driver"], spec["pool"]["name"], device["name"]] = taints
    return found


def evictions(claims: Iterable[ClaimView], taints: _Taints) -> Iterator[Eviction]:
    """Yield the claims whose pods have to go, each with the first of all times."""
    for claim in claims:
        times = [
            at
            for result in (claim.allocation.entries if claim.allocation else ())
            for taint in taints.get(device_id(result), ())
            if (at := _due(taint, result.get("tolerations") or ())) is not None
        ]
        if times and claim.reserved_for:
            yield Eviction(claim, min(times))


def _due(taint: JSON, tolerations: Sequence[JSON]) -> float | None:
    """Return when a taint is tolerated no more, None if it is for ever."""
    added = parse_time(taint.get("timeAdded"))
    since = added.timestamp() if added else 0.0
    matching = [each for each in tolerations if is_tolerated(taint, [each])]
    if not matching:
        return since
    limits = [each["tolerationSeconds"] for each in matching if "tolerationSeconds" in each]
    return since + max(0, min(limits)) if limits else None


class DeviceEviction:
    """The controller.

    Attributes:
        caches: what it decides on.
        queue: has one key when there is something to look at.
    """

    def __init__(
        self, client: Client, *, events: EventRecorder, now: Callable[[], float] = time.time
    ) -> None:
        """Make a controller that is not running.

        Args:
            client: the API server.
            events: where DeviceTaintManagerEviction goes.
            now: seconds since the epoch.
        """
        watched = (PODS, STRUCTURED.claims, STRUCTURED.slices, RULES)
        self.caches = Caches(client, {resource: {} for resource in watched})
        self.queue = WorkQueue()
        self._client = client
        self._events = events
        self._now = now
        self._loop = ControlLoop("device-eviction", self.caches, self.queue, self._handle)
        self._taints: _Taints = {}
        self._outdated = threading.Event()
        for resource in watched:
            changes = self._on_taints if resource in (STRUCTURED.slices, RULES) else self._on
            self.caches[resource].subscribe(changes)

    def start(self, life: Lifecycle) -> None:
        """Start watching and working, on threads that `life` stops."""
        self._loop.start(life)

    def process(self, key: str) -> None:
        """Look at everything; a failed request leads to another try."""
        self._loop.process(key)

    def _on_taints(self, _old: JSON | None, _new: JSON | None) -> None:
        self._outdated.set()
        self.queue.add(_EVERYTHING)

    def _on(self, _old: JSON | None, _new: JSON | None) -> None:
        self.queue.add(_EVERYTHING)

    def _handle(self, key: str) -> None:
        if self._outdated.is_set():
            self._outdated.clear()
            slices, rules = (self.caches[r].list() for r in (STRUCTURED.slices, RULES))
            self._taints = evicting(slices, rules)
        claims = self.caches[STRUCTURED.claims].list() if self._taints else []
        for each in evictions(map(read_claim, claims), self._taints):
            if each.at > self._now():
                self.queue.add_after(key, each.at - self._now())
                continue
            for consumer in each.claim.reserved_for:
                self._evict(each.claim.namespace, consumer)

    def _evict(self, namespace: str, consumer: JSON) -> None:
        raw = self.caches[PODS].get(object_key(namespace, str(consumer["name"])))
        pod = Pod(raw) if raw is not None else None
        if pod is None or pod.uid != consumer["uid"] or pod.deleting or is_finished(pod):
            return
        text = f"Marking for deletion Pod {key_of(pod.raw)}"
        self._events.normal(pod.raw, "DeviceTaintManagerEviction", text)
        try:
            self._client.patch(
                PODS,
                pod.name,
                {"metadata": {"uid": pod.uid}, "status": _disrupted(pod, self._now())},
                namespace=namespace,
                subresource="status",
            )
            self._client.delete(PODS, pod.name, namespace, uid=pod.uid)
        except NotFound:
            return


def _disrupted(pod: Pod, now: float) -> JSON:
    told = "Device Taint manager: deleting due to NoExecute taint"
    target = condition("DisruptionTarget", "True", "DeletionByDeviceTaintManager", told)
    had = (pod.raw.get("status") or {}).get("conditions") or []
    return {"conditions": with_condition(had, target, timestamp(now))}
