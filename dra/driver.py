"""The port of a driver: what somebody writes who has a device.

    class Driver:
        contract = Contract("file.example.com", "file")

        def discover(self) -> Inventory: ...
        def prepare(self, claim: PreparingClaim) -> Sequence[PreparedDevice]: ...
        def unprepare(self, claim: PreparedClaim) -> None: ...

Everything else is the framework's: sockets and registration, reading and checking of claims, one
call at a time for each claim, the checkpoint, CDI files, ResourceSlices, metrics, logs and events.
What a driver raises becomes the error of that claim.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from api.claims.view import Config as Config
from api.claims.view import Consumer as Consumer
from api.claims.view import Result as Result
from api.contract import Contract
from api.objects import JSON, ClaimUID
from dra.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or directory of the host that containers see.

    Attributes:
        host_path: absolute.
        container_path: absolute.
        options: of mount(8); `bind` is implied.
        type: of the file system; empty is a bind mount.
    """

    host_path: str
    container_path: str
    options: tuple[str, ...] = ("bind",)
    type: str = ""


@dataclass(frozen=True, slots=True)
class DeviceNode:
    """A device file that containers may open.

    Attributes:
        path: in the container.
        host_path: on the host; empty is the same path.
        type: `c`, `b`, `u` or `p`; empty is looked up by the runtime, as the numbers are.
        permissions: of the device cgroup, of `r`, `w`, `m`; empty is the runtime's default.
    """

    path: str
    host_path: str = ""
    type: str = ""
    major: int | None = None
    minor: int | None = None
    permissions: str = ""


@dataclass(frozen=True, slots=True)
class Hook:
    """A program that the container runtime runs.

    Attributes:
        name: when, one of OCI's hooks, such as `createContainer`.
        path: absolute, on the host.
        args: with the program's own name first.
        env: entries `NAME=value`.
        timeout: seconds; None is the runtime's default.
    """

    name: str
    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    timeout: int | None = None


