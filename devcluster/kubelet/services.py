"""The services of plugins for claims and health, and which of them a kubelet of each minor calls.

Source: kubernetes pkg/kubelet/cm/dra/{manager.go,plugin}, v1.27 to v1.38, and
k8s.io/kubelet/pkg/apis/dra. Go package v1alpha4 is still called v1alpha3 on the wire, so that the
same path carries other messages in 1.31.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from devcluster.kubelet.errors import RegistrationRefused
from dra.kubelet.protocol import dra_v1_pb2 as devices
from dra.kubelet.protocol import dra_v1alpha2_pb2 as single
from dra.kubelet.protocol import dra_v1alpha3_pb2 as ids

_DOTTED: Final = re.compile(r"1(\.\d+)+")


@dataclass(frozen=True, slots=True)
class Generation:
    """A service for claims, with its messages.

    Attributes:
        service: its name on the wire.
        messages: module of its messages.
        suffix: of the names of its methods and messages.
    """

    service: str
    messages: Any
    suffix: str = "Resources"


V1ALPHA2: Final = Generation("v1alpha2.Node", single, "Resource")
V1ALPHA3: Final = Generation("v1alpha3.Node", ids)
V1ALPHA4: Final = Generation("v1alpha3.Node", devices)
V1BETA1: Final = Generation("k8s.io.kubelet.pkg.apis.dra.v1beta1.DRAPlugin", devices)
V1: Final = Generation("k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin", devices)

HEALTH_V1ALPHA1: Final = "v1alpha1.DRAResourceHealth"
HEALTH_V1: Final = "v1.DRAResourceHealth"


@dataclass(frozen=True, slots=True)
class Version:
    """Which services a range of kubelets calls.

    Attributes:
        since: minor version of the first.
        known: by what the plugin lists, in the order that the kubelet prefers.
        legacy: what it calls when only numbers are listed; None refuses.
        fallback: called when that one is not implemented.
        plugin_decides: whether the order of the plugin's list counts instead of the kubelet's.
        health: services that it knows, in its order.
        health_listed: whether it calls only those that are listed.
    """

    since: int
    known: Mapping[str, Generation] = field(default_factory=dict)
    legacy: Generation | None = None
    fallback: Generation | None = None
    plugin_decides: bool = False
    health: tuple[str, ...] = ()
    health_listed: bool = False

    def service(self, listed: Sequence[str]) -> Generation:
        """Return what a kubelet calls for a plugin that lists these.

        Raises:
            RegistrationRefused: nothing.
        """
        order = listed if self.plugin_decides else self.known
        for version in order:
            if version in listed and version in self.known:
                return self.known[version]
        if self.legacy is None or not any(map(_DOTTED.fullmatch, listed)):
            raise RegistrationRefused(f"none of {', '.join(listed)} is supported")
        return self.legacy

    def health_service(self, listed: Sequence[str]) -> str | None:
        """Return the service that it asks for the health of devices."""
        asked = (name for name in self.health if not self.health_listed or name in listed)
        return next(asked, None)


_NEWEST: Final = {"v1.DRAPlugin": V1, "v1beta1.DRAPlugin": V1BETA1}
_VERSIONS: Final = (
    Version(37, _NEWEST, None, None, True, (HEALTH_V1, HEALTH_V1ALPHA1), health_listed=True),
    Version(34, _NEWEST, plugin_decides=True, health=(HEALTH_V1ALPHA1,)),
    Version(32, {"v1beta1.DRAPlugin": V1BETA1, "v1alpha3.NodeService": V1ALPHA4}, V1ALPHA4),
    Version(31, legacy=V1ALPHA4),
    Version(28, legacy=V1ALPHA3, fallback=V1ALPHA2),
    Version(27, legacy=V1ALPHA2),
)


def kubelet(minor: int) -> Version:
    """Return what the kubelet of 1.`minor` calls."""
    return next(version for version in _VERSIONS if version.since <= minor)
