"""Errors of the kubelet plugin.

NodeError                       (dra.errors)
├─ InvalidClaimName             namespace or name cannot be those of a ResourceClaim
├─ NotForThisNode               whatever the node holds for the claim is out of date
│  ├─ ClaimNotFound             no ResourceClaim of that name
│  ├─ ClaimUidMismatch          the name belongs to another ResourceClaim by now
│  ├─ NotAllocated              the claim has no allocation
│  └─ NotAllocatedHere          allocated by another driver, or for another node
├─ NotInNodeState               allocated, but the NodeAllocationState has no devices for it
├─ DeviceGone                   an allocated device is not in the node's inventory
├─ UnknownKubelet               the Node does not say which kubelet wants an answer
└─ UnsupportedServer            the API server has no version of ResourceClaim that we can read
CannotServe                     (dra.errors)
├─ SocketUnusable               a socket cannot be bound
└─ NodeOccupied                 another plugin process serves the same sockets
"""

from dra.errors import CannotServe, NodeError


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


class NotInNodeState(NodeError):
    """The NodeAllocationState has no devices for the claim."""


class DeviceGone(NodeError):
    """A device that was allocated is not in the node's inventory."""


class UnknownKubelet(NodeError):
    """The Node does not tell the version of its kubelet."""


class UnsupportedServer(NodeError):
    """The API server serves no version of ResourceClaim that this driver reads."""


class SocketUnusable(CannotServe):
    """A Unix socket cannot be bound at its path."""


class NodeOccupied(CannotServe):
    """Another plugin process holds the lock on the plugin's directory."""
