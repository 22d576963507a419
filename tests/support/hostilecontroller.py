"""The controller as a target: parameters in both versions of the API, and states of nodes."""

import copy
from random import Random
from typing import Any

from api.contract import FAKE
from api.names import CLAIM_PARAMETERS_KIND, CLASS_PARAMETERS_KIND
from api.objects import JSON
from tests.support.build import (
    CLASS,
    POD_CLAIM,
    allocated,
    claim,
    deleted,
    device_claim,
    device_class,
    finalized,
    holding,
    nas,
    opaque,
    pod,
    preparing,
    resource_class,
    scheduling,
)
from tests.support.controllerrig import Rig
from tests.support.hostile import Wrong
from tests.support.mutation import mutated

PSC = "psc:default/pod"
WANTED = {"count": 2, "split": 3, "selector": {"model": "M*"}}
OFFERED = {"deviceSelector": [{"type": "fake", "name": "M"}, {"type": "fake", "name": "N*"}]}


class Parameters:
    """Claims whose parameters, or those of their class, are hostile."""

    what = "hostile parameters"
    how = "controller reads mutated parameters of claims and classes, v1alpha2 and v1alpha3"

    def __init__(self) -> None:
        self._worlds = (_World("v1alpha2", *_objects()), _World("v1alpha3", *_device_objects()))

    def feed(self, chance: Random) -> None:
        world = chance.choice(self._worlds)
        change = {"v1alpha2": _change_object, "v1alpha3": _change_config}[world.rig.version]
        world.begin(lambda objects: change(chance, objects))
        for key in (PSC, "claim:default/claim"):
            world.handle(key)

    def check(self) -> None:
        for world in self._worlds:
            world.begin(lambda objects: None)
            world.handle(PSC)
            world.is_served()


class States:
    """A node whose state is hostile, beside one that is well."""

    what = "hostile NodeAllocationState"
    how = "controller and plugin read mutated ones; another node's claims are served meanwhile"

    def __init__(self) -> None:
        damaged = preparing(holding(nas("node-2"), "uid-leaving", 0, 1), "uid-leaving", 0)
        leaving = deleted(finalized(allocated(claim("leaving"), "node-2")))
        potential = scheduling(potential=["node-1", "node-2"], selected="node-1")
        self._world = _World(
            "v1alpha2",
            pod("pod", (POD_CLAIM, "claim")),
            claim(),
            leaving,
            resource_class(),
            potential,
            nas(),
            damaged,
        )

    def feed(self, chance: Random) -> None:
        def change(objects: dict[Any, JSON]) -> None:
            stored = objects["nodeallocationstates", "fake-system/node-2"]
            damaged = mutated(chance, {"spec": stored["spec"], "status": stored["status"]})
            stored.pop("status")
            stored.update({"spec": {}} | damaged)

        self._world.begin(change)
        for key in (PSC, "claim:default/leaving", "nas:fake-system/node-2"):
            self._world.handle(key)
        self._world.is_served()

    def check(self) -> None:
        self._world.begin(lambda objects: None)
        self._world.handle(PSC)
        self._world.is_served()


class _World:
    """A controller that finds the same objects at the beginning of each input."""

    def __init__(self, version: str, *objects: JSON) -> None:
        self.rig = Rig(*objects, version=version)
        self._given = dict(self.rig.api.objects)

    def begin(self, change: Any) -> None:
        """Let the API server hold what was given, with something changed."""
        objects = copy.deepcopy(self._given)
        change(objects)
        self.rig.api.objects.clear()
        self.rig.api.objects.update(objects)
        self.rig.resync()

    def handle(self, key: str) -> None:
        """Look at an object; what goes wrong with it is logged, and does not stop the worker."""
        self.rig.controller.reconciler.handle(key)

    def is_served(self) -> None:
        if "uid-claim" not in self.rig.allocated("node-1"):
            raise Wrong("a good claim is not allocated on a good node")


def _reference(kind: str) -> JSON:
    return {"apiGroup": FAKE.driver_name, "kind": kind, "name": "p"}


def _objects() -> list[JSON]:
    return [
        pod("pod", (POD_CLAIM, "claim")),
        claim(parametersRef=_reference(CLAIM_PARAMETERS_KIND)),
        resource_class(parametersRef=_reference(CLASS_PARAMETERS_KIND)),
        scheduling(potential=["node-1"], selected="node-1"),
        nas(),
        _parameters(CLAIM_PARAMETERS_KIND, WANTED, namespace="default"),
        _parameters(CLASS_PARAMETERS_KIND, OFFERED),
    ]


def _parameters(kind: str, spec: JSON, **meta: str) -> JSON:
    return {
        "apiVersion": f"{FAKE.driver_name}/v1alpha1",
        "kind": kind,
        "metadata": {"name": "p", "uid": f"uid-{kind}", **meta},
        "spec": spec,
    }


def _device_objects() -> list[JSON]:
    wanted = {name: value for name, value in WANTED.items() if name != "count"}
    return [
        pod("pod", (POD_CLAIM, "claim")),
        device_claim(config=[opaque(CLAIM_PARAMETERS_KIND, **wanted)]),
        device_class(config=[opaque(CLASS_PARAMETERS_KIND, **OFFERED)]),
        scheduling(potential=["node-1"], selected="node-1"),
        nas(),
    ]


def _change_object(chance: Random, objects: dict[Any, JSON]) -> None:
    """Change what stands below `spec`; the rest is what the API server makes of it."""
    kinds = (CLAIM_PARAMETERS_KIND, CLASS_PARAMETERS_KIND)
    stored = chance.choice([obj for obj in objects.values() if obj["kind"] in kinds])
    damaged = mutated(chance, {"spec": stored["spec"]})
    stored.pop("spec")
    stored.update(damaged)


def _change_config(chance: Random, objects: dict[Any, JSON]) -> None:
    """Change opaque parameters, of which the API server checks that they are an object."""
    spec = chance.choice(
        [
            objects["resourceclaims", "default/claim"]["spec"]["devices"],
            objects["deviceclasses", CLASS]["spec"],
        ]
    )
    given = spec["config"][0]["opaque"]
    given["parameters"] = mutated(chance, given["parameters"])
