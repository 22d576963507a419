"""The services that kubelets of 1.27 to 1.38 call: the one table of them, newest first.

A kubelet takes the first entry of the plugin's list that it knows (from 1.34 on), so the order of
the list is that of the table. Up to 1.31 kubelets skip what is no number with dots.
Source: kubernetes pkg/kubelet/cm/dra/plugin; k8s.io/kubelet/pkg/apis, registered service names.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

from dra.driver import ReportsHealth
from dra.kubelet.codecs import DEVICES, HEALTH, IDS, SINGLE, ClaimCodec, HealthCodec

Codec = TypeVar("Codec", ClaimCodec, HealthCodec)
Minor: TypeAlias = tuple[int, int]
"""Major and minor version of a kubelet."""

LEGACY: Final = "1.0.0"
"""What a kubelet of 1.27 to 1.31 looks for instead of the names of services."""


@dataclass(frozen=True, slots=True)
class Service(Generic[Codec]):
    """A service as one range of kubelets calls it; two ranges may have the same name for theirs.

    Attributes:
        name: on the wire.
        version: in `supported_versions` of the registration.
        codec: its messages.
        since: first kubelet that calls it.
        until: last one, None for all later ones.
    """

    name: str
    version: str
    codec: Codec
    since: Minor
    until: Minor | None = None

    @property
    def for_claims(self) -> bool:
        """Whether it is for claims, and not for the health of devices."""
        return isinstance(self.codec, ClaimCodec)


STRUCTURED_SERVICES: Final = (
    Service("k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin", "v1.DRAPlugin", DEVICES, (1, 34)),
    Service("k8s.io.kubelet.pkg.apis.dra.v1beta1.DRAPlugin", "v1beta1.DRAPlugin", DEVICES, (1, 32)),
)
"""Of claims that the scheduler allocates."""

HEALTH_SERVICES: Final = (
    Service("v1.DRAResourceHealth", "v1.DRAResourceHealth", HEALTH, (1, 37)),
    Service("v1alpha1.DRAResourceHealth", "v1alpha1.DRAResourceHealth", HEALTH, (1, 34)),
)
"""Kubelets from 1.37 on call them only if they are listed."""

CLASSIC_SERVICES: Final = (
    Service("v1alpha3.Node", LEGACY, DEVICES, (1, 31), (1, 31)),
    Service("v1alpha3.Node", LEGACY, IDS, (1, 28), (1, 30)),
    Service("v1alpha2.Node", LEGACY, SINGLE, (1, 27), (1, 30)),
)
"""Of claims that a controller allocates."""

SERVICES: Final[tuple[Service[Any], ...]] = (
    *STRUCTURED_SERVICES,
    *HEALTH_SERVICES,
    *CLASSIC_SERVICES,
)


def served(driver: object, *, structured: bool, classic: bool) -> tuple[Service[Any], ...]:
    """Return what a driver serves that has claims of one kind or of both."""
    health = HEALTH_SERVICES if structured and isinstance(driver, ReportsHealth) else ()
    return (
        *(STRUCTURED_SERVICES if structured else ()),
        *health,
        *(CLASSIC_SERVICES if classic else ()),
    )


def supported_versions(services: Collection[Service[Any]]) -> tuple[str, ...]:
    """Return what the registration lists for these, newest first."""
    return tuple(dict.fromkeys(each.version for each in SERVICES if each in services))


def called_by(kubelet: Minor, services: Sequence[Service[Codec]]) -> Service[Codec]:
    """Return which of some services of one name a kubelet means; the newest if none is for it."""
    fitting = (s for s in services if s.since <= kubelet and (not s.until or kubelet <= s.until))
    return next(fitting, services[0])


def kubelets(services: Sequence[Service[Any]]) -> str:
    """Return for people which kubelets call some of these services."""
    first = _text(min(each.since for each in services))
    ends = [each.until for each in services]
    return f"{first} or later" if None in ends else f"{first} to {_text(max(filter(None, ends)))}"


def _text(minor: Minor) -> str:
    return "{}.{}".format(*minor)
