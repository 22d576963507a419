"""The versions of Kubernetes with claims, classic or structured, and what each needs for them.

Source: kubernetes pkg/features/kube_features.go and pkg/controlplane/instance.go of each version.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.e2e.cluster.errors import UnknownGate, UnknownVersion

DEFAULT = "1.30"

_PATCHES: Mapping[int, int] = {
    27: 4,
    28: 4,
    29: 15,
    30: 14,
    31: 4,
    32: 4,
    33: 13,
    34: 9,
    35: 4,
    36: 3,
    37: 2,
}
"""Releases of which all staging modules are known to be published."""

_APIS: Mapping[int, tuple[str, ...]] = {
    26: ("v1alpha1",),
    31: ("v1alpha3",),
    32: ("v1beta1",),
    33: ("v1beta1", "v1beta2"),
}
_CLASSIC_APIS = ("v1alpha2",)

_STATES: Mapping[str, bool] = {"true": True, "false": False}

_ON_SINCE: Mapping[str, int] = {
    "DynamicResourceAllocation": 34,
    "DRAPrioritizedList": 34,
    "DRADeviceTaints": 36,
    "DRAPartitionableDevices": 36,
}
"""The minor version since which a feature is on by default."""

_LAST_CLASSIC = 31
_FIRST_BY_DEFAULT = 34
"""From here on resource.k8s.io/v1 is served, and needs no feature gate."""


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """One release of Kubernetes 1.

    Attributes:
        minor: the number behind `1.`.
        patch: the number behind that.
        switched: feature gates that somebody wants on or off, in every component.
    """

    minor: int
    patch: int
    switched: Mapping[str, bool] = field(default_factory=dict, compare=False)

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
    def gates(self) -> Mapping[str, bool]:
        """Feature gates of the control plane: what claims need, and what was switched."""
        needed = {**self._needed, **dict.fromkeys(self._only_control_plane, True)}
        return {**needed, **self.switched}

    @property
    def kubelet_gates(self) -> Mapping[str, bool]:
        """Feature gates of the kubelet."""
        return {**self._needed, **self.switched}

    def has(self, feature: str) -> bool:
        """Tell whether a feature of claims is on."""
        return self.gates.get(feature, self.minor >= _ON_SINCE[feature])

    @property
    def _needed(self) -> Mapping[str, bool]:
        return {} if self.minor >= _FIRST_BY_DEFAULT else {"DynamicResourceAllocation": True}

    @property
    def _only_control_plane(self) -> tuple[str, ...]:
        return ("DRAControlPlaneController",) if self.minor == _LAST_CLASSIC else ()

    @property
    def resource_apis(self) -> tuple[str, ...]:
        """Groups and versions of claims that have to be switched on."""
        if self.minor >= _FIRST_BY_DEFAULT:
            return ()
        return tuple(f"resource.k8s.io/{v}" for v in _APIS.get(self.minor, _CLASSIC_APIS))


def parse(text: str, gates: str = "") -> Version:
    """Return the release that `text` names: `1.30` is the one known to build, `1.30.2` is itself.

    Args:
        text: a version.
        gates: feature gates to switch in it, such as `A=true,B=false`.

    Raises:
        UnknownVersion: it is no version, has no claims, or needs its patch.
        UnknownGate: the gates are not written like that.
    """
    switched = parse_gates(gates)
    found = re.fullmatch(r"v?1\.(\d+)(?:\.(\d+))?", text)
    if not found or not 26 <= int(found[1]) <= 38:
        raise UnknownVersion(f"Kubernetes {text!r} has no claims known here; give {_known()}")
    minor = int(found[1])
    if found[2] is not None:
        return Version(minor, int(found[2]), switched)
    if minor not in _PATCHES:
        raise UnknownVersion(f"Kubernetes {text} needs its patch, such as {text}.4, or {_known()}")
    return Version(minor, _PATCHES[minor], switched)


def parse_gates(text: str) -> Mapping[str, bool]:
    """Return the feature gates that a text such as `A=true,B=false` switches.

    Raises:
        UnknownGate: it is not written like that.
    """
    found: dict[str, bool] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if not name.isalnum() or value not in _STATES:
            raise UnknownGate(f"{part!r} switches no feature gate; give NAME=true or NAME=false")
        found[name] = _STATES[value]
    return found


def gates_text(gates: Mapping[str, bool]) -> str:
    """Return the text that `parse_gates` reads, as Kubernetes does."""
    return ",".join(f"{name}={str(on).lower()}" for name, on in gates.items())


def _known() -> str:
    return "one of " + ", ".join(f"1.{minor}" for minor in _PATCHES)
