"""Pods as far as their claims go, and the object that negotiates their nodes for classic claims."""

from collections.abc import Iterator
from dataclasses import dataclass

from api.objects import NamespacedObject, NodeName, uid_of


@dataclass(frozen=True, slots=True)
class PodClaim:
    """One entry of `pod.spec.resourceClaims`, joined with its status.

    Attributes:
        name: name within the pod; what PodSchedulingContext status entries are keyed by.
        claim_name: name of the ResourceClaim object; None while it is not known.
        from_template: the claim must be owned by the pod.
        omitted: the claim was deliberately not created (null in the pod's status).
    """

    name: str
    claim_name: str | None
    from_template: bool
    omitted: bool = False


@dataclass(frozen=True, slots=True)
class Pod(NamespacedObject):
    """A pod, as far as its claims go."""

    @property
    def uid(self) -> str:
        """Uid of the pod."""
        return uid_of(self.raw)

    @property
    def claims(self) -> Iterator[PodClaim]:
        """The pod's claims in the order of its spec.

        Reads both shapes of the entry: `source` (up to 1.30) and flat fields (1.31).
        """
        status = self.raw.get("status") or {}
        recorded = {s["name"]: s for s in status.get("resourceClaimStatuses") or []}
        for entry in (self.raw.get("spec") or {}).get("resourceClaims") or []:
            source = entry.get("source") or entry
            direct = source.get("resourceClaimName")
            if direct:
                yield PodClaim(entry["name"], direct, from_template=False)
                continue
            made = recorded.get(entry["name"])
            name = (made or {}).get("resourceClaimName")
            yield PodClaim(entry["name"], name, True, omitted=made is not None and not name)


@dataclass(frozen=True, slots=True)
class PodSchedulingContext(NamespacedObject):
    """The object in which scheduler and drivers negotiate a pod's node."""

    @property
    def selected_node(self) -> NodeName | None:
        """Node on which to allocate now."""
        name = (self.raw.get("spec") or {}).get("selectedNode")
        return NodeName(name) if name else None

    @property
    def potential_nodes(self) -> list[NodeName]:
        """Nodes that the scheduler considers, at most 128."""
        return [NodeName(n) for n in (self.raw.get("spec") or {}).get("potentialNodes") or []]

    @property
    def unsuitable_nodes(self) -> dict[str, list[NodeName]]:
        """What the drivers answered so far, by the claim's name within the pod."""
        entries = (self.raw.get("status") or {}).get("resourceClaims") or []
        return {e["name"]: [NodeName(n) for n in e.get("unsuitableNodes") or []] for e in entries}
