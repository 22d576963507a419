"""Errors of the virtual kubelet.

DevclusterError                 devcluster.errors
└─ KubeletError
   ├─ RegistrationRefused       the plugin's answer to GetInfo is not acceptable
   ├─ PluginCallFailed          a gRPC call to a plugin failed or broke a rule
   ├─ PrepareFailed             claims of a pod could not be prepared; retried
   ├─ UnprepareFailed           claims of a pod could not be unprepared; retried
   ├─ CheckpointCorrupt         the record of prepared claims cannot be read
   ├─ UnresolvableDevices       CDI ids that no spec file defines
   ├─ InvalidCdiSpec            a CDI file that a strict runtime would skip
   ├─ InvalidContainer          a container whose manifest this runtime cannot follow
   └─ StartFailed               a container's command cannot be executed
"""

from devcluster.errors import DevclusterError


class KubeletError(DevclusterError):
    """Base of the errors of the virtual kubelet."""


class RegistrationRefused(KubeletError):
    """A plugin cannot be registered as it describes itself."""


class PluginCallFailed(KubeletError):
    """A plugin answered with an error, too late, or against the rules."""


class PrepareFailed(KubeletError):
    """Not all claims of a pod could be prepared."""


class UnprepareFailed(KubeletError):
    """Not all claims of a pod could be unprepared."""


class CheckpointCorrupt(KubeletError):
    """The file of prepared claims is damaged or from another version."""


class UnresolvableDevices(KubeletError):
    """CDI device ids without a definition in the node's CDI directories."""


class InvalidCdiSpec(KubeletError):
    """A CDI file breaks the specification."""


class InvalidContainer(KubeletError):
    """A container's manifest asks for what this runtime does not have."""


class StartFailed(KubeletError):
    """A container's command does not exist or is not executable."""
