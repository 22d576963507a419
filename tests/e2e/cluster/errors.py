"""Errors of the cluster for end-to-end tests.

ClusterError            every error that this package raises on purpose
├─ UnknownVersion       a version of Kubernetes that cannot be raised here
├─ UnknownGate          a text that switches no feature gate
├─ Unsuitable           this machine cannot be a node: not root, or another kubelet's files
├─ NotUp                the cluster has to be up for what was asked
├─ AlreadyUp            the cluster has to be down for what was asked
├─ NotBuilt             a program has not been built yet
├─ CommandFailed        a program ended with another exit code than 0, or took too long
└─ NotReady             a part of the cluster did not come up in time
"""


class ClusterError(Exception):
    """Base of every error that this package raises on purpose."""


class UnknownVersion(ClusterError):
    """A version of Kubernetes that cannot be raised here."""


class UnknownGate(ClusterError):
    """A text that switches no feature gate."""


class UnknownComponent(ClusterError):
    """There is no program of that name in the cluster."""


class Unsuitable(ClusterError):
    """This machine cannot be a node."""


class NotUp(ClusterError):
    """The cluster has to be up for what was asked."""


class AlreadyUp(ClusterError):
    """The cluster has to be down for what was asked."""


class NotBuilt(ClusterError):
    """A program has not been built yet."""


class CommandFailed(ClusterError):
    """A program ended with another exit code than 0, or took too long."""


class NotReady(ClusterError):
    """A part of the cluster did not come up in time."""
