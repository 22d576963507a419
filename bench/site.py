"""The stage: what exists in the API server before something is measured, and how it goes again."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from api.objects import JSON
from api.resources import DEFINITIONS, DRA_V1ALPHA2, NAMESPACES, PODS, Resource
from bench import objects
from bench.apiservers import ApiServer
from bench.concurrency import concurrently
from bench.counting import OwnRequests
from bench.objects import NAMESPACE, Consumer, Driver
from devcluster.manifests import driver_objects
from kube.client import Client
from kube.errors import AlreadyExists, NotFound

_BULK_LANES = 16


@dataclass(frozen=True, slots=True)
class Site:
    """An API server with the driver's definitions.

    Attributes:
        server: where.
        driver: whose objects are made.
        client: of the benchmark, without a rate limit.
        own: counts the requests of `client`.
    """

    server: ApiServer
    driver: Driver
    client: Client
    own: OwnRequests

    def prepare(self) -> None:
        """Create definitions, namespaces and classes; the driver's own where it is ours."""
        self.define()
        for namespace in (NAMESPACE, self.driver.namespace):
            self._create(NAMESPACES, {"metadata": {"name": namespace}})
        for name, driver in (
            (self.driver.class_name, self.driver.contract.driver_name),
            (objects.FLOOR, objects.FLOOR),
        ):
            self._create(DRA_V1ALPHA2.classes, objects.resource_class(name, driver))

    def define(self) -> None:
        """Create the definitions and the namespace of the driver that is ours."""
        for resource, obj in driver_objects(self.driver.contract.driver_name):
            if resource in (DEFINITIONS, NAMESPACES):
                self._create(resource, obj)

    def add_nodes(self, numbers: Iterable[int], devices: int) -> list[str]:
        """Publish node states; return the names of the nodes."""
        names = [objects.node_name(number) for number in numbers]
        bodies = [objects.node_state(self.driver, name, devices) for name in names]
        concurrently(lambda body: self._create(self.driver.states, body), bodies, _BULK_LANES)
        return names

    def add_claims(self, names: Sequence[str], class_name: str) -> list[JSON]:
        """Create claims."""
        bodies = [objects.claim(name, class_name) for name in names]
        return concurrently(
            lambda body: self.client.create(DRA_V1ALPHA2.claims, body), bodies, _BULK_LANES
        )

    def add_pods(self, names: Sequence[str]) -> list[JSON]:
        """Create pods."""
        bodies = [objects.pod(name) for name in names]
        return concurrently(lambda body: self.client.create(PODS, body), bodies, _BULK_LANES)

    @contextmanager
    def consumers(
        self, prefix: str, count: int, class_name: str | None = None
    ) -> Iterator[list[Consumer]]:
        """Make pods with claims; remove them and their contexts when the context ends well.

        Args:
            prefix: of their names.
            count: how many.
            class_name: of the claims; None is the driver's.
        """
        names = [f"{prefix}-{number:05}" for number in range(count)]
        claims = self.add_claims(names, class_name or self.driver.class_name)
        pods = self.add_pods(names)
        yield [Consumer(pod, claim) for pod, claim in zip(pods, claims, strict=True)]
        for resource in (DRA_V1ALPHA2.contexts, PODS, DRA_V1ALPHA2.claims):
            self.remove(resource, names)

    def remove(self, resource: Resource, names: Iterable[str]) -> None:
        """Delete objects, those that exist."""

        def delete(name: str) -> None:
            with suppress(NotFound):
                self.client.delete(resource, name, NAMESPACE)

        concurrently(delete, names, _BULK_LANES)

    def _create(self, resource: Resource, obj: JSON) -> None:
        with suppress(AlreadyExists):
            self.client.create(resource, obj)
