"""Errors of the embedded cluster.

DriverError                     api.errors
└─ DevclusterError              what its user has to change, or a part that failed
   ├─ StateDirError             the state directory cannot be used
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


class ClaimNotMade(DevclusterError):
    """The claim of a pod's entry does not exist and cannot be made yet; tried again."""
