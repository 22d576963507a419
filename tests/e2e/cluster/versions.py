"""The versions of Kubernetes with classic claims, and what each needs to serve them.

Source: kubernetes pkg/features/kube_features.go and pkg/controlplane/instance.go of each version.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tests.e2e.cluster.errors import UnknownVersion

DEFAULT = "1.30"

_PATCHES: Mapping[int, int] = {27: 4, 28: 4, 30: 14, 31: 4}
"""Releases of which all staging modules are known to be published."""

_API: Mapping[int, str] = {26: "v1alpha1", 31: "v1alpha3"}
_OTHER_API = "v1alpha2"


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """One release of Kubernetes 1."""

    minor: int
    patch: int

    def __str__(self) -> str:
        """Return the release as users write it, such as `1.30.14`."""
        return f"1.{self.minor}.{self.patch}"

    @property
    def module(self) -> str:
        """Version of the module k8s.io/kubernetes."""
        return f"v{self}"

    @property
    def staging_module(self) -> str:
        """Version of the modules that are published from its staging directory."""
        return f"v0.{self.minor}.{self.patch}"

    @property
    def gates(self) -> tuple[str, ...]:
        """Feature gates that the control plane needs for classic claims."""
        if self.minor == 31:
            return ("DynamicResourceAllocation", "DRAControlPlaneController")
        return ("DynamicResourceAllocation",)

    @property
    def kubelet_gates(self) -> tuple[str, ...]:
        """Feature gates that the kubelet needs."""
        return ("DynamicResourceAllocation",)

    @property
    def resource_api(self) -> str:
        """Group and version of claims that this release and its kubelet use."""
        return f"resource.k8s.io/{_API.get(self.minor, _OTHER_API)}"


def parse(text: str) -> Version:
    """Return the release that `text` names: `1.30` is the one known to build, `1.30.2` is itself.

    Raises:
        UnknownVersion: it is no version, has no classic claims, or needs its patch.
    """
    found = re.fullmatch(r"v?1\.(\d+)(?:\.(\d+))?", text)
    if not found or not 26 <= int(found[1]) <= 31:
        raise UnknownVersion(f"Kubernetes {text!r} has no classic claims; give {_known()}")
    minor = int(found[1])
    if found[2] is not None:
        return Version(minor, int(found[2]))
    if minor not in _PATCHES:
        raise UnknownVersion(f"Kubernetes {text} needs its patch, such as {text}.4, or {_known()}")
    return Version(minor, _PATCHES[minor])


def _known() -> str:
    return "one of " + ", ".join(f"1.{minor}" for minor in _PATCHES)
