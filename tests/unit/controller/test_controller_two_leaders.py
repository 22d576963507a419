"""Two controllers that both believe they lead never give a device to two claims.

Both work on the same claims at the same time, with caches that lag and turns that change before
every request, while pods come, go, and change their node.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Set
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

import pytest

from api.claims.versions import read_claim
from api.claims.view import ClaimView
from api.contract import FAKE
from api.handles import by_node, given, with_claims
from api.invariants import shared
from api.nas import NodeAllocationState, parse_nas
from api.objects import JSON, ClaimUID
from api.resources import CLASS_PARAMETERS, DRA_VERSIONS, PODS, STATES
from controller.nodes.infos import RESERVATION_SECONDS
from kube.errors import Conflict
from ops.communication import Communication
from tests.support.build import (
    CLASS,
    SYSTEM,
    claim,
    device_claim,
    device_class,
    device_request,
    nas,
    offering,
    pod,
    resource_class,
    scheduling,
)
from tests.support.effort import tries
from tests.support.twocontrollers import History, Lagging, Turns

NODES = [f"node-{n}" for n in range(3)]
DEVICES = 8
PODS_AT_ONCE = 14
ROUNDS = 14
SHARED = "shared"

pytestmark = pytest.mark.timeout(120)

T = TypeVar("T")


class Remembered(Generic[T]):
    """What stored objects say, read once for each version of an object."""

    def __init__(self, reading: Callable[[JSON], T]) -> None:
        self._reading = reading
        self._known: dict[str, T] = {}

    def __call__(self, raw: JSON) -> T:
        version = raw["metadata"]["resourceVersion"]
        if version not in self._known:
            self._known[version] = self._reading(raw)
        return self._known[version]


class Load:
    """Pods that come and go, each with two claims, and what was given to them."""

    def __init__(
        self,
        version: str,
        seed: int,
        modes: tuple[Communication, Communication],
        *,
        clients: int = 1,
    ) -> None:
        """With several `clients`, devices of one of two classes have as many."""
        self.version = version
        self.clients = clients
        self.resources = DRA_VERSIONS[version]
        self.rand = random.Random(seed)
        self.turns = Turns(self.rand)
        self.api = History(self.turns, self.check)
        self.pods: list[str] = []
        self.made = 0
        self.wrong: list[str] = []
        self.given: set[tuple[str, str]] = set()
        self.checked: list[str] = []
        self.looked: dict[tuple[int, ...], Set[ClaimUID]] = {}
        self.parse_nas = Remembered(lambda raw: parse_nas(raw, FAKE.device_key))
        self.read_claim = Remembered(read_claim)
        self.api.put(self.resources.classes, self._class())
        offer = offering(version, SHARED, sharing="TimeSliced", maxClients=clients)
        for resource, obj in zip((self.resources.classes, CLASS_PARAMETERS), offer, strict=False):
            self.api.put(resource, obj)
        for name in NODES:
            self.api.put(STATES, nas(name, DEVICES, sharing=["TimeSliced"]))
        self.now = 0.0
        self.controllers = [Lagging(self.api, version, lambda: self.now, mode) for mode in modes]

    def check(self, api: History) -> None:
        """Note a device in two claims, and an allocation that is written down nowhere.

        Raises nothing, since a controller would take that for an error of its own.
        """
        states, claims = api.peek(STATES), self._claims()
        versions = [raw["metadata"]["resourceVersion"] for raw in (*states, *claims)]
        if versions == self.checked:
            return
        self.checked = versions
        there = by_node(map(self.read_claim, claims), FAKE)
        holders = {
            str(state.node): self._holders(state, there.get(state.node, []))
            for state in map(self.parse_nas, states)
        }
        told: Counter[str] = Counter()
        for raw in claims:
            uid = raw["metadata"]["uid"]
            for name, devices in self._allocated(raw):
                told.update(devices)
                if uid not in holders[name]:
                    self.wrong.append(f"{uid} is allocated on {name}, which knows nothing of it")
        self.wrong += [f"{d} is in {n} claims" for d, n in told.items() if n > self.clients]

    def _holders(self, state: NodeAllocationState, claims: list[ClaimView]) -> Set[ClaimUID]:
        """Return who has devices of a node; look at them once, as long as nobody has changed."""
        known = (id(state), *map(id, claims))
        if known not in self.looked:
            found = with_claims(state, claims, FAKE)
            self.given.update((str(state.node), uid) for uid in found.holders)
            self.wrong += [violation.message for violation in shared(found)]
            self.looked[known] = found.holders.keys()
        return self.looked[known]

    def round(self) -> None:
        """Let pods come and go, and both controllers look at everything."""
        while len(self.pods) < PODS_AT_ONCE:
            self._come()
        keys = [*self._keys(), *self._keys()]
        self.rand.shuffle(keys)
        # the same order for both, so that they often meet at one claim
        bodies = [partial(each.work, keys, self.rand) for each in self.controllers]
        self.turns.run(*bodies, self._schedule)
        assert not self.wrong
        for name in self.rand.sample(self.pods, 7):
            self._go(name)

    def settle(self) -> None:
        """Let every cache see everything, and both controllers go on until nothing changes.

        Before, the reservations run out that only one of them knows of: until then the two answer
        the scheduler differently.
        """
        self.now += RESERVATION_SECONDS
        for _ in range(20):
            before = len(self.api.changes)
            for controller in self.controllers:
                for key in self._keys():
                    controller.see()
                    controller.rig.controller.reconciler.handle(key)
            if len(self.api.changes) == before:
                return
        raise AssertionError("does not settle")

    def left(self) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
        """Return node and claim of every entry in a NAS, and of every allocation."""
        held = {(n, uid) for n in NODES for uid in self._held(self.api.find(STATES, n, SYSTEM))}
        handles = ((raw["metadata"]["uid"], self._handles(raw)) for raw in self._claims())
        held |= {(name, uid) for uid, found in handles for name, _ in found}
        told = {
            (name, raw["metadata"]["uid"])
            for raw in self._claims()
            for name, _ in self._allocated(raw)
        }
        return held, told

    def _schedule(self) -> None:
        """Change the nodes of pods while the controllers work."""
        for _ in range(3 * PODS_AT_ONCE):
            with suppress(Conflict):
                self._select(self.rand.choice(self.pods))

    def _keys(self) -> list[str]:
        claims = [f"claim:default/{r['metadata']['name']}" for r in self._claims()]
        states = [f"nas:{SYSTEM}/{name}" for name in NODES]
        return [f"psc:default/{name}" for name in self.pods] + claims + states

    def _claims(self) -> list[JSON]:
        return self.api.peek(self.resources.claims)

    def _come(self) -> None:
        self.made += 1
        name = f"pod-{self.made}"
        claims = [f"{name}-a", f"{name}-b"]
        for each in claims:
            self.api.put(self.resources.claims, self._claim(each))
        self.api.put(PODS, pod(name, *((each, each) for each in claims)))
        self.api.put(self.resources.contexts, scheduling(name, potential=NODES))
        self.pods.append(name)
        self._select(name)

    def _select(self, name: str) -> None:
        """Select a node, as a scheduler does that has just dropped another one."""
        psc = self.api.find(self.resources.contexts, name, "default")
        psc["spec"]["selectedNode"] = self.rand.choice(NODES)
        self.api.update(self.resources.contexts, psc)

    def _go(self, name: str) -> None:
        self.pods.remove(name)
        self.api.delete(self.resources.contexts, name, "default")
        self.api.delete(PODS, name, "default")
        for each in (f"{name}-a", f"{name}-b"):
            raw = self.api.find(self.resources.claims, each, "default")
            raw["status"] = {**raw.get("status", {}), "reservedFor": []}
            self.api.update(self.resources.claims, raw, subresource="status")
            self.api.delete(self.resources.claims, each, "default")

    def _class(self) -> JSON:
        return resource_class() if self.version == "v1alpha2" else device_class()

    def _claim(self, name: str) -> JSON:
        its_class = self.rand.choice([CLASS, SHARED]) if self.clients > 1 else CLASS
        if self.version == "v1alpha2":
            return claim(name, resourceClassName=its_class)
        count = self.rand.choice([1, 1, 2])
        return device_claim(name, device_request("r", count, deviceClassName=its_class))

    @staticmethod
    def _handles(raw: JSON) -> Iterator[tuple[str, list[str]]]:
        """Yield node and devices of a claim that says itself what it has, also while it goes."""
        claim = read_claim(raw)
        found = given(claim, FAKE)
        if found is not None:
            yield claim.node(FAKE.driver_name) or "", [d.id for d in found.devices]

    @staticmethod
    def _held(state: JSON) -> dict[str, list[str]]:
        entries = state["spec"].get("allocatedClaims") or {}
        return {uid: [d["uuid"] for d in e["fake"]["devices"]] for uid, e in entries.items()}

    def _allocated(self, raw: JSON) -> Iterator[tuple[str, list[str]]]:
        """Yield node and devices of an allocation that is in use; v1alpha2 names no devices."""
        allocation = raw.get("status", {}).get("allocation")
        if not allocation or raw["metadata"].get("deletionTimestamp"):
            return
        selector = allocation.get("availableOnNodes") or allocation.get("nodeSelector")
        (term,) = selector["nodeSelectorTerms"]
        (name,) = term["matchFields"][0]["values"]
        results = (allocation.get("devices") or {}).get("results") or []
        assert all(r["driver"] == FAKE.driver_name and r["pool"] == name for r in results)
        yield name, [r["device"] for r in results]


NAS, HANDLE = Communication.NAS, Communication.HANDLE
MODES = {"nas": ((NAS, NAS), 5), "handle": ((HANDLE, HANDLE), 3), "both": ((NAS, HANDLE), 3)}
"""What the two do, and how many seeds show it."""

CASES = [
    pytest.param(version, modes, seed, clients, id=f"{version}-{name}-{seed}-{clients}")
    for version in sorted(DRA_VERSIONS)
    for name, (modes, seeds) in MODES.items()
    for clients in (1, 2)
    for seed in range(tries(seeds))
]


@pytest.mark.parametrize(("version", "modes", "seed", "clients"), CASES)
def test_no_device_is_given_more_often_than_promised(
    version: str, modes: tuple[Communication, Communication], seed: int, clients: int
) -> None:
    load = Load(version, seed, modes, clients=clients)
    for _ in range(ROUNDS):
        load.round()
    load.settle()
    assert not load.wrong
    held, told = load.left()
    assert held == told
    assert len(load.given) >= 100
