"""The versions of Kubernetes with claims, classic or structured, and what each needs for them.

Source: kubernetes pkg/features/kube_features.go and pkg/controlplane/instance.go of each version.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tests.e2e.cluster.errors import UnknownVersion

DEFAULT = "1.30"

_PATCHES: Mapping[int, int] = {27: 4, 28: 4, 30: 14, 31: 4, 34: 9, 37: 2}
"""Releases of which all staging modules are known to be published."""

_APIS: Mapping[int, tuple[str, ...]] = {
    26: ("v1alpha1",),
    31: ("v1alpha3",),
    32: ("v1beta1",),
    33: ("v1beta1", "v1beta2"),
}
_CLASSIC_APIS = ("v1alpha2",)

_LAST_CLASSIC = 31
_FIRST_BY_DEFAULT = 34
"""From here on resource.k8s.io/v1 is served, and needs no feature gate."""


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
    def classic(self) -> bool:
        """Whether a driver's controller allocates; from 1.32 on kube-scheduler does."""
        return self.minor <= _LAST_CLASSIC

    @property
    def gates(self) -> tuple[str, ...]:
        """Feature gates that the control plane needs for claims."""
        if self.minor == _LAST_CLASSIC:
            return ("DynamicResourceAllocation", "DRAControlPlaneController")
        return self.kubelet_gates

    @property
    def kubelet_gates(self) -> tuple[str, ...]:
        """Feature gates that the kubelet needs."""
        return () if self.minor >= _FIRST_BY_DEFAULT else ("DynamicResourceAllocation",)

    @property
    def resource_apis(self) -> tuple[str, ...]:
        """Groups and versions of claims that have to be switched on."""
        if self.minor >= _FIRST_BY_DEFAULT:
            return ()
        return tuple(f"resource.k8s.io/{v}" for v in _APIS.get(self.minor, _CLASSIC_APIS))


def parse(text: str) -> Version:
    """Return the release that `text` names: `1.30` is the one known to build, `1.30.2` is itself.

    Raises:
        UnknownVersion: it is no version, has no claims, or needs its patch.
    """
    found = re.fullmatch(r"v?1\.(\d+)(?:\.(\d+))?", text)
    if not found or not 26 <= int(found[1]) <= 38:
        raise UnknownVersion(f"Kubernetes {text!r} has no claims known here; give {_known()}")
    minor = int(found[1])
    if found[2] is not None:
        return Version(minor, int(found[2]))
    if minor not in _PATCHES:
        raise UnknownVersion(f"Kubernetes {text} needs its patch, such as {text}.4, or {_known()}")
    return Version(minor, _PATCHES[minor])


def _known() -> str:
    return "one of " + ", ".join(f"1.{minor}" for minor in _PATCHES)
