"""The whole driver in memory: a controller, a plugin on each node, and a user's part of it all.

Every write of either program, to the API server or to a file, passes a tripwire, so that the
program can be killed just before or just after it; then it is started anew on what is stored. The
scheduler, the claim controller and the kubelets are played in as few lines as will do.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from api.claims.versions import read_claim
from api.contract import FAKE
from api.handles import all_with_claims
from api.invariants import Violation, check
from api.nas import NodeAllocationState, parse_nas
from api.objects import JSON, ClaimUID, object_key
from api.parameters import ClaimParameters
from api.resources import CLASS_PARAMETERS, DRA_V1ALPHA2, NODES, PODS, STATES, Resource
from controller.claims.repair import ABANDONED_SECONDS
from dra.claims import ClaimRef
from kube.errors import KubeError, NotFound
from ops.communication import Communication
from testing.apiserver import MemoryApi
from testing.clock import Clock
from tests.support.build import (
    NAMESPACE,
    POD_CLAIM,
    SYSTEM,
    claim,
    node,
    offering,
    pod,
    resource_class,
    scheduling,
)
from tests.support.controllerrig import Rig
from tests.support.nodeprogram import NodeProgram
from tests.support.tripwire import Killed, Tripwire, TripwireApi

PARAMETERS = DRA_V1ALPHA2.parameters[0]
WISHES = {
    "one": ClaimParameters(count=1),
    "two": ClaimParameters(count=2),
    "split": ClaimParameters(count=1, split=3),
    "shared": ClaimParameters(count=1),
    "two-shared": ClaimParameters(count=2),
}
SHARED = {"shared": 2, "two-shared": 3}
"""Wishes for shares of devices, by how many claims may have some; each has a class of its own."""
ROUNDS = 25


class World:
    """A cluster with two nodes."""

    def __init__(
        self,
        root: Path,
        patch: Any,
        *,
        devices: int = 3,
        nodes: int = 2,
        communication: Communication = Communication.NAS,
    ) -> None:
        self.root = root
        self.communication = communication
        self.tripwire = Tripwire()
        self.tripwire.install(patch)
        self.api = TripwireApi(self.tripwire)
        self.clock = Clock(1000.0)
        self.api.put(DRA_V1ALPHA2.classes, resource_class())
        for name, wish in WISHES.items():
            self.api.put(PARAMETERS, _parameters(name, wish))
        for name, most in SHARED.items():
            made, offer = offering(name=name, sharing="TimeSliced", maxClients=most)
            self.api.put(DRA_V1ALPHA2.classes, made)
            self.api.put(CLASS_PARAMETERS, offer)
        names = [f"node-{number}" for number in range(1, nodes + 1)]
        for name in names:
            self.api.put(NODES, node(name))
        self.nodes = {
            name: NodeProgram(self.api, root, name, devices, communication) for name in names
        }
        self.repairs: list[str] = []
        self.start_controller()

    # the programs

    def start_controller(self) -> None:
        """Start a controller process whose caches see all that is stored."""
        self.rig = Rig(
            api=self.api, clock=self.clock, begun=False, communication=self.communication
        )

    def switch(self, communication: Communication) -> None:
        """Restart every program with another way of communication, as a rolling update does."""
        self.communication = communication
        self.start_controller()
        for program in self.nodes.values():
            program.communication = communication
            if program.present:
                program.start()

    def see(self) -> None:
        """Let the controller's caches see what the API server has, as after a new list."""
        self.rig.resync()

    def reconcile(self) -> None:
        """Look at every object once, as after a restart."""
        kinds = {"nas": STATES, "claim": DRA_V1ALPHA2.claims, "psc": DRA_V1ALPHA2.contexts}
        for kind, resource in kinds.items():
            for obj in self.api.all(resource):
                meta = obj["metadata"]
                self.rig.controller.reconciler.handle(f"{kind}:{meta['namespace']}/{meta['name']}")

    def killed(self, program: Callable[[], object], restart: Callable[[], object]) -> bool:
        """Run a program's work; start it anew if the tripwire kills it. Tells whether it did."""
        try:
            program()
        except Killed:
            self.tripwire.disarm()
            restart()
            return True
        finally:
            self.tripwire.disarm()
        return False

    # the users, the scheduler, the claim controller, the kubelets

    def submit(self, name: str, wish: str) -> None:
        """Create a claim and a pod that uses it, both of one name."""
        if self.find(DRA_V1ALPHA2.claims, name) or self.find(PODS, name):
            return
        ref = {"apiGroup": PARAMETERS.group, "kind": PARAMETERS.kind, "name": wish}
        number = self.api.version()
        its_class = {"resourceClassName": wish} if wish in SHARED else {}
        made = claim(name, parametersRef=ref, **its_class)
        made["metadata"]["uid"] = f"uid-{name}-{number}"
        self.api.put(DRA_V1ALPHA2.claims, made)
        self.submit_pod(name)

    def submit_pod(self, name: str) -> None:
        """Create a pod for a claim that is there."""
        made = pod(name, (POD_CLAIM, name))
        made["metadata"]["uid"] = f"uid-pod-{name}-{self.api.version()}"
        self.api.put(PODS, made)
        context = scheduling(name, potential=list(self.nodes))
        context["metadata"]["ownerReferences"][0]["uid"] = made["metadata"]["uid"]
        self.api.put(DRA_V1ALPHA2.contexts, context)

    def select(self, name: str, node_name: str) -> None:
        """Select a node for a pod that waits, unless its claim is allocated already."""
        context = self.find(DRA_V1ALPHA2.contexts, name)
        if context is not None:
            context["spec"]["selectedNode"] = node_name
            self.api.rewrite(context)

    def bind(self) -> None:
        """Bind the pods whose claims are allocated and reserved, and prepare them."""
        for obj in self.api.all(PODS):
            self._bind(obj)

    def prepare(self) -> None:
        """Ask each plugin for the claims of its bound pods."""
        for program in self.nodes.values():
            for ref in list(program.running.values()) if program.present else []:
                program.driver.prepare(ref)

    def end_pod(self, name: str) -> None:
        """Unprepare a pod's claim, and delete the pod with its negotiation and reservation."""
        for program in self.nodes.values():
            ref = program.running.get(name)
            if ref is not None and program.present:
                program.driver.unprepare(ref)
            program.running.pop(name, None)
        for resource in (PODS, DRA_V1ALPHA2.contexts):
            self.api.objects.pop((resource.plural, object_key(NAMESPACE, name)), None)
        obj = self.find(DRA_V1ALPHA2.claims, name)
        if obj is not None and obj.get("status", {}).pop("reservedFor", None):
            self.api.rewrite(obj)

    def delete_claim(self, name: str) -> None:
        """Delete a claim that no pod uses."""
        if self.find(DRA_V1ALPHA2.claims, name) and not self.find(PODS, name):
            self.api.delete(DRA_V1ALPHA2.claims, name, NAMESPACE)

    def delete_node(self, name: str) -> None:
        """Take a node away with everything on it; its pods are gone, its state is garbage."""
        program = self.nodes[name]
        if not program.present:
            return
        program.present = False
        for running in list(program.running):
            self.end_pod(running)
        shutil.rmtree(program.directory)
        program.directory.mkdir()
        shutil.rmtree(program.cdi_root, ignore_errors=True)
        self.api.objects.pop((NODES.plural, object_key(None, name)))
        self.api.objects.pop((STATES.plural, object_key(SYSTEM, name)), None)

    def return_node(self, name: str) -> None:
        """Let the machine join again, as another Node of the same name."""
        program = self.nodes[name]
        if not program.present:
            made = node(name)
            made["metadata"]["uid"] = f"uid-{name}-{self.api.version()}"
            self.api.put(NODES, made)
            program.present = True
            program.start()

    # the end

    def settle(self) -> None:
        """Let everybody work until nothing is written any more, for longer than any grace."""
        self.tripwire.disarm()
        self.api.fault = lambda *_: None
        quiet = 0
        for _ in range(ROUNDS):
            before = self.written()
            self._round()
            self.clock.now += ABANDONED_SECONDS
            quiet = quiet + 1 if self.written() == before else 0
            if quiet > 2:
                return
        raise AssertionError(f"does not settle: {self.api.calls[-20:]}")

    def violations(self) -> list[Violation]:
        """Return what is wrong now, of all that fsck looks at."""
        states = self.states()
        claims = [read_claim(obj) for obj in self.api.all(DRA_V1ALPHA2.claims)]
        files = [
            violation
            for state in states
            if self.nodes[state.node].present
            for violation in self.nodes[state.node].violations(state)
        ]
        return [*check(states, claims, FAKE), *files]

    def states(self) -> list[NodeAllocationState]:
        """Return the states of all nodes, with what claims say themselves."""
        claims = [read_claim(obj) for obj in self.api.all(DRA_V1ALPHA2.claims)]
        states = [parse_nas(obj, FAKE.device_key) for obj in self.api.all(STATES)]
        return all_with_claims(states, claims, FAKE)

    def drain(self) -> None:
        """End all pods, delete all claims, and settle."""
        for name in self.names():
            self.end_pod(name)
            self.delete_claim(name)
        self.settle()

    def leaks(self) -> list[str]:
        """Return what is left although every pod and claim was deleted."""
        claims = [obj["metadata"]["name"] for obj in self.api.all(DRA_V1ALPHA2.claims)]
        held = [uid for state in self.states() for uid in (*state.holders, *state.prepared)]
        return [*claims, *held]

    def names(self) -> list[str]:
        places = [p for p in self.api.objects if p[0] in (PODS.plural, DRA_V1ALPHA2.claims.plural)]
        return sorted({key.rpartition("/")[2] for _, key in places})

    def written(self) -> int:
        return len(self.api.writes())

    def nas(self, node_name: str) -> JSON:
        return self.api.find(STATES, node_name, SYSTEM)

    def edit(self, node_name: str, spec: JSON) -> None:
        """Merge into the spec of a NAS, as people do."""
        self.api.patch(STATES, node_name, {"spec": spec}, namespace=SYSTEM)

    def find(self, resource: Resource, name: str) -> JSON | None:
        try:
            return self.api.find(resource, name, NAMESPACE)
        except KeyError:
            return None

    @contextmanager
    def failing(self, errors: Callable[[], KubeError | None]) -> Iterator[None]:
        """Let requests fail with what `errors` returns."""
        self.api.fault = lambda *_: errors()
        try:
            yield
        finally:
            self.api.fault = lambda *_: None

    def _round(self) -> None:
        self.see()
        self.reconcile()
        self.bind()
        for program in self.nodes.values():
            if program.present:
                program.keep()
        self._prepare_what_can_be()

    def _prepare_what_can_be(self) -> None:
        for program in self.nodes.values():
            for ref in list(program.running.values()) if program.present else []:
                try:
                    program.driver.prepare(ref)
                except Exception as error:  # noqa: BLE001 - the kubelet tries again for ever
                    self.repairs.append(str(error))

    def _bind(self, obj: JSON) -> None:
        name = obj["metadata"]["name"]
        stored = self.find(DRA_V1ALPHA2.claims, name)
        if stored is None:
            return
        found = read_claim(stored)
        status = stored.get("status") or {}
        program = self.nodes.get(found.node(FAKE.driver_name) or "")
        if program is None or not program.present or found.leaving:
            return
        if not status.get("reservedFor"):
            consumer = {"resource": "pods", "name": name, "uid": obj["metadata"]["uid"]}
            stored["status"] = {**status, "reservedFor": [consumer]}
            self.api.rewrite(stored)
        ref = ClaimRef(NAMESPACE, name, ClaimUID(stored["metadata"]["uid"]))
        program.running.setdefault(name, ref)


def gone(api: MemoryApi, resource: Resource, name: str) -> None:
    """Delete an object past its finalizers, as people do who know no better."""
    try:
        del api.objects[resource.plural, object_key(NAMESPACE, name)]
    except KeyError as error:
        raise NotFound(404, "NotFound", name, {}) from error


def _parameters(name: str, wish: ClaimParameters) -> JSON:
    spec = {"count": wish.count, **({"split": wish.split} if wish.split else {})}
    return {
        "apiVersion": PARAMETERS.api_version,
        "kind": PARAMETERS.kind,
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}"},
        "spec": spec,
    }
