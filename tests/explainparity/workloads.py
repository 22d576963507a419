"""Workloads by chance: devices on two nodes, pods that take some of them, and one that may not fit.

Slices, classes and claims are those of tests.allocatorparity, as far as an API server stores them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from api.objects import JSON
from tests.allocatorparity.generator import NODES, POLICIES, ZONES, Generator

NAMESPACE: Final = "explainparity"
GATE: Final = "explainparity.example.com/explained"
MARK: Final = "explainparity.example.com/node"
"""Label of the nodes that pods may run on."""

TAINT: Final = {"key": "explainparity.example.com/taint", "value": "x", "effect": "NoSchedule"}
CPUS: Final = 8
"""Of every node."""

_WITHOUT: Final = ("bindingConditions", "bindingFailureConditions", "bindsToNode")
"""Nobody here says that a device is ready to be bound."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A pod that waits behind a scheduling gate, with what it refers to.

    Attributes:
        pod: the pod.
        claims: that it names; one that is allocated already is not among them.
        templates: of its other claims.
    """

    pod: JSON
    claims: Sequence[JSON] = ()
    templates: Sequence[JSON] = ()


@dataclass(frozen=True, slots=True)
class Workload:
    """What is made for one comparison.

    Attributes:
        slices: of made-up drivers.
        classes: that claims name.
        nodes: specs of the two nodes.
        asks: pods, one after the other; the last one is made to fit if it doesn't.
    """

    slices: Sequence[JSON]
    classes: Sequence[JSON]
    nodes: Sequence[JSON]
    asks: Sequence[Ask]


@dataclass(slots=True)
class Workloads(Generator):
    """Makes workloads, the same for the same seed."""

    kept: list[str] = field(default_factory=list)

    def workload(self) -> Workload:
        """Return a workload."""
        slices = [each for pool in self._pools() for each in pool]
        self.random.shuffle(slices)
        classes = [self._class(f"c{number}") for number in range(self._count(1, 2))]
        nodes = [self._node(each) for each in NODES]
        asks = [self._holding(number) for number in range(self._one((0, 1, 1, 2, 3)))]
        return Workload(slices, classes, nodes, [*asks, self._waiting(classes)])

    def _device(self, name: str, sets: Sequence[str], advanced: bool) -> JSON:
        # named, since a dataclass with slots is another class than that in which this was compiled
        found = Generator._device(self, name, sets, advanced)
        return {key: value for key, value in found.items() if key not in _WITHOUT}

    def _capacity(self, values: Sequence[str], policies: Sequence[JSON | None]) -> JSON:
        # further ones are there for allocators, and are not stored
        stored = POLICIES if policies is POLICIES else (None,)
        return Generator._capacity(self, values, stored[:3])

    def _node(self, name: str) -> JSON:
        meta = {"name": name, "labels": {"zone": ZONES[name], MARK: "true"}}
        taints = [TAINT] if self._is(10) else []
        return {"metadata": meta, "spec": {"taints": taints, "unschedulable": self._is(4)}}

    def _holding(self, number: int) -> Ask:
        """Return a pod that takes a device or two, if there are any."""
        count = self._one((1, 1, 2))
        exactly = {"deviceClassName": "c0", "allocationMode": "ExactCount", "count": count}
        requests = [{"name": "r", "exactly": exactly}]
        claim: JSON = {
            "metadata": {"name": f"held-{number}"},
            "spec": {"devices": {"requests": requests}},
        }
        self.kept.append(claim["metadata"]["name"])
        return self._ask(f"holder-{number}", [claim])

    def _waiting(self, classes: Sequence[JSON]) -> Ask:
        claims = [self._claim(number, classes) for number in range(self._one((1, 1, 2, 3)))]
        for each in claims:
            each["metadata"] = {"name": each["metadata"]["name"]}
        return self._ask("waiting", claims, share=True)

    def _ask(self, name: str, claims: Sequence[JSON], *, share: bool = False) -> Ask:
        named: list[JSON] = []
        templates: list[JSON] = []
        entries: list[JSON] = []
        for index, claim in enumerate(claims):
            own = claim["metadata"]["name"]
            by_template = self._is(30) if share else False
            missing = share and self._is(2)
            field = "resourceClaimTemplateName" if by_template else "resourceClaimName"
            entries.append({"name": f"e{index}", field: own})
            if not missing:
                (templates if by_template else named).append(claim)
        if share and self.kept and self._is(10):
            entries.append({"name": "shared", "resourceClaimName": self._one(self.kept)})
        return Ask(self._pod(name, entries), named, [template(each) for each in templates])

    def _pod(self, name: str, entries: Sequence[JSON]) -> JSON:
        choosing = {"zone": self._one("ab")} if self._is(12) else {}
        tolerations = [{"key": TAINT["key"], "operator": "Exists"}] if self._is(30) else []
        cpu = str(CPUS + 1) if self._is(4) else "100m"
        spec: dict[str, Any] = {
            "schedulingGates": [{"name": GATE}],
            "nodeSelector": {MARK: "true", **choosing},
            "tolerations": tolerations,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "resourceClaims": list(entries),
        }
        resources = {"requests": {"cpu": cpu}, "claims": [{"name": e["name"]} for e in entries]}
        container = {"name": "main", "image": "busybox:1.36", "resources": resources}
        return {
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {**spec, "containers": [container]},
        }


def template(claim: JSON) -> JSON:
    """Return a template for claims like this one, with its name."""
    return {"metadata": claim["metadata"], "spec": {"spec": claim["spec"]}}


def workload(seed: int) -> Workload:
    """Return the workload of a seed."""
    return Workloads(Random(seed)).workload()
