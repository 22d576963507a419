"""Errors of what happens on a node, whatever driver it is for.

DriverError                     (api.errors)
├─ NodeError                    this claim cannot be prepared or unprepared now; told to the kubelet
│  ├─ InvalidClaimUid           the uid cannot be part of a file name and a CDI device name
│  ├─ NodeStateMissing          the NodeAllocationState itself is not there
│  ├─ AllocationChanged         the watch cache was behind, the allocation has to be read live
│  ├─ DeviceInUse               an allocated device is prepared for another claim
│  ├─ PluginStopped             the plugin ends, its successor will prepare the claim
│  ├─ InvalidCdiSpec            the spec would be refused by the container runtime
│  ├─ CdiWriteFailed            a CDI file cannot be written or removed
│  └─ CheckpointWriteFailed     the checkpoint cannot be written
├─ NodeUnknown                  there is no Node of the configured name, or not yet
├─ CheckpointCorrupt            the checkpoint is not what this driver wrote; it is rebuilt
└─ CannotServe                  the plugin cannot run on this machine as it is configured
   └─ DirectoryUnusable         a directory is missing or not accessible
"""

from api.errors import DriverError


class NodeError(DriverError):
    """A claim cannot be prepared or unprepared now; the kubelet gets the text and retries."""


class InvalidClaimUid(NodeError):
    """The uid cannot be part of a file name and of a CDI device name."""


class NodeStateMissing(NodeError):
    """The node has no NodeAllocationState at present."""


class AllocationChanged(NodeError):
    """The claim was to be prepared for an allocation that the API server does not have."""


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


class NodeUnknown(DriverError):
    """There is no Node of the configured name; its kubelet may still register it."""


class CheckpointCorrupt(DriverError):
    """The checkpoint is malformed, of another version, or does not match its checksum."""


class CannotServe(DriverError):
    """The plugin cannot run here until somebody changes the machine or a flag."""


class DirectoryUnusable(CannotServe):
    """A directory is missing, or the plugin has no permission for it."""
