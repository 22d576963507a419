"""Errors of the kubelet plugin.

NodeError                       (dra.errors)
├─ Passing                      (dra.errors)
│  └─ NotInNodeState            allocated, but the NodeAllocationState has no devices for it
└─ DeviceGone                   an allocated device is not in the node's inventory
"""

from dra.errors import NodeError, Passing


class NotInNodeState(Passing):
    """The NodeAllocationState has no devices for the claim; the controller restores them."""


class DeviceGone(NodeError):
    """A device that was allocated is not in the node's inventory."""
