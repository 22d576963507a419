"""How the kubelets of different Kubernetes minors talk to DRA drivers.

Source: kubernetes pkg/kubelet/cm/dra and pkg/kubelet/pluginmanager of each minor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Dialect:
    """The behaviour of one minor.

    Attributes:
        version: what `nodeInfo.kubeletVersion` says.
        batches: whether NodePrepareResources of v1alpha3 is called at all.
        falls_back: whether UNIMPLEMENTED leads to the single calls of v1alpha2.
        remembers_fallback: whether that is decided once per registration rather than per call.
        sends_handles: whether requests carry resource handles and answers are plain CDI ids;
            otherwise a driver reads the claim itself and answers with devices.
        call_seconds: deadline of one prepare or unprepare.
        prepares_unused: whether claims that no container uses are prepared, too.
        monitors_resources: whether NodeListAndWatchResources is called after registration.
        annotates: whether CDI ids also go into an annotation, whose key limits driver names.
    """

    version: str
    batches: bool = True
    falls_back: bool = True
    remembers_fallback: bool = True
    sends_handles: bool = True
    call_seconds: float = 45.0
    prepares_unused: bool = False
    monitors_resources: bool = False
    annotates: bool = True


DIALECTS: Final[Mapping[str, Dialect]] = {
    "1.27": Dialect("v1.27.16", batches=False, falls_back=False, call_seconds=10.0),
    "1.28": Dialect("v1.28.15", remembers_fallback=False),
    "1.29": Dialect("v1.29.14"),
    "1.30": Dialect("v1.30.14", monitors_resources=True),
    "1.31": Dialect(
        "v1.31.14",
        falls_back=False,
        sends_handles=False,
        prepares_unused=True,
        annotates=False,
    ),
}
"""By minor version, as users name it."""

NEWEST_SERVED: Final = "1.30"
"""The newest minor whose API server has the objects that the embedded one serves."""
