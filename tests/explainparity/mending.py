"""What explain names as the causes for one node, taken away: from its values to other objects."""

import copy
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

from allocation.verdicts import Outcome, Rule
from api.objects import JSON, key_of
from explain.diagnosis import Cause, DeviceRefusal, Diagnosis, NodeVerdict, RequestVerdict
from explain.seen import Seen
from tests.allocatorparity.generator import DOMAIN
from tests.explainparity.workloads import MARK

_SELECTORS: Final = frozenset({Rule.SELECTOR, Rule.SELECTOR_ERROR})
_CAPACITIES: Final = frozenset({Rule.CAPACITY, Rule.CAPACITY_ERROR})


@dataclass(frozen=True, slots=True)
class Scene:
    """A pod that waits, and the cluster around it, with the claims of all pods."""

    pod: JSON
    seen: Seen


def mended(scene: Scene, found: Diagnosis, node: NodeVerdict | None) -> Scene:
    """Return a scene without what is named for a node, or for the pod if no node was looked at.

    Args:
        scene: what was explained.
        found: the explanation.
        node: one of its nodes.
    """
    if node is None:
        return _complete(scene, found.cause)
    named = _Named.of(node)
    own = _own(scene)
    seen = scene.seen
    claims = [_freed(each) if key_of(each) in named.freed else each for each in seen.claims]
    slices = _completed(seen.slices) if node.pools or Rule.POOL in named.rules else seen.slices
    made = replace(
        seen,
        claims=tuple(_loosened(each, named) if key_of(each) in own else each for each in claims),
        classes={
            name: _widened(each, named, _classes(scene)) for name, each in seen.classes.items()
        },
        slices=(*(_repaired(each, named) for each in slices), *_added(named, len(slices))),
        nodes=tuple(_opened(each) if named.opens(each) else each for each in seen.nodes),
    )
    return Scene(_placed(scene.pod, node.place), made)


@dataclass(frozen=True, slots=True)
class _Named:
    """What an explanation names for a node.

    Attributes:
        requests: that lack devices.
        refused: the devices that were refused to them.
        rules: that refused something.
    """

    node: NodeVerdict
    requests: Sequence[RequestVerdict]
    refused: Sequence[DeviceRefusal]
    rules: Set[Rule]

    @classmethod
    def of(cls, node: NodeVerdict) -> "_Named":
        requests = node.requests if node.rule is Rule.TOGETHER else node.short
        refused = [each for request in requests for each in request.obstacles]
        whole = {node.rule} if node.rule is not None and not node.requests else set()
        return cls(node, requests, refused, {each.rule for each in refused} | whole)

    @property
    def freed(self) -> Set[str]:
        """Claims that have to give their devices back."""
        held = {holder.claim for each in self.refused for holder in each.holders}
        return held | set(self.node.elsewhere)

    @property
    def invalid(self) -> bool:
        """Whether the scheduler gives up before it looks at devices."""
        return self.node.outcome is Outcome.INVALID

    def by(self, claim: str, request: str) -> RequestVerdict | None:
        """Return what is named for a request."""
        return next((e for e in self.requests if (e.claim, e.request) == (claim, request)), None)

    def devices(self, *rules: Rule, held: bool = True) -> Set[str]:
        """Return the devices that rules refuse."""
        return {e.device for e in self.refused if e.rule in rules and (held or not e.holders)}

    def opens(self, raw: JSON) -> bool:
        """Tell whether a node has to take the pod."""
        return bool(raw["metadata"]["name"] == self.node.node and self.node.place)

    @property
    def crowded(self) -> bool:
        """Whether nothing is refused, and requests take devices from each other all the same."""
        greedy = any(each.wanted is None for each in self.requests)
        together = self.node.rule is Rule.TOGETHER
        return together and (greedy or not (self.refused or self.node.constraints))

    @property
    def lacking(self) -> int:
        """How many devices have to be added, as what is there can't be enough."""
        if self.node.rule is Rule.TOGETHER:
            return len(self.requests) if self.crowded else 0
        empty = (each for each in self.requests if len(each.obstacles) < each.missing)
        return sum(each.missing for each in empty)


