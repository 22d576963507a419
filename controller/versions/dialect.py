"""The port behind which everything lies that differs by version of resource.k8s.io.

Whose a claim is, what it asks for, and how its allocation is written. One implementation for each
version that has classic claims: v1alpha2.py (Kubernetes 1.27 to 1.30) and v1alpha3.py (1.31); the
composition root chooses. Everything else in this package knows none of the differences.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from api.claims.view import ClaimView
from api.errors import UserError
from api.nas import AllocatedDevice
from api.objects import JSON, NodeName
from controller.decide.allocator import DeviceRequest
from controller.outcome import Topic


@dataclass(frozen=True, slots=True)
class ClaimRequests:
    """What a claim asks of a node.

    Attributes:
        requests: in the order of the claim, each with at least one device.
        node_selectors: NodeSelectors of the claim's classes; a node has to match them all.
    """

    requests: tuple[DeviceRequest, ...]
    node_selectors: tuple[JSON, ...] = ()


@dataclass(frozen=True, slots=True)
class Unusable:
    """A claim that somebody has to mend first, or an object that it refers to.

    Attributes:
        error: what is wrong.
        claim: the claim.
        topics: what may change and mend it.
    """

    error: UserError
    claim: ClaimView
    topics: frozenset[Topic]


@dataclass(frozen=True, slots=True)
class NotOurs:
    """A claim of another driver, unless one of the topics changes."""

    topics: frozenset[Topic] = frozenset()


Reading: TypeAlias = ClaimRequests | Unusable | NotOurs


class ObjectSource(Protocol):
    """Finds one object of a kind."""

    def get(self, name: str, namespace: str | None) -> JSON | None:
        """Return the object, None when it does not exist."""
        ...


Sources: TypeAlias = Mapping[str, ObjectSource]
"""By kind of the objects."""


class Dialect(Protocol):
    """Reads and writes the claims of one version."""

    def read(self, claim: ClaimView) -> Reading:
        """Return what a claim asks for, following what it refers to.

        Raises:
            KubeError: an object that it refers to could not be read.
        """
        ...

    def allocated(
        self,
        claim: ClaimView,
        asked: ClaimRequests,
        node: NodeName,
        devices: Sequence[AllocatedDevice],
        /,
    ) -> JSON:
        """Return the claim with an allocation that several pods may share.

        Args:
            claim: without allocation.
            asked: what it asks for.
            node: where the devices are.
            devices: those of each request, in the order of the requests.

        Raises:
            UserError: the devices are not those that the claim asks for.
        """
        ...

    def with_handle(self, claim: JSON, handle: JSON, /) -> JSON:
        """Return a claim from `allocated` that says itself what it was given.

        A handle that is larger than the API server takes is left out.
        """
        ...

    def freed(self, claim: ClaimView) -> JSON:
        """Return the claim as it was before it was allocated."""
        ...
