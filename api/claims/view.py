"""What a ResourceClaim says, in whichever version of resource.k8s.io it was read.

Metadata, consumers, and the devices of an allocation are the same in all of them; the rest is
filled in by the reader of the version. Made by api.claims.versions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from api.contract import Contract
from api.names import POD_CLAIM_NAME_ANNOTATION
from api.objects import JSON, ClaimUID, NamespacedObject, NodeName, uid_of
from api.selectors import named_nodes

FROM_CLASS: Final = "FromClass"
FROM_CLAIM: Final = "FromClaim"
"""`source` of parameters: whether they stand in the DeviceClass."""


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
class Consumer:
    """Who may use a claim, as in its `status.reservedFor`.

    Attributes:
        resource: plural, such as `pods`.
        name: in the claim's namespace.
        uid: of the object.
    """

    resource: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Config:
    """Parameters for the driver that apply to a result.

    Attributes:
        source: `FromClass` or `FromClaim`.
        field: of the claim that holds them, for people.
        parameters: as the user wrote them.
    """

    source: str
    field: str
    parameters: JSON


@dataclass(frozen=True, slots=True)
class Result:
    """A device that the claim was given.

    Attributes:
        request: of the claim that it serves, without the name of an alternative.
        pool: of the device.
        device: its name in the pool.
        share_id: of a share of the device, None for all of it.
        consumed: quantities of the device's capacity, of a share.
        admin: whether others may hold the device at the same time.
        config: that applies, the strongest last.
    """

    request: str
    pool: str
    device: str
    share_id: str | None = None
    consumed: Mapping[str, str] = field(default_factory=dict)
    admin: bool = False
    config: tuple[Config, ...] = ()


def device_of(entry: JSON) -> tuple[str | None, ...]:
    """Return driver, pool, device and share of a result, or of an entry of `status.devices`."""
    return tuple(entry.get(field) or None for field in ("driver", "pool", "device", "shareID"))


@dataclass(frozen=True, slots=True)
class Allocation:
    """`status.allocation` of a claim.

    Attributes:
        raw: as it is stored.
        drivers: that prepare the claim; of a classic version the one whose controller allocated,
            none if that was kube-scheduler.
        nodes: NodeSelector of the nodes where the devices are, None for every node.
        handles: by driver, what its controller tells its plugins; a text or an object.
    """

    raw: JSON
    drivers: frozenset[str]
    nodes: JSON | None
    handles: Mapping[str, str | JSON] = field(default_factory=dict)

    @property
    def entries(self) -> list[JSON]:
        """One entry for each device, of all drivers; none where devices stand elsewhere."""
        return list((self.raw.get("devices") or {}).get("results") or [])

    def results(self, driver: str) -> tuple[Result, ...]:
        """Return the devices of a driver, in order, each with the parameters that apply to it.

        Source: k8s.io/dynamic-resource-allocation resourceclaim.go, ConfigForResult.
        """
        own = [entry for entry in self.entries if entry.get("driver") == driver]
        config = list(self._config(driver)) if own else []
        return tuple(_result(entry, config) for entry in own)

    def _config(self, driver: str) -> Iterator[tuple[frozenset[str], Config]]:
        """Yield a driver's parameters with their requests, those of classes first."""
        entries = list(enumerate((self.raw.get("devices") or {}).get("config") or []))
        for index, entry in sorted(entries, key=lambda e: e[1].get("source") != FROM_CLASS):
            opaque = entry.get("opaque") or {}
            if opaque.get("driver") == driver:
                where = f"status.allocation.devices.config[{index}].opaque.parameters"
                config = Config(str(entry.get("source", "")), where, opaque.get("parameters") or {})
                yield frozenset(entry.get("requests") or []), config