def _own(scene: Scene) -> Set[str]:
    """Return the claims of the pod that may still be changed."""
    own = {key_of(each) for each in own_claims(scene)}
    return own - {key_of(each) for each in scene.seen.claims if _allocation(each)}


def own_claims(scene: Scene) -> list[JSON]:
    """Return the claims of the pod that are there, in its order."""
    by_name: dict[str, JSON] = {key_of(each): each for each in scene.seen.claims}
    namespace = scene.pod["metadata"]["namespace"]
    names = (f"{namespace}/{name}" for _, name, _ in entries(scene.pod))
    return [by_name[each] for each in names if each in by_name]


def entries(pod: JSON) -> Iterator[tuple[str, str, str]]:
    """Yield for each claim of a pod its name there, that of the claim, and that of the template."""
    statuses = (pod.get("status") or {}).get("resourceClaimStatuses") or ()
    made = {each["name"]: each.get("resourceClaimName") or "" for each in statuses}
    for each in pod["spec"].get("resourceClaims") or ():
        name = each.get("resourceClaimName") or made.get(each["name"], "")
        yield each["name"], name, each.get("resourceClaimTemplateName") or ""


def _classes(scene: Scene) -> Set[str]:
    return {body["deviceClassName"] for claim in own_claims(scene) for _, body in _bodies(claim)}


def _complete(scene: Scene, cause: Cause) -> Scene:
    """Return a scene with the claims, templates and classes that the pod refers to."""
    seen, namespace = scene.seen, scene.pod["metadata"]["namespace"]
    if cause is Cause.CLASS_MISSING:
        added = {name: {"metadata": {"name": name}, "spec": {}} for name in _classes(scene)}
        return Scene(scene.pod, replace(seen, classes={**added, **seen.classes}))
    if cause is Cause.TEMPLATE_MISSING:
        named = {f"{namespace}/{template}" for _, _, template in entries(scene.pod) if template}
        return Scene(scene.pod, replace(seen, templates=seen.templates | named))
    if cause is Cause.CLAIM_MISSING:
        known = {key_of(each) for each in seen.claims}
        names = (name for _, name, _ in entries(scene.pod) if name)
        added_claims = [
            {"metadata": {"name": name, "namespace": namespace}, "spec": plain_spec(seen.classes)}
            for name in names
            if f"{namespace}/{name}" not in known
        ]
        return Scene(scene.pod, replace(seen, claims=(*seen.claims, *added_claims)))
    return scene


def plain_spec(classes: Mapping[str, JSON]) -> JSON:
    """Return the spec of a claim for a device of the first class."""
    exactly = {"deviceClassName": min(classes), "allocationMode": "ExactCount", "count": 1}
    return {"devices": {"requests": [{"name": "r", "exactly": exactly}]}}


def _freed(claim: JSON) -> JSON:
    return {key: value for key, value in claim.items() if key != "status"}


def _allocation(claim: JSON) -> object:
    return (claim.get("status") or {}).get("allocation")


def _bodies(claim: JSON) -> Iterator[tuple[str, JSON]]:
    """Yield the requests of a claim by name, alternatives each for itself."""
    for request in claim["spec"]["devices"].get("requests") or ():
        if "exactly" in request:
            yield request["name"], request["exactly"]
        for each in request.get("firstAvailable") or ():
            yield f"{request['name']}/{each['name']}", each


def _loosened(claim: JSON, named: _Named) -> JSON:
    """Return a claim that asks for what is there."""
    made = copy.deepcopy(claim)
    devices = made["spec"]["devices"]
    if named.node.constraints or Rule.CONSTRAINT in named.rules:
        devices.pop("constraints", None)
    for name, body in _bodies(made):
        request = named.by(key_of(claim), name)
        if named.invalid:
            _simplify(body, named.rules)
        elif request is not None:
            _simplify(body, request.rules.keys())
            if named.crowded:
                body.update(allocationMode="ExactCount", count=1)
    return made


