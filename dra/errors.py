"""Errors of what happens on a node, whatever driver it is for.

DriverError                     (api.errors)
├─ NodeError                    this claim cannot be prepared or unprepared now; told to the kubelet
│  ├─ InvalidClaimUid           the uid cannot be part of a file name and a CDI device name
│  ├─ InvalidClaimName          namespace or name cannot be those of a ResourceClaim
│  ├─ NotForThisNode            whatever the node holds for the claim is out of date
│  │  ├─ ClaimNotFound          no ResourceClaim of that name
│  │  ├─ ClaimUidMismatch       the name belongs to another ResourceClaim by now
│  │  ├─ NotAllocated           the claim has no allocation
│  │  └─ NotAllocatedHere       allocated by another driver, or for another node
│  ├─ UnsupportedServer         the API server has no version of ResourceClaim that we can read
│  ├─ Passing                   passes by itself, if one waits a little
│  │  ├─ NodeStateMissing       the NodeAllocationState itself is not there
│  │  ├─ AllocationChanged      the watch cache was behind, the allocation has to be read live
│  │  └─ UnknownKubelet         the Node does not say which kubelet wants an answer
│  ├─ ClaimBusy                 the driver takes longer for the claim than the call
│  ├─ StateBusy                 another instance of the driver changes the state for too long
│  ├─ DriverFailed              the driver raised something
│  ├─ InvalidParameters         the driver finds fault with the claim's parameters
│  ├─ WrongDevices              the driver prepared what was not allocated
│  ├─ UnknownDevice             an allocated device is none that the driver offers
│  ├─ DeviceInUse               an allocated device is prepared for another claim
│  ├─ PluginStopped             the plugin ends, its successor will prepare the claim
│  ├─ InvalidCdiSpec            the spec would be refused by the container runtime
│  ├─ CdiWriteFailed            a CDI file cannot be written or removed
│  └─ CheckpointWriteFailed     the checkpoint cannot be written
├─ InvalidDeviceStatus          what a driver shows of a device breaks the limits of the API
├─ HealthUnknown                the driver cannot report the health of its devices
├─ LimitExceeded                the driver offers what no ResourceSlice can say
├─ WrongInventory               the driver offers what is no inventory
├─ NodeUnknown                  there is no Node of the configured name, or not yet
├─ CannotCreate                 the project of a new driver cannot be made as it was asked for
├─ CheckpointCorrupt            the checkpoint is not what this driver wrote; it is rebuilt
└─ CannotServe                  the plugin cannot run on this machine as it is configured
   ├─ NoDriver                  what was named is no driver, or declares what no flag can say
   ├─ DirectoryUnusable         a directory is missing or not accessible
   ├─ SocketUnusable            a socket cannot be bound
   └─ NodeOccupied              another plugin process serves the same sockets
"""

from api.errors import DriverError


class NodeError(DriverError):
    """A claim cannot be prepared or unprepared now; the kubelet gets the text and retries."""


class InvalidClaimUid(NodeError):
    """The uid cannot be part of a file name and of a CDI device name."""


class InvalidClaimName(NodeError):
    """Namespace or name cannot be those of a ResourceClaim."""


class NotForThisNode(NodeError):
    """The claim is not, or no longer, one that this node may prepare."""


class ClaimNotFound(NotForThisNode):
    """There is no ResourceClaim of that name."""


class ClaimUidMismatch(NotForThisNode):
    """The name belongs to another ResourceClaim than the one that was asked for."""


class NotAllocated(NotForThisNode):
    """The ResourceClaim has no allocation."""


class NotAllocatedHere(NotForThisNode):
    """The ResourceClaim is allocated by another driver, or for another node."""


class UnsupportedServer(NodeError):
    """The API server serves no version of ResourceClaim that this driver reads."""


class Passing(NodeError):
    """Something that passes by itself: the call is worth waiting for it."""


class NodeStateMissing(Passing):
    """The node has no NodeAllocationState at present."""


class AllocationChanged(Passing):
    """The claim was to be prepared for an allocation that the API server does not have."""


class UnknownKubelet(Passing):
    """The Node does not tell the version of its kubelet."""


class ClaimBusy(NodeError):
    """The driver takes longer for the claim than the kubelet waits."""


class StateBusy(NodeError):
    """Another instance of the driver on this node changes the state for too long."""


class DriverFailed(NodeError):
    """The driver raised an exception of its own."""


class InvalidParameters(NodeError):
    """The driver finds fault with the parameters of a claim or its class."""


class WrongDevices(NodeError):
    """The driver returned devices other than those that were allocated."""


class UnknownDevice(NodeError):
    """A device that was allocated is none that the driver offers on this node."""


class DeviceInUse(NodeError):
    """A device that was allocated is prepared for another claim at present."""


class PluginStopped(NodeError):
    """The plugin has taken its files away and prepares nothing any more."""


class InvalidCdiSpec(NodeError):
    """A CDI spec that container runtimes would refuse."""


class CdiWriteFailed(NodeError):
    """A CDI file could not be written, read back or removed."""


class CheckpointWriteFailed(NodeError):
    """The checkpoint could not be written."""


class InvalidDeviceStatus(DriverError):
    """What a driver shows of a device of a claim is not what the API allows."""


class HealthUnknown(DriverError):
    """The driver's report of the health of devices ended by an error."""


class LimitExceeded(DriverError):
    """A field of an inventory is beyond a limit of the API; the driver has to change it.

    Attributes:
        problems: each with field and limit.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        """Name every problem, the first twenty in the text."""
        self.problems = problems
        more = f"; and {len(problems) - 20} more" if len(problems) > 20 else ""
        super().__init__(f"the devices cannot be published: {'; '.join(problems[:20])}{more}")


class WrongInventory(DriverError):
    """The driver returned something else than an inventory of its devices."""


class NodeUnknown(DriverError):
    """There is no Node of the configured name; its kubelet may still register it."""


class CheckpointCorrupt(DriverError):
    """The checkpoint is malformed, of another version, or does not match its checksum."""


class CannotServe(DriverError):
    """The plugin cannot run here until somebody changes the machine or a flag."""


class StoppedEarly(DriverError):
    """The program was told to end before it had started."""


class CannotCreate(DriverError):
    """The name or directory of a new driver's project will not do."""


class NoDriver(CannotServe):
    """What was named is no driver, or it declares a setting that no flag can have."""


class DirectoryUnusable(CannotServe):
    """A directory is missing, or the plugin has no permission for it."""


class SocketUnusable(CannotServe):
    """A Unix socket cannot be bound at its path."""


class NodeOccupied(CannotServe):
    """Another plugin process holds the lock on the plugin's directory."""