@dataclass(frozen=True, slots=True)
class Edits:
    """What containers with a device get.

    Attributes:
        env: variables by name.
        mounts: files and directories.
        device_nodes: device files.
        hooks: run by the container runtime.
        additional_gids: groups of the container's process.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    device_nodes: tuple[DeviceNode, ...] = ()
    hooks: tuple[Hook, ...] = ()
    additional_gids: tuple[int, ...] = ()


class PublishStatus(Protocol):
    """Shows the state of one device of a claim in `status.devices` of the ResourceClaim."""

    def __call__(
        self,
        device: Result,
        /,
        *,
        conditions: Sequence[JSON] = (),
        data: JSON | None = None,
        network: JSON | None = None,
    ) -> None:
        """Replace what this driver shows of the device; others' entries stay.

        May be kept, and called from any thread. What the API server refuses is told and not raised;
        nothing is done for a claim that is gone, and no request made if nothing changes.

        Args:
            device: of the claim's results.
            conditions: as in metav1; `lastTransitionTime` and `message` may be left out.
            data: an object of at most 10 KiB of JSON.
            network: `networkData`.

        Raises:
            InvalidDeviceStatus: it is no device of the claim, or not what the API allows.
        """


@dataclass(frozen=True, slots=True)
class PreparingClaim:
    """A claim that is to be prepared.

    Attributes:
        uid: of the ResourceClaim.
        namespace: of it.
        name: of it.
        label: what the pod calls it, else its name.
        consumers: who may use it now; at least the first pod on this node.
        results: this driver's devices, in the order of the allocation.
        publish_status: shows the state of a device.
    """

    uid: ClaimUID
    namespace: str
    name: str
    label: str
    consumers: tuple[Consumer, ...]
    results: tuple[Result, ...]
    publish_status: PublishStatus

    def __str__(self) -> str:
        return f"ResourceClaim {self.namespace}/{self.name} (uid {self.uid})"


@dataclass(frozen=True, slots=True)
class PreparedDevice:
    """A device as containers get it.

    Attributes:
        pool: of the allocated device.
        device: its name in the pool.
        edits: of the containers that use it.
        requests: of the claim that it serves; none means all.
        share_id: of the result.
        name: what tells it from others of the claim; empty is made of device and share. Several
            with different names may belong to one allocated device.
        max_clients: most claims that may have shares of the device at the same time; None if that
            is nothing to check.
    """

    pool: str
    device: str
    edits: Edits
    requests: tuple[str, ...] = ()
    share_id: str | None = None
    name: str = ""
    max_clients: int | None = None

    @classmethod
    def of(cls, result: Result, edits: Edits) -> "PreparedDevice":
        """Return the device of a result."""
        return cls(result.pool, result.device, edits, (result.request,), result.share_id)


@dataclass(frozen=True, slots=True)
class PreparedClaim:
    """A claim as the checkpoint has it.

    Attributes:
        uid: of the ResourceClaim.
        namespace: of it; empty if the checkpoint never had it.
        name: likewise.
        label: what the pod calls it, else its name.
        devices: that were prepared; none if it never came to that.
        results: that were to be prepared.
        consumers: as of the first prepare.
    """

    uid: ClaimUID
    namespace: str
    name: str
    label: str
    devices: tuple[PreparedDevice, ...] = ()
    results: tuple[Result, ...] = ()
    consumers: tuple[Consumer, ...] = ()

    def __str__(self) -> str:
        return f"ResourceClaim {self.namespace}/{self.name} (uid {self.uid})"


class Driver(Protocol):
    """A driver. Its methods are called from several threads, but once at a time for a claim."""

    @property
    def contract(self) -> Contract:
        """Who the driver is."""

    def discover(self) -> Inventory:
        """Return what there is on the node now."""

    def prepare(self, claim: PreparingClaim) -> Sequence[PreparedDevice]:
        """Make the claim's devices ready; may be repeated, also after a restart half-way.

        Raises:
            Exception: the claim cannot be prepared; the text goes to the pod's events.
        """

    def unprepare(self, claim: PreparedClaim) -> None:
        """Undo `prepare`; may be repeated, and of a claim that was never prepared to the end.

        Raises:
            Exception: the claim is still prepared; the kubelet tries again.
        """


@runtime_checkable
class Watches(Protocol):
    """A driver that notices changes of its devices."""

    def start(self, publish: Callable[[], None]) -> None:
        """Begin to look, and call `publish` after each change; returns at once."""


@runtime_checkable
class ReadsNode(Protocol):
    """A driver that is told the annotations of its Node."""

    def node_changed(self, annotations: Mapping[str, str]) -> None:
        """Take in all annotations: before the devices are first published, and after each change.

        Called by one thread, and no sooner than the Node could be read, which claims do not wait
        for; `Watches.start` may be under way. When it has returned, `discover` is asked again.

        Raises:
            Exception: it is in the log, and the driver is told again.
        """


@runtime_checkable
class Validates(Protocol):
    """A driver that has parameters."""

    def validate(self, parameters: JSON) -> Sequence[str]:
        """Return what is wrong with them, each with the path of its field; none if nothing is."""


@dataclass(frozen=True, slots=True)
class DeviceHealth:
    """How a device is.

    Attributes:
        pool: of the device; empty is the name of the node.
        device: its name in the pool.
        healthy: None if that is not known.
        message: for people, at most 1024 characters.
        timeout: seconds after which it is unknown unless it was told again; 0 is the kubelet's own.
    """

    pool: str
    device: str
    healthy: bool | None
    message: str = ""
    timeout: int = 0


@runtime_checkable
class ReportsHealth(Protocol):
    """A driver that knows how its devices are."""

    def health(self) -> Iterator[Sequence[DeviceHealth]]:
        """Yield the health of all devices, at once and after each change; may block.

        Read by one thread for all kubelets, no longer than one of them listens, and asked for anew
        after it has ended or raised.
        """


@runtime_checkable
class Metadata(Protocol):
    """A driver that tells containers about their devices."""

    def metadata(self, result: Result) -> Mapping[str, JSON]:
        """Return the attributes of an allocated device, in the form of a ResourceSlice."""