@dataclass(frozen=True, slots=True)
class ClaimView(NamespacedObject):
    """A ResourceClaim.

    Attributes:
        raw: as the API server gave it, in the version that it was read in.
        allocation: None when nothing is allocated.
        immediate: whether to allocate without waiting for a consumer.
        class_name: of the one class of the claim; empty where each request has its own.
        parameters: reference to the claim parameters, always in the claim's namespace.
    """

    allocation: Allocation | None = None
    immediate: bool = False
    class_name: str = ""
    parameters: ParametersReference | None = None

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
    def label(self) -> str:
        """What the pod calls the claim, else its name."""
        return self.pod_claim_name or self.name

    @property
    def reserved_for(self) -> list[JSON]:
        """Consumers that may use the claim now, as they are stored."""
        return list(self._status.get("reservedFor") or [])

    @property
    def consumers(self) -> tuple[Consumer, ...]:
        """The same as values."""
        return tuple(
            Consumer(*(str(entry.get(name, "")) for name in ("resource", "name", "uid")))
            for entry in self.reserved_for
        )

    @property
    def deallocation_requested(self) -> bool:
        """Whether the scheduler or the claim controller wants the devices freed."""
        return bool(self._status.get("deallocationRequested"))

    @property
    def leaving(self) -> bool:
        """Whether the claim is being deleted or deallocated."""
        return self.deleting or self.deallocation_requested

    def allocated_by(self, driver: str) -> bool:
        """Tell whether a driver prepares what is allocated."""
        return self.allocation is not None and driver in self.allocation.drivers

    def results(self, driver: str) -> tuple[Result, ...]:
        """Return the allocated devices of a driver, as far as the claim names devices."""
        return self.allocation.results(driver) if self.allocation else ()

    def handle(self, driver: str) -> str | JSON | None:
        """Return what the controller of a driver wrote into the claim for its plugins."""
        if self.allocation is None or driver not in self.allocation.drivers:
            return None
        return self.allocation.handles.get(driver)

    def node(self, driver: str) -> NodeName | None:
        """Return the first node that the allocation of a driver names."""
        if self.allocation is None or driver not in self.allocation.drivers:
            return None
        return next(named_nodes(self.allocation.nodes), None)

    def told_node(self, driver: str) -> NodeName | None:
        """Return the node whose devices the claim says itself that it has, None if it has none."""
        return None if self.handle(driver) is None else self.node(driver)

    def held_by(self, contract: Contract) -> bool:
        """Tell whether a driver has something to free: somebody may have removed its finalizer."""
        return contract.finalizer in self.finalizers or self.allocated_by(contract.driver_name)

    @property
    def _status(self) -> JSON:
        return self.raw.get("status") or {}


def allocation_of(raw: JSON) -> JSON | None:
    """Return `status.allocation` of a claim, None when nothing is allocated."""
    return (raw.get("status") or {}).get("allocation") or None


def results_of(raw: JSON) -> Sequence[JSON]:
    """Return the devices that a claim is allocated, as its status lists them."""
    devices = (allocation_of(raw) or {}).get("devices") or {}
    found: Sequence[JSON] = devices.get("results") or ()
    return found


def true_conditions(raw: JSON, result: JSON) -> Mapping[str, JSON]:
    """Return the conditions of a result's device that are True, by type.

    As kube-scheduler has it a device has one status, whichever share of it a claim has.
    Source: kubernetes pkg/scheduler/framework/plugins/dynamicresources v1.37,
    isClaimReadyForBinding.
    """
    shown: Sequence[JSON] = (raw.get("status") or {}).get("devices") or ()
    same = [each for each in shown if device_of(each)[:-1] == device_of(result)[:-1]]
    conditions = same[0].get("conditions") or () if same else ()
    return {each["type"]: each for each in conditions if each.get("status") == "True"}


def consumers(raw: JSON) -> tuple[str, ...]:
    """Return what a claim is reserved for, such as `pod default/x`."""
    namespace = raw["metadata"].get("namespace", "")
    reserved = (raw.get("status") or {}).get("reservedFor") or ()
    return tuple(
        f"{each.get('resource', 'pods').removesuffix('s')} {namespace}/{each['name']}"
        for each in reserved
    )


def with_status(raw: JSON, **fields: object) -> JSON:
    """Return a claim with these fields in its status, without those that are None."""
    status = {**(raw.get("status") or {}), **fields}
    return {**raw, "status": {name: value for name, value in status.items() if value is not None}}


def _result(entry: JSON, config: list[tuple[frozenset[str], Config]]) -> Result:
    request = str(entry.get("request", ""))
    base = request.partition("/")[0]
    return Result(
        request=base,
        pool=str(entry.get("pool", "")),
        device=str(entry.get("device", "")),
        share_id=entry.get("shareID"),
        consumed=entry.get("consumedCapacity") or {},
        admin=bool(entry.get("adminAccess")),
        config=tuple(c for requests, c in config if not requests or {request, base} & requests),
    )
