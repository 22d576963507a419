"""The session where kube-scheduler allocates: devices are in ResourceSlices, and in claims."""

from collections.abc import Iterator

from allocation.pools import readable
from api.contract import Contract
from api.objects import JSON
from api.resources import STRUCTURED_VERSIONS
from demo.expect import Devices, Given
from demo.session import Session
from kube.client import Client

KNOWN = STRUCTURED_VERSIONS["v1"]


class StructuredSession(Session):
    """One user's work on a cluster that serves resource.k8s.io/v1."""

    def __init__(self, client: Client, contract: Contract, *, timeout: float = 60.0) -> None:
        """Work through `client`; see `Session`."""
        super().__init__(client, contract, claims=KNOWN.claims, timeout=timeout)

    def devices(self) -> Devices:
        """Return what is published, and what of it claims have."""
        published = self.published()
        attributes = {_uuid(device): device["attributes"] for device in published.values()}
        whole = (uuid for uuid, found in attributes.items() if found["type"]["string"] == "whole")
        given = (
            (uuid, Given(claim, _parent(attributes[uuid]), attributes[uuid]["split"]["int"]))
            for claim, uuid in self._allocated(published)
        )
        return Devices(frozenset(whole), tuple(given))

    def leftovers(self) -> list[str]:
        """Return the claims that still have devices."""
        held = {_name(claim) for claim, _ in self.results()}
        return [f"claim {claim} still has devices" for claim in sorted(held)]

    def published(self) -> dict[tuple[str, str], JSON]:
        """Return the devices of pools that a scheduler can use, by pool and name."""
        return {
            (pool.name, device["name"]): device
            for pool in readable(self._slices())
            if pool.complete and not pool.problem
            for device in pool.devices
        }

    def results(self) -> Iterator[tuple[JSON, JSON]]:
        """Yield each allocated device with its claim."""
        for claim in self.claim_objects():
            found = (claim.get("status") or {}).get("allocation") or {}
            for result in (found.get("devices") or {}).get("results") or ():
                yield claim, result

    def _allocated(self, published: dict[tuple[str, str], JSON]) -> Iterator[tuple[str, str]]:
        for claim, result in self.results():
            device = published.get((result["pool"], result["device"]))
            if device is not None:
                yield _name(claim), _uuid(device)

    def _slices(self) -> list[JSON]:
        found = self._client.list(KNOWN.slices).items
        return [each for each in found if each["spec"]["driver"] == self._contract.driver_name]

    def _ready_nodes(self) -> int:
        return len({pool for pool, _ in self.published()})


def _name(claim: JSON) -> str:
    return f"{claim['metadata']['namespace']}/{claim['metadata']['name']}"


def _uuid(device: JSON) -> str:
    return str(device["attributes"]["uuid"]["string"])


def _parent(attributes: JSON) -> str | None:
    found = attributes.get("parentUUID")
    return str(found["string"]) if found else None
