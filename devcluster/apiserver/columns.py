"""What `kubectl get` shows of the built-in kinds.

Source: kubernetes pkg/printers/internalversion/printers.go, AddHandlers.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from api.conditions import condition_of
from api.humantime import age
from api.names import RESOURCE_GROUP
from api.objects import JSON, is_deleting
from devcluster.apiserver import podcolumns, workloadcolumns
from devcluster.apiserver.kinds import Cell, Column
from devcluster.apiserver.podcolumns import NONE

_ROLE_LABEL: Final = "node-role.kubernetes.io/"


def columns_of(group: str, kind: str) -> tuple[Column, ...]:
    """Return the columns of a built-in kind; name and age for one without columns of its own."""
    return _COLUMNS.get((group, kind), (NAME, AGE))


def structured_columns_of(kind: str) -> tuple[Column, ...]:
    """Return the columns of a kind of resource.k8s.io with structured parameters."""
    return _STRUCTURED.get(kind, (NAME, AGE))


def _text(*path: str, absent: str = NONE) -> Cell:
    """Return a cell with the text at a path."""

    def read(obj: JSON, _now: datetime) -> object:
        value: object = obj
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return absent if value in (None, "") else str(value)

    return read


def _age(*path: str) -> Cell:
    def read(obj: JSON, now: datetime) -> object:
        value: object = obj
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return age(value, now)

    return read


def _count(*names: str) -> Cell:
    """Return a cell with how many entries some lists or maps at the root have together."""

    def read(obj: JSON, _now: datetime) -> object:
        return sum(len(obj.get(name) or ()) for name in names)

    return read


def _column(name: str, read: Cell, description: str, *, wide: bool = False) -> Column:
    return Column(name, "string", read, priority=int(wide), description=description)


def _joined(texts: Callable[[JSON], list[str]], absent: str = NONE) -> Cell:
    def read(obj: JSON, _now: datetime) -> object:
        return ",".join(texts(obj)) or absent

    return read


def _node_states(obj: JSON) -> list[str]:
    states = {"True": "Ready", None: "Unknown"}
    found = [states.get(condition_of(obj, "Ready").get("status"), "NotReady")]
    if (obj.get("spec") or {}).get("unschedulable"):
        found.append("SchedulingDisabled")
    return found


def _node_roles(obj: JSON) -> list[str]:
    labels = obj["metadata"].get("labels") or {}
    roles = {key.removeprefix(_ROLE_LABEL) for key in labels if key.startswith(_ROLE_LABEL)}
    return sorted(roles - {""})


def _address(kind: str) -> Cell:
    def read(obj: JSON, _now: datetime) -> object:
        addresses = (obj.get("status") or {}).get("addresses") or []
        return next((a["address"] for a in addresses if a.get("type") == kind), NONE)

    return read


def _claim_states(obj: JSON) -> list[str]:
    status = obj.get("status") or {}
    states = ["deleted"] if is_deleting(obj) else []
    if status.get("allocation") is not None:
        states += ["allocated"] + (["reserved"] if status.get("reservedFor") else [])
    elif not states:
        states = ["pending"]
    return states


def _event_first(obj: JSON, now: datetime) -> object:
    return age(obj.get("firstTimestamp") or obj.get("eventTime"), now)


def _event_last(obj: JSON, now: datetime) -> object:
    series = (obj.get("series") or {}).get("lastObservedTime")
    last = series or obj.get("lastTimestamp")
    return age(last, now) if last else _event_first(obj, now)


def _event_object(obj: JSON, _now: datetime) -> object:
    subject = obj.get("involvedObject") or {}
    kind, name = str(subject.get("kind", "")).lower(), subject.get("name", "")
    return f"{kind}/{name}" if name else kind


def _event_source(obj: JSON) -> list[str]:
    source = obj.get("source") or {}
    component = source.get("component") or obj.get("reportingComponent")
    host = source.get("host") or obj.get("reportingInstance")
    return [", ".join(filter(None, (component, host)))]


def _event_count(obj: JSON, _now: datetime) -> object:
    return (obj.get("series") or {}).get("count") or obj.get("count") or 1


def _event_message(obj: JSON, _now: datetime) -> object:
    return str(obj.get("message") or "").strip()


NAME: Final = Column(
    "Name", "string", _text("metadata", "name"), format="name", description="Name of the object."
)
AGE: Final = Column(
    "Age", "string", _age("metadata", "creationTimestamp"), description="Time since creation."
)
_INFO: Final = ("status", "nodeInfo")

_NODE: Final = (
    NAME,
    _column("Status", _joined(_node_states), "Whether the node takes pods."),
    _column("Roles", _joined(_node_roles), "From its labels."),
    AGE,
    _column("Version", _text(*_INFO, "kubeletVersion", absent=""), "Of the kubelet."),
    _column("Internal-IP", _address("InternalIP"), "In the cluster.", wide=True),
    _column("External-IP", _address("ExternalIP"), "From outside.", wide=True),
    _column("OS-Image", _text(*_INFO, "osImage", absent="<unknown>"), "System.", wide=True),
    _column(
        "Kernel-Version", _text(*_INFO, "kernelVersion", absent="<unknown>"), "Kernel.", wide=True
    ),
    _column(
        "Container-Runtime",
        _text(*_INFO, "containerRuntimeVersion", absent="<unknown>"),
        "Container runtime.",
        wide=True,
    ),
)

_EVENT: Final = (
    _column("Last Seen", _event_last, "Since it happened last."),
    _column("Type", _text("type", absent=""), "Normal or Warning."),
    _column("Reason", _text("reason", absent=""), "One word."),
    _column("Object", _event_object, "What it happened to."),
    _column("Subobject", _text("involvedObject", "fieldPath", absent=""), "Part of it.", wide=True),
    _column("Source", _joined(_event_source, ""), "Who reports.", wide=True),
    _column("Message", _event_message, "What happened."),
    _column("First Seen", _event_first, "Since it happened first.", wide=True),
    Column("Count", "string", _event_count, 1, description="How often."),
    Column("Name", "string", _text("metadata", "name"), 1, "name", "Name of the event."),
)

_CLASS_NAME: Final = "resourceClassName"
_MODE: Final = "allocationMode"

_STRUCTURED: Final[Mapping[str, tuple[Column, ...]]] = {
    "ResourceClaim": (NAME, _column("State", _joined(_claim_states, ""), "How far it is."), AGE),
    "ResourceSlice": (
        NAME,
        _column("Node", _text("spec", "nodeName", absent=""), "Where the devices are."),
        _column("Driver", _text("spec", "driver", absent=""), "Whose they are."),
        _column("Pool", _text("spec", "pool", "name", absent=""), "Where they belong."),
        AGE,
    ),
}

_COLUMNS: Final[Mapping[tuple[str, str], tuple[Column, ...]]] = {
    ("", "Pod"): (NAME, *podcolumns.MIDDLE, AGE, *podcolumns.WIDE),
    ("", "Node"): _NODE,
    ("", "Namespace"): (
        NAME,
        _column("Status", _text("status", "phase", absent=""), "Active or Terminating."),
        AGE,
    ),
    ("", "Event"): _EVENT,
    ("", "ConfigMap"): (
        NAME,
        Column("Data", "string", _count("data", "binaryData"), description="How many entries."),
        AGE,
    ),
    ("", "Secret"): (
        NAME,
        _column("Type", _text("type", absent=""), "What it is for."),
        Column("Data", "string", _count("data"), description="How many entries."),
        AGE,
    ),
    ("", "ServiceAccount"): (
        NAME,
        Column("Secrets", "string", _count("secrets"), description="How many secrets."),
        AGE,
    ),
    ("apps", "Deployment"): (NAME, *workloadcolumns.DEPLOYMENT, AGE, *workloadcolumns.WIDE),
    ("apps", "ReplicaSet"): (NAME, *workloadcolumns.REPLICA_SET, AGE, *workloadcolumns.WIDE),
    ("batch", "Job"): (NAME, *workloadcolumns.JOB, AGE, *workloadcolumns.WIDE),
    ("coordination.k8s.io", "Lease"): (
        NAME,
        _column("Holder", _text("spec", "holderIdentity", absent=""), "Who has it."),
        AGE,
    ),
    (RESOURCE_GROUP, "ResourceClaim"): (
        NAME,
        _column("ResourceClassName", _text("spec", _CLASS_NAME, absent=""), "Its class."),
        _column("AllocationMode", _text("spec", _MODE, absent=""), "When to allocate."),
        _column("State", _joined(_claim_states, ""), "How far it is."),
        AGE,
    ),
    (RESOURCE_GROUP, "ResourceClaimTemplate"): (
        NAME,
        _column("ResourceClassName", _text("spec", "spec", _CLASS_NAME, absent=""), "Class."),
        _column("AllocationMode", _text("spec", "spec", _MODE, absent=""), "When to allocate."),
        AGE,
    ),
    (RESOURCE_GROUP, "ResourceClass"): (
        NAME,
        _column("DriverName", _text("driverName", absent=""), "The driver."),
        AGE,
    ),
    (RESOURCE_GROUP, "PodSchedulingContext"): (
        NAME,
        _column("SelectedNode", _text("spec", "selectedNode", absent=""), "Where to allocate."),
        AGE,
    ),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (
        NAME,
        Column(
            "Created At",
            "date",
            _text("metadata", "creationTimestamp"),
            description="When it was created.",
        ),
    ),
}
