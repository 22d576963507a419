"""What a node says to the claims of a pod: which devices they would get, or what refuses them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from allocation.allocator import World, allocate
from allocation.inuse import DeviceID, InUse, device_id
from allocation.pools import Node
from allocation.published import Candidate, View
from allocation.requests import claim_name, constraints_of
from allocation.taints import evicts, taint_text
from allocation.verdicts import Allocation, Outcome, Refusal, Refusals, Rule
from api.claims.view import results_of
from api.objects import JSON
from api.selectors import selects
from explain.constraints import values
from explain.diagnosis import DeviceRefusal, NodeVerdict, RequestVerdict
from explain.holders import Holder
from explain.requested import asked

_SCARCE: Final = (Rule.IN_USE, Rule.CAPACITY)
_COMPETING: Final = (Rule.COUNTERS, Rule.SAME_CLAIM, Rule.CONSTRAINT)
_UNTOLD: Final = (Outcome.UNKNOWN, Outcome.GAVE_UP)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a pod needs of devices.

    Attributes:
        allocated: claims that have devices.
        pending: claims that don't.
    """

    allocated: Sequence[JSON]
    pending: Sequence[JSON]


@dataclass(frozen=True, slots=True)
class Ground:
    """What nodes are judged by."""

    world: World
    holders: Mapping[DeviceID, Sequence[Holder]]

    def verdict(self, node: Node, wanted: Wanted, place: Sequence[str]) -> NodeVerdict:
        """Tell whether a pod fits on a node.

        Args:
            node: where it might run.
            wanted: its claims.
            place: what else keeps it from there.
        """
        elsewhere = tuple(
            claim_name(each) for each in wanted.allocated if not _is_available(each, node)
        )
        blocked = bool(place or elsewhere)
        results = [result for each in wanted.allocated for result in results_of(each)]
        found = allocate(wanted.pending, node, self.world, hasty=True) if wanted.pending else None
        if not isinstance(found, Refusals):
            new = _results(found) if found is not None else []
            return NodeVerdict(
                node.name,
                not blocked,
                tuple(place),
                elsewhere,
                oddity=self._evicted(node, [*results, *new]),
                chosen=tuple("/".join(device_id(each)) for each in new),
            )
        return replace(
            self._refused(node, wanted.pending, found),
            fits=None if found.outcome in _UNTOLD and not blocked else False,
            place=tuple(place),
            elsewhere=elsewhere,
        )

    def _evicted(self, node: Node, results: Iterable[JSON]) -> str:
        """Return how a pod with devices of the node is evicted, empty if it stays."""
        if not self.world.published.gates.device_taints:
            return ""
        devices = {each.id: each.device for each in self.world.published.on(node).candidates}
        for result in results:
            taints = devices.get(device_id(result), {}).get("taints") or ()
            taint = evicts(taints, result.get("tolerations") or ())
            if taint is not None:
                return (
                    "kube-controller-manager evicts the pod as soon as it has the devices of "
                    f"request {result['request']}: no toleration with effect: NoExecute matches "
                    f"{taint_text(taint)}, and it heeds none without effect, as kube-scheduler does"
                )
        return ""

    def _refused(self, node: Node, claims: Sequence[JSON], found: Refusals) -> NodeVerdict:
        first = found.reasons[0]
        ideal = self._ideal(node, claims, found)
        constraints, enough = self._constrained(node, claims, ideal)
        return NodeVerdict(
            node.name,
            False,
            outcome=found.outcome,
            message=first.text,
            oddity=first.oddity,
            rule=first.rule,
            pools=tuple(each.text for each in found.reasons if each.rule is Rule.POOL)
            if found.outcome is Outcome.REFUSED
            else (),
            constraints=constraints,
            requests=tuple(self._requests(node, claims, found, ideal)),
            enough=enough,
            crowded=not constraints and _together(ideal) and first.rule is not Rule.TOGETHER,
        )

    def _ideal(
        self, node: Node, claims: Sequence[JSON], found: Refusals
    ) -> Allocation | Refusals | None:
        """Return what came of it if no device were in use, None if that makes no difference."""
        scarce = any(each.rule in (*_SCARCE, Rule.COUNTERS) for each in found.reasons)
        if found.outcome is not Outcome.REFUSED or not (scarce or any(map(constraints_of, claims))):
            return None
        return allocate(claims, node, replace(self.world, in_use=InUse()), hasty=True)

    def _constrained(
        self, node: Node, claims: Sequence[JSON], ideal: Allocation | Refusals | None
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return what constraints would find, or allow, if no device were in use."""
        if ideal is None or not any(map(constraints_of, claims)):
            return (), ()
        if isinstance(ideal, Allocation):
            return (), tuple("/".join(device_id(each)) for each in _results(ideal))
        requests = tuple(self._requests(node, claims, ideal))
        return tuple(values(claims, self.world.published.on(node), requests)), ()

    def _requests(
        self,
        node: Node,
        claims: Iterable[JSON],
        found: Refusals,
        ideal: Allocation | Refusals | None = None,
    ) -> Iterator[RequestVerdict]:
        """Yield what the node has for each request, if that was looked at."""
        if found.outcome is not Outcome.REFUSED:
            return
        view = self.world.published.on(node)
        scene = _Scene(view, self.holders)
        by_request: dict[tuple[str, str], list[DeviceRefusal]] = {}
        for each in _lasting(found, ideal):
            if each.device:
                told = scene.refusal(each)
                by_request.setdefault((each.claim, each.request), []).append(told)
        for claim in claims:
            for name, body in asked(claim):
                refused = tuple(by_request.get((claim_name(claim), name), ()))
                everything = body.get("allocationMode") == "All"
                wanted = None if everything else int(body.get("count", 1))
                yield RequestVerdict(
                    claim_name(claim),
                    name,
                    body["deviceClassName"],
                    tuple(each["cel"]["expression"] for each in body.get("selectors") or ()),
                    wanted,
                    len(view.candidates),
                    refused,
                )


class _Scene:
    """What a node sees, with who holds what of it."""

    def __init__(self, view: View, holders: Mapping[DeviceID, Sequence[Holder]]) -> None:
        self._by_name = {each.told: each for each in view.candidates}
        self._holders = holders
        self._drawing: dict[tuple[str, ...], list[Holder]] = {}
        for pool in view.pools:
            for device in (*(placed.device for placed in pool.placed), *pool.others):
                held = holders.get((*pool.id, device["name"]), ())
                for each in device.get("consumesCounters") or () if held else ():
                    self._drawing.setdefault((*pool.id, each["counterSet"]), []).extend(held)

    def refusal(self, refusal: Refusal) -> DeviceRefusal:
        candidate = self._by_name[refusal.device]
        held: Iterable[Holder] = ()
        if refusal.rule in _SCARCE:
            held = (each for each in self._holders.get(candidate.id, ()) if not each.admin)
        if refusal.rule is Rule.COUNTERS:
            held = self._drawn(candidate)
        told = tuple(dict.fromkeys(held))
        return DeviceRefusal(
            refusal.device, refusal.rule, refusal.text, refusal.oddity, told, refusal.unselected
        )

    def _drawn(self, candidate: Candidate) -> Iterator[Holder]:
        for each in candidate.device.get("consumesCounters") or ():
            yield from self._drawing.get((*candidate.pool.id, each["counterSet"]), ())


def _together(ideal: Allocation | Refusals | None) -> bool:
    return isinstance(ideal, Refusals) and ideal.reasons[0].rule is Rule.TOGETHER


def _lasting(found: Refusals, ideal: Allocation | Refusals | None) -> Iterator[Refusal]:
    """Yield the reasons; of a device in use what would refuse it otherwise, if anything."""
    others = ideal.reasons if isinstance(ideal, Refusals) else ()
    lasting = {
        (each.claim, each.request, each.device): each
        for each in others
        if each.rule not in _COMPETING
    }
    for each in found.reasons:
        is_scarce = each.device and each.rule in _SCARCE
        key = (each.claim, each.request, each.device)
        yield lasting.get(key, each) if is_scarce else each


def _is_available(claim: JSON, node: Node) -> bool:
    return selects(claim["status"]["allocation"].get("nodeSelector"), node.name, node.labels)


def _results(found: Allocation) -> Sequence[JSON]:
    return [result for each in found.claims for result in each["devices"]["results"]]
