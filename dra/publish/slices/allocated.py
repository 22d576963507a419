"""Which devices ResourceClaims have, as the API server knows it: prepared on the node or not."""

from api.objects import JSON
from api.resources import STRUCTURED_VERSIONS
from dra.publish.slices.server import SliceServer
from kube.client import Client


class ClaimedDevices:
    """Lists all ResourceClaims whenever it is asked, since a cache may be behind."""

    def __init__(self, api: Client, server: SliceServer, driver: str) -> None:
        """Ask in the version of `server` for the devices of a driver."""
        self._api = api
        self._server = server
        self._driver = driver

    def __call__(self) -> frozenset[tuple[str, str]]:
        """Return pool and device of each.

        Raises:
            UnsupportedVersion: the API server serves nothing of this kind.
            KubeError: it does not answer, or refuses.
        """
        version = self._server.slices.version
        found = self._api.list(STRUCTURED_VERSIONS[version].claims, transform=self._results)
        return frozenset(
            (result["pool"], result["device"])
            for claim in found.items
            for result in claim["results"]
        )

    def _results(self, claim: JSON) -> JSON:
        """Return of a claim no more than is needed, since there may be many."""
        allocation = (claim.get("status") or {}).get("allocation") or {}
        results = (allocation.get("devices") or {}).get("results") or []
        return {"results": [each for each in results if each.get("driver") == self._driver]}
