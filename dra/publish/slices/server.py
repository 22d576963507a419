"""ResourceSlices of an API server of any version, read and written in the shape of v1."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from api.claims.versions import STRUCTURED, choose, read_claim
from api.conversion import converted
from api.names import RESOURCE_GROUP
from api.objects import JSON, NodeName
from api.resources import NODES, STRUCTURED_VERSIONS, Resource
from dra.drivercode import DeviceKey
from dra.publish.owner import find_node_uid
from kube.client import Client
from kube.errors import NotFound


class SliceServer:
    """The API server; thread-safe."""

    def __init__(self, api: Client) -> None:
        """Find out at the first use which version is served."""
        self._api = api
        self._lock = threading.Lock()
        self._slices: Resource | None = None

    @property
    def slices(self) -> Resource:
        """The version in use.

        Raises:
            UnsupportedVersion: there is none that we know.
            KubeError: that could not be found out.
        """
        with self._lock:
            if self._slices is None:
                version = choose(self._api.versions(RESOURCE_GROUP), STRUCTURED)
                self._slices = STRUCTURED_VERSIONS[version].slices
            return self._slices

    def look_again(self) -> None:
        """Find out anew which version is served, at the next use."""
        with self._lock:
            self._slices = None

    def create(self, body: JSON, *, dry_run: bool = False) -> JSON:
        """Create a slice and return it as stored."""
        with self._found() as slices:
            return as_v1(self._api.create(slices, converted(body, slices), dry_run=dry_run))

    def get(self, name: str) -> JSON:
        """Return a slice as stored."""
        with self._found() as slices:
            return as_v1(self._api.get(slices, name))

    def update(self, body: JSON) -> JSON:
        """Replace a slice as it was read, and return it as stored."""
        with self._found() as slices:
            return as_v1(self._api.update(slices, converted(body, slices)))

    def delete(self, stored: JSON) -> None:
        """Delete a slice as it was read, if it is still there."""
        meta = stored["metadata"]
        version = meta["resourceVersion"]
        try:
            with self._found() as slices:
                self._api.delete(slices, meta["name"], uid=meta["uid"], resource_version=version)
        except NotFound as error:
            if not _names_object(error):
                raise

    def allocated(self, driver: str) -> frozenset[DeviceKey]:
        """Return each device of a driver, or share of one, that a ResourceClaim has.

        All are listed, prepared on the node or not, since a cache may be behind.
        """

        def results(claim: JSON) -> JSON:
            """Return of a claim no more than is needed, since there may be many."""
            found = read_claim(claim).allocation
            entries = found.entries if found else []
            return {"results": [each for each in entries if each.get("driver") == driver]}

        claims = STRUCTURED_VERSIONS[self.slices.version].claims
        listed = self._api.list(claims, transform=results).items
        results_of = (x for each in listed for x in each["results"])
        return frozenset((x["pool"], x["device"], x.get("shareID")) for x in results_of)

    @contextmanager
    def _found(self) -> Iterator[Resource]:
        try:
            yield self.slices
        except NotFound as error:
            if not _names_object(error):
                self.look_again()
            raise

    def owner(self, node: str) -> JSON:
        """Return the owner reference of the slices of a Node, by reading it.

        Raises:
            NodeUnknown: there is no Node of that name.
        """
        return {
            "apiVersion": NODES.api_version,
            "kind": NODES.kind,
            "name": node,
            "uid": find_node_uid(self._api, NodeName(node)),
            "controller": True,
        }


def as_v1(obj: JSON) -> JSON:
    """Return a slice of any version in the shape of v1."""
    return converted(obj, STRUCTURED_VERSIONS["v1"].slices)


def _names_object(error: NotFound) -> bool:
    """Tell whether an object is missing, and not the resource."""
    return bool(error.details.get("name"))
