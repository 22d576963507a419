"""Errors of the controller.

DriverError                     (api.errors)
├─ UserError                    (api.errors) event on claim and pod, slow retry
│  ├─ ResourceClassNotFound     the claim names a class that does not exist
│  ├─ DeviceClassNotFound       the same in Kubernetes 1.31
│  ├─ UnsupportedField          the claim or its class asks for what this driver cannot do
│  ├─ TooManyDevices            the claim asks for more devices than an allocation can list
│  ├─ ForeignClaim              the pod's claim of that name belongs to another pod
│  ├─ NoSuitableNode            no node can serve the claim now; woken when one can
│  └─ NodeOfLastResort          the claim is allocated where not every pod can run
└─ StaleWorld                   what we decided on has changed; silent quick retry
   ├─ NodeUnavailable           the node cannot take claims any more
   └─ ClaimNotReady           the pod's claim is not there yet, or on its way out
"""

from api.errors import DriverError, UserError


class ResourceClassNotFound(UserError):
    """The claim names a ResourceClass that does not exist."""


class DeviceClassNotFound(UserError):
    """A request of the claim names a DeviceClass that does not exist."""


class UnsupportedField(UserError):
    """A field of the claim or its class that this driver cannot follow, and must not ignore."""


class TooManyDevices(UserError):
    """The claim asks for more devices than an allocation can list."""


class ForeignClaim(UserError):
    """A claim that should have been made for the pod belongs to something else."""


class NoSuitableNode(UserError):
    """No node can serve the claim at present."""


class NodeOfLastResort(UserError):
    """The claim was allocated on a node that something speaks against, for want of a better one."""


class StaleWorld(DriverError):
    """The objects that a decision was based on have changed."""


class NodeUnavailable(StaleWorld):
    """The node stopped taking claims between decision and write."""


class ClaimNotReady(StaleWorld):
    """A claim of the pod is not in the cache yet, or is on its way out."""
