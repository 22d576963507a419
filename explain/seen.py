"""What was read of a cluster, as far as the caller may read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from allocation.gates import Gates
from api.contract import Contract
from api.objects import JSON


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that could not be read.

    Attributes:
        verb: that is missing, such as `list`.
        resource: `plural.group`, as in a rule of RBAC.
        namespace: empty for the whole cluster.
        why: what the API server says.
    """

    verb: str
    resource: str
    namespace: str
    why: str

    def __str__(self) -> str:
        """Name the right as `kubectl auth can-i` takes it."""
        where = f"in namespace {self.namespace}" if self.namespace else "in all namespaces"
        return f"{self.verb} {self.resource} {where}"


@dataclass(frozen=True, slots=True)
class Features:
    """The feature gates that the scheduler is taken to have.

    Attributes:
        gates: those that allocating heeds.
        source: where they come from, for the reader.
        on: names of all that are on.
    """

    gates: Gates
    source: str
    on: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Seen:
    """A cluster at one moment; objects of resource.k8s.io have the form of v1.

    Attributes:
        minor: of Kubernetes 1.x.
        classes: DeviceClasses by name.
        slices: ResourceSlices with the taints of DeviceTaintRules.
        pods: what takes room on nodes, and who holds claims.
        templates: names of ResourceClaimTemplates, `namespace/name`.
        events: about what is explained.
        unread: what could not be read, so that it is missing here.
    """

    minor: int
    features: Features
    now: datetime
    claims: tuple[JSON, ...] = ()
    classes: Mapping[str, JSON] = field(default_factory=dict)
    slices: tuple[JSON, ...] = ()
    nodes: tuple[JSON, ...] = ()
    pods: tuple[JSON, ...] = ()
    templates: frozenset[str] = frozenset()
    events: tuple[JSON, ...] = ()
    unread: tuple[Unread, ...] = ()

    def lacks(self, *plurals: str) -> bool:
        """Tell whether something of these resources could not be read."""
        return any(each.resource.partition(".")[0] in plurals for each in self.unread)


@dataclass(frozen=True, slots=True)
class Classic:
    """What there is besides, where a driver's controller allocates.

    Attributes:
        version: of resource.k8s.io.
        contract: of the driver whose answers are known here.
        states: NodeAllocationStates by node.
        context: PodSchedulingContext of the pod, if there is one.
        objects: classes and parameters, by kind and by `namespace/name`.
    """

    version: str
    contract: Contract
    states: Mapping[str, JSON]
    context: JSON | None
    objects: Mapping[str, Mapping[str, JSON]]
