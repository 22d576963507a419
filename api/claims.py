"""Read-only views of the objects that DRA negotiates with, over their raw JSON.

One adapter per version of resource.k8s.io hides where a version keeps a fact; the classic kind
lives in v1alpha2 (Kubernetes 1.27 to 1.30) and v1alpha3 (1.31).
Source: k8s.io/api/resource/v1alpha2 types.go.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from api.names import POD_CLAIM_NAME_ANNOTATION
from api.objects import JSON, ClaimUID, Key, NodeName, controller_uid, is_deleting, key_of, uid_of

IMMEDIATE = "Immediate"
WAIT_FOR_FIRST_CONSUMER = "WaitForFirstConsumer"


@dataclass(frozen=True, slots=True)
class ParametersReference:
    """A parametersRef of a class or a claim.

    Attributes:
        api_group: group without version; a `group/version` form is cut at the slash.
        namespace: the claim's own for a claim reference, None for a cluster-scoped object.
    """

    api_group: str
    kind: str
    name: str
    namespace: str | None

    @classmethod
    def parse(cls, raw: JSON, namespace: str | None) -> "ParametersReference":
        """Read a reference; `namespace` serves where the reference has none of its own."""
        group = str(raw.get("apiGroup") or "").partition("/")[0]
        own = raw.get("namespace") or namespace
        return cls(group, str(raw.get("kind", "")), str(raw.get("name", "")), own)

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind}.{self.api_group} {where}{self.name}"


@dataclass(frozen=True, slots=True)
class ResourceClass:
    """Cluster object that names the driver and its class parameters."""

    raw: JSON

    @property
    def name(self) -> str:
        """Name of the class."""
        return str(self.raw["metadata"]["name"])

    @property
    def driver_name(self) -> str:
        """Driver that allocates for this class; may change at any time."""
        return str(self.raw.get("driverName", ""))

    @property
    def parameters(self) -> ParametersReference | None:
        """Reference to the class parameters."""
        ref = self.raw.get("parametersRef")
        return ParametersReference.parse(ref, None) if ref else None

    @property
    def suitable_nodes(self) -> JSON | None:
        """NodeSelector of the nodes that may serve this class; None is every node."""
        return self.raw.get("suitableNodes")


@dataclass(frozen=True, slots=True)
class NamespacedObject:
    """What the metadata of any namespaced object says."""

    raw: JSON

    @property
    def name(self) -> str:
        """Name within the namespace."""
        return str(self.raw["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Namespace of the object."""
        return str(self.raw["metadata"]["namespace"])

    @property
    def key(self) -> Key:
        """`namespace/name`."""
        return key_of(self.raw)

    @property
    def deleting(self) -> bool:
        """Whether the object waits for its finalizers or its grace period."""
        return is_deleting(self.raw)

    @property
    def owner_uid(self) -> str | None:
        """Uid of the object that controls this one: the pod that it was made for."""
        return controller_uid(self.raw)


@dataclass(frozen=True, slots=True)
class Claim(NamespacedObject):
    """A ResourceClaim of any version.

    Metadata and status are the same in all of them; what the spec asks for, and the allocation's
    nodes and driver, are read as in v1alpha2 and empty in later ones: see api.deviceclaims.
    """

    @property
    def uid(self) -> ClaimUID:
        """Identity that survives no deletion; state is keyed by it."""
        return ClaimUID(uid_of(self.raw))

    @property
    def finalizers(self) -> list[str]:
        """All finalizers, of every owner."""
        return list(self.raw["metadata"].get("finalizers") or [])

    @property
    def pod_claim_name(self) -> str | None:
        """Name in `pod.spec.resourceClaims` that a template claim was made for."""
        annotations = self.raw["metadata"].get("annotations") or {}
        return annotations.get(POD_CLAIM_NAME_ANNOTATION)

    @property
    def class_name(self) -> str:
        """Name of the ResourceClass."""
        return str(self._spec.get("resourceClassName", ""))

    @property
    def parameters(self) -> ParametersReference | None:
        """Reference to the claim parameters, always in the claim's namespace."""
        ref = self._spec.get("parametersRef")
        return ParametersReference.parse(ref, self.namespace) if ref else None

    @property
    def immediate(self) -> bool:
        """Whether to allocate without waiting for a consumer; never from v1alpha3 on."""
        return str(self._spec.get("allocationMode", WAIT_FOR_FIRST_CONSUMER)) == IMMEDIATE

    @property
    def allocation(self) -> JSON | None:
        """`status.allocation`, None when nothing is allocated."""
        return self._status.get("allocation") or None

    @property
    def driver_name(self) -> str:
        """Driver that allocated; empty without allocation."""
        return str(self._status.get("driverName", ""))

    @property
    def reserved_for(self) -> list[JSON]:
        """Consumers that may use the claim now."""
        return list(self._status.get("reservedFor") or [])

    @property
    def deallocation_requested(self) -> bool:
        """Whether the scheduler or the claim controller wants the devices freed."""
        return bool(self._status.get("deallocationRequested"))

    @property
    def _spec(self) -> JSON:
        return self.raw.get("spec") or {}

    @property
    def _status(self) -> JSON:
        return self.raw.get("status") or {}


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