def _simplify(body: JSON, rules: Set[Rule]) -> None:
    """Take away of a request what rules refused."""
    if rules & _SELECTORS:
        body.pop("selectors", None)
    if rules & _CAPACITIES:
        body.pop("capacity", None)
    if Rule.POOL in rules and body.get("allocationMode") == "All":
        body.update(allocationMode="ExactCount", count=1)
    of_same = Rule.SAME_CLAIM in rules and body.get("allocationMode") != "All"
    if of_same or Rule.RESULTS in rules:
        body.update(allocationMode="ExactCount", count=1)


def _widened(raw: JSON, named: _Named, used: Set[str]) -> JSON:
    """Return a class that selects all devices, if it is said to refuse some."""
    of = {each.device_class for each in named.requests if Rule.CLASS_SELECTOR in each.rules}
    if Rule.SELECTOR_ERROR in named.rules:
        of |= used
    return (
        {**raw, "spec": {**raw["spec"], "selectors": []}} if raw["metadata"]["name"] in of else raw
    )


def _repaired(published: JSON, named: _Named) -> JSON:
    """Return a slice whose devices are neither tainted, nor out of reach, nor without counters."""
    made = copy.deepcopy(published)
    spec = made["spec"]
    pool = f"{spec['driver']}/{spec['pool']['name']}"
    tainted, away = named.devices(Rule.TAINT), named.devices(Rule.NODE)
    starved = named.devices(Rule.COUNTERS, held=False)
    for each in spec.get("devices") or ():
        told = f"{pool}/{each['name']}"
        if told in tainted:
            each.pop("taints", None)
        if told in away:
            for key in ("nodeName", "nodeSelector"):
                each.pop(key, None)
            each["allNodes"] = True
        if told in starved:
            each.pop("consumesCounters", None)
    return made


def _added(named: _Named, index: int) -> Iterator[JSON]:
    """Yield a slice with the devices that the node has too few of."""
    if number := named.lacking:
        node = named.node.node
        name = f"added-{index}"
        pool = {"name": name, "generation": 1, "resourceSliceCount": 1}
        devices = [{"name": f"dev-{number}"} for number in range(number)]
        yield {
            "metadata": {"name": name},
            "spec": {"driver": DOMAIN, "pool": pool, "nodeName": node, "devices": devices},
        }


def _opened(raw: JSON) -> JSON:
    """Return a node that takes the pod."""
    return {**raw, "spec": {**raw["spec"], "taints": [], "unschedulable": False}}


def _placed(pod: JSON, texts: Sequence[str]) -> JSON:
    """Return a pod that may run on any of the nodes, and asks for little."""
    made = copy.deepcopy(pod)
    if any("affinity/selector" in each for each in texts):
        selector = made["spec"]["nodeSelector"]
        made["spec"]["nodeSelector"] = {key: selector[key] for key in selector if key == MARK}
    if any("Insufficient" in each for each in texts):
        for each in made["spec"]["containers"]:
            each["resources"].pop("requests", None)
    return made


def _completed(slices: Sequence[JSON]) -> Sequence[JSON]:
    """Return slices of which each pool has as many as it says, without counters that it lacks."""
    newest: dict[tuple[str, str], int] = {}
    for each in slices:
        newest[_pool(each)] = max(newest.get(_pool(each), 0), each["spec"]["pool"]["generation"])
    current = [e for e in slices if e["spec"]["pool"]["generation"] == newest[_pool(e)]]
    counts = Counter(map(_pool, current))
    return [_counted(each, counts[_pool(each)]) if each in current else each for each in slices]


def _pool(published: JSON) -> tuple[str, str]:
    return published["spec"]["driver"], published["spec"]["pool"]["name"]


def _counted(published: JSON, count: int) -> JSON:
    spec = published["spec"]
    return {**published, "spec": {**spec, "pool": {**spec["pool"], "resourceSliceCount": count}}}
