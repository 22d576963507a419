"""How the kubelets of different Kubernetes minors talk to DRA drivers.

Source: kubernetes pkg/kubelet/cm/dra and pkg/kubelet/pluginmanager of each minor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from devcluster.kubelet.services import Version, kubelet

_FIRST_STRUCTURED: Final = 32
_FIRST_WITH_HEALTH: Final = 36


@dataclass(frozen=True, slots=True)
class Dialect:
    """The behaviour of one minor.

    Attributes:
        version: what `nodeInfo.kubeletVersion` says.
        remembers_fallback: whether a call that the plugin does not implement is replaced once per
            registration rather than per call.
        call_seconds: deadline of one prepare or unprepare.
        prepares_unused: whether claims that no container uses are prepared, too.
        monitors_resources: whether NodeListAndWatchResources is called after registration.
        annotates: whether CDI ids also go into an annotation, whose key limits driver names.
    """

    version: str
    remembers_fallback: bool = True
    call_seconds: float = 45.0
    prepares_unused: bool = False
    monitors_resources: bool = False
    annotates: bool = True

    @property
    def minor(self) -> int:
        """Of Kubernetes 1.x."""
        return int(self.version.split(".")[1])

    @property
    def calls(self) -> Version:
        """Which services are called for claims."""
        return kubelet(self.minor)

    @property
    def structured(self) -> bool:
        """Whether plugins publish ResourceSlices, and kube-scheduler allocates."""
        return self.minor >= _FIRST_STRUCTURED

    @property
    def shows_health(self) -> bool:
        """Whether the status of pods shows the health of their devices (ResourceHealthStatus)."""
        return self.minor >= _FIRST_WITH_HEALTH


DIALECTS: Final[Mapping[str, Dialect]] = {
    "1.27": Dialect("v1.27.16", call_seconds=10.0),
    "1.28": Dialect("v1.28.15", remembers_fallback=False),
    "1.29": Dialect("v1.29.14"),
    "1.30": Dialect("v1.30.14", monitors_resources=True),
    **{
        version[1:5]: Dialect(version, prepares_unused=True, annotates=False)
        for version in ("v1.31.14", "v1.34.2", "v1.35.0", "v1.36.0", "v1.37.2")
    },
}
"""By minor version, as users name it. Those between 1.31 and 1.34 serve no v1."""

NEWEST_CLASSIC: Final = "1.30"
"""The newest minor whose classic objects the embedded API server has."""
