"""A cluster for workloads: nodes without kubelet, devices without driver, and what pods come to.

Only the scheduler decides here, and nothing ever runs. Nodes stay ready as Leases are renewed.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from threading import Event, Thread
from typing import Final

from api.conditions import condition_of
from api.nodefit import is_ready
from api.objects import JSON, Key, key_of
from api.resources import NAMESPACES, NODES, PODS, Resource
from devcluster.kubelet.node import RENEW_SECONDS, NodeAgent
from kube.client import Client
from kube.errors import AlreadyExists, Forbidden, NotFound
from testing.waiting import until
from tests.allocatorparity.generator import DRIVERS
from tests.allocatorparity.generator import NODES as NAMES
from tests.explainparity.canary import CANARY, DRIVER, canary
from tests.explainparity.mending import Scene, entries, own_claims, plain_spec
from tests.explainparity.watched import SETTLES, V1, Watched
from tests.explainparity.workloads import CPUS, GATE, NAMESPACE, Ask, Workload

KNOWN: Final = (V1.claims, V1.templates, V1.slices, V1.classes)

_CORDONED: Final = "node.kubernetes.io/unschedulable"
"""A taint that nodes get beside the field of their spec, where there is who gives it."""

_ADMIN: Final = {"resource.kubernetes.io/admin-access": "true"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What kube-scheduler came to.

    Attributes:
        node: that it chose; empty if it refused.
        message: of the condition PodScheduled.
    """

    node: str = ""
    message: str = ""


