"""Errors of the embedded cluster.

DriverError                     api.errors
└─ DevclusterError              what its user has to change, or a part that failed
   ├─ StateDirError             the state directory cannot be used
   ├─ PortUnusable              the port of the API server is not free
   ├─ NodeAbsent                there is no virtual node of that name
   ├─ NodeStopped               a virtual node is stopped, and something of it was asked for
   ├─ DriverAbsent              the cluster runs without the driver
   ├─ ControlFailed             a running cluster did not do what a user asked
   ├─ ClaimNotMade              a pod's claim cannot be made from its template
   ├─ NotBound                  the API server refuses to bind a pod, or to reserve its claims
   └─ KubeletError              devcluster.kubelet.errors
"""

from api.errors import DriverError


class DevclusterError(DriverError):
    """Base of the errors of the embedded cluster."""


class StateDirError(DevclusterError):
    """The state directory is too long for sockets, not empty, or not writable."""


class NotBound(DevclusterError):
    """The API server refused to reserve a claim for a pod or to bind it; tried again."""


class DevicesNotReady(DevclusterError):
    """A pod is not bound because its devices have failed or are not ready in time."""


class PortUnusable(DevclusterError):
    """The API server cannot listen on the port that was asked for."""


class NodeAbsent(DevclusterError):
    """The cluster has no virtual node of that name."""


class NodeStopped(DevclusterError):
    """A virtual node was stopped on purpose, and nothing runs on it until it is started."""


class DriverAbsent(DevclusterError):
    """The cluster was started without the driver, and something of the driver was asked for."""


class ControlFailed(DevclusterError):
    """A running cluster was not reached, or refused; the message says why."""


class ClaimNotMade(DevclusterError):
    """The claim of a pod's entry does not exist and cannot be made yet; tried again."""