class Site(Watched):
    """The cluster, watched."""

    def __init__(self, client: Client) -> None:
        """Watch what is made and what becomes of it."""
        super().__init__(client)
        self._numbers = count(1)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Have the nodes and the namespace while the context lasts."""
        stop = Event()
        agents = [NodeAgent(self.client, name, "v0", "192.0.2.1", time.time) for name in NAMES]
        bodies = [*self._caches.threads(stop), ("leases", lambda: _renew(agents, stop))]
        threads = [Thread(target=body, name=name) for name, body in bodies]
        for each in threads:
            each.start()
        try:
            self._caches.wait_synced(stop)
            self._prepare(agents)
            yield
            self._leave()
        finally:
            stop.set()
            self._caches.stop()
            for each in threads:
                each.join()

    def _leave(self) -> None:
        self.clear()
        for name in NAMES:
            self._delete(NODES, name)
        self._delete(NAMESPACES, NAMESPACE)

    def _prepare(self, agents: Sequence[NodeAgent]) -> None:
        with suppress(AlreadyExists):
            self.client.create(NAMESPACES, {"metadata": {"name": NAMESPACE, "labels": _ADMIN}})
        for agent in agents:
            agent.register()
            agent.renew()
        self.clear()
        until("pods to be admitted, as there is a service account", self._admits)

    def _admits(self) -> bool:
        container = {"name": "main", "image": "busybox:1.36"}
        pod = {"metadata": {"name": "admitted"}, "spec": {"containers": [container]}}
        try:
            self.client.create(PODS, pod, NAMESPACE, dry_run=True)
        except Forbidden:
            return False
        return True

    def publish(self, workload: Workload) -> None:
        """Create what there is before the pods.

        Raises:
            Invalid: the API server does not store it.
        """
        for each in workload.nodes:
            self._node(each)
        for each in workload.classes:
            self.client.create(V1.classes, each)
        for each in workload.slices:
            self.client.create(V1.slices, each)
        self.until("nodes as they are to be", lambda: all(map(self._is_ready, workload.nodes)))
        self._await_scheduler()

    def _await_scheduler(self) -> None:
        """Wait until kube-scheduler knows what there is, and what is gone."""
        made = canary(next(self._numbers))
        name = made.pods["metadata"]["name"]
        self.client.create(V1.slices, made.slices)
        self.client.create(V1.classes, made.classes)
        self.client.create(V1.claims, made.claims, NAMESPACE)
        self.client.create(PODS, made.pods)
        self.until("kube-scheduler to know what there is", lambda: self.is_bound(name))
        self.remove(name)
        for resource in (V1.claims, V1.classes, V1.slices):
            self._delete(resource, name)

    def _node(self, raw: JSON) -> None:
        name = raw["metadata"]["name"]
        amounts = {"cpu": str(CPUS), "memory": "64Gi", "pods": "110"}
        status = {"capacity": amounts, "allocatable": amounts}
        self.client.patch(NODES, name, {"metadata": {"labels": raw["metadata"]["labels"]}})
        self.client.patch(NODES, name, {"status": status}, subresource="status")
        self.place(raw)

    def place(self, raw: JSON) -> None:
        """Give a node its taints, and cordon it or not."""
        spec = {key: raw["spec"].get(key) for key in ("taints", "unschedulable")}
        self.client.patch(NODES, raw["metadata"]["name"], {"spec": spec})

    def _is_ready(self, wanted: JSON) -> bool:
        node = self._caches[NODES].get(Key(wanted["metadata"]["name"]))
        if node is None or not is_ready(node):
            return False
        cordoned = {_CORDONED} if wanted["spec"]["unschedulable"] else set()
        kept = {each["key"] for each in wanted["spec"]["taints"]}
        return {each["key"] for each in node["spec"].get("taints") or ()} - cordoned == kept

    def ask(self, ask: Ask) -> None:
        """Create a pod behind its gate, with claims and templates, and wait for those made of them.

        Raises:
            Invalid: the API server does not store it.
        """
        for each in ask.templates:
            self.client.create(V1.templates, each, NAMESPACE)
        for each in ask.claims:
            self.client.create(V1.claims, each, NAMESPACE)
        name = ask.pod["metadata"]["name"]
        self.forget(name)
        self.client.create(PODS, ask.pod)
        there = {each["metadata"]["name"] for each in ask.templates}
        # of which one is missing, others are not made either
        if all(template in there for _, _, template in entries(ask.pod) if template):
            self.until(f"claims of pod {name}", lambda: self._has_claims(name))
        names = [each["metadata"]["name"] for each in ask.claims]
        self.until("claims in the cache", lambda: all(map(self.claim, names)))

    def _has_claims(self, name: str) -> bool:
        pod = self.pod(name)
        if pod is None:
            return False
        made = [claim for _, claim, template in entries(pod) if template]
        return all(claim and self.claim(claim) for claim in made)

    def decided(self, name: str, seconds: float) -> Verdict | None:
        """Take the gate away, and return what the scheduler says; None if it says nothing."""
        self.client.patch(PODS, name, {"spec": {"schedulingGates": None}}, namespace=NAMESPACE)
        return self.within(seconds, lambda: self._verdict(name))

    def bound(self, name: str, seconds: float = SETTLES) -> bool:
        """Tell whether a pod gets a node within some seconds."""
        return bool(self.within(seconds, lambda: self.is_bound(name)))

    def is_bound(self, name: str) -> bool:
        """Tell whether a pod has a node, or had one before it was evicted."""
        return bool(self.node_of(name))

    def _verdict(self, name: str) -> Verdict | None:
        if node := self.node_of(name):
            return Verdict(node)
        pod = self.pod(name)
        if pod is None or pod["spec"].get("schedulingGates"):
            return None
        told = condition_of(pod, "PodScheduled")
        refused = told.get("status") == "False" and told.get("reason") != "SchedulingGated"
        return Verdict(message=told.get("message", "")) if refused else None

    def change(self, before: Scene, after: Scene) -> str:
        """Make of one scene another; return the name of the pod, which may be a new one."""
        for raw in after.seen.classes.values():
            self._write(V1.classes, raw, before.seen.classes.get(raw["metadata"]["name"]))
        slices = {each["metadata"]["name"]: each for each in before.seen.slices}
        for raw in after.seen.slices:
            self._write(V1.slices, raw, slices.get(raw["metadata"]["name"]))
        nodes = {each["metadata"]["name"]: each for each in before.seen.nodes}
        for raw in after.seen.nodes:
            if raw != nodes[raw["metadata"]["name"]]:
                self.place(raw)
        for name in after.seen.templates - before.seen.templates:
            spec = {"spec": plain_spec(after.seen.classes)}
            name = name.partition("/")[2]
            self.client.create(V1.templates, {"metadata": {"name": name}, "spec": spec}, NAMESPACE)
        self._claims(before, after)
        name = self._pod(before, after)
        if after.seen.templates != before.seen.templates:
            self.until(f"claims of pod {name}", lambda: self._has_claims(name))
        return name

    def _write(self, resource: Resource, raw: JSON, before: JSON | None) -> None:
        if before is None:
            self.client.create(resource, raw)
        elif raw != before:
            self.client.update(resource, raw)

    def _claims(self, before: Scene, after: Scene) -> None:
        """Create claims that are new, and let others give back their devices."""
        known = {key_of(each): each for each in before.seen.claims}
        for each in after.seen.claims:
            key = key_of(each)
            if key not in known:
                self.client.create(V1.claims, each)
            elif known[key].get("status") and not each.get("status"):
                self._free(known[key])

    def _free(self, claim: JSON) -> None:
        """Have a claim give its devices back, without pods or, if it keeps them then, made anew.

        It does if its pod was deleted while kube-scheduler bound it: that takes its reservation
        back, and nobody takes back an allocation that was not reserved last.
        """
        name = claim["metadata"]["name"]
        for each in claim["status"].get("reservedFor") or ():
            self._delete(PODS, each["name"], grace_seconds=0)
        self.until(f"claim {name} to have no pod", lambda: not _reserved(self.claim(name)))
        if _has_devices(self.claim(name)):
            self._delete(V1.claims, name)
            self.until(f"claim {name} to go", lambda: self.claim(name) is None)
            anew = {"metadata": {"name": name}, "spec": claim["spec"]}
            self.client.create(V1.claims, anew, NAMESPACE)

    def _pod(self, before: Scene, after: Scene) -> str:
        """Make the pod anew if it or one of its claims had to change."""
        name = str(before.pod["metadata"]["name"])
        old = {key_of(each): each["spec"] for each in before.seen.claims}
        own = [each for each in own_claims(after) if key_of(each) in old]
        same = all(each["spec"] == old[key_of(each)] for each in own)
        if same and before.pod["spec"] == after.pod["spec"]:
            return name
        ask = self._anew(after)
        self.remove(name)
        self.ask(ask)
        return str(ask.pod["metadata"]["name"])

    def _anew(self, scene: Scene) -> Ask:
        """Return the pod under another name, with claims of its own under other names."""
        number = next(self._numbers)
        by_name = {each["metadata"]["name"]: each for each in own_claims(scene)}
        claims: dict[str, JSON] = {}
        listed = []
        for entry, name, _ in entries(scene.pod):
            if not _has_devices(by_name[name]):
                made = f"anew-{number}-{name}"
                claims[made] = {"metadata": {"name": made}, "spec": by_name[name]["spec"]}
                name = made
            listed.append({"name": entry, "resourceClaimName": name})
        spec = {**scene.pod["spec"], "resourceClaims": listed, "schedulingGates": [{"name": GATE}]}
        meta = {"name": f"anew-{number}", "namespace": NAMESPACE}
        return Ask({"metadata": meta, "spec": spec}, list(claims.values()))

    def remove(self, pod: str) -> None:
        """Delete a pod, and wait until it is gone."""
        self._delete(PODS, pod, grace_seconds=0)
        self.until(f"pod {pod} to go", lambda: self.pod(pod) is None)

    def clear(self) -> None:
        """Delete what was made for a workload, and wait until it is gone."""
        for resource in (PODS, V1.claims, V1.templates):
            for each in self.client.list(resource, namespace=NAMESPACE).items:
                grace = 0 if resource is PODS else None
                self._delete(resource, each["metadata"]["name"], grace_seconds=grace)
        for each in self.client.list(V1.slices).items:
            if each["spec"]["driver"] in (*DRIVERS, DRIVER):
                self._delete(V1.slices, each["metadata"]["name"])
        for name in (each["metadata"]["name"] for each in self.client.list(V1.classes).items):
            if name in ("c0", "c1", "missing") or name.startswith(CANARY):
                self._delete(V1.classes, name)
        self.until("an empty namespace", self._is_empty)

    def _is_empty(self) -> bool:
        stores = (self._caches[PODS], self._caches[V1.claims])
        return not any(
            each["metadata"]["namespace"] == NAMESPACE for store in stores for each in store.list()
        )

    def _delete(self, resource: Resource, name: str, grace_seconds: int | None = None) -> None:
        with suppress(NotFound):
            self.client.delete(resource, name, NAMESPACE, grace_seconds=grace_seconds)


def _has_devices(claim: JSON | None) -> bool:
    return bool(((claim or {}).get("status") or {}).get("allocation"))


def _reserved(claim: JSON | None) -> bool:
    return bool(((claim or {}).get("status") or {}).get("reservedFor"))


def _renew(agents: Sequence[NodeAgent], stop: Event) -> None:
    while not stop.wait(RENEW_SECONDS):
        for each in agents:
            each.renew()
