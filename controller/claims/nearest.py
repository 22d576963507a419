"""The nearest miss in words, with the claims that are in the way as the cache has them."""

from collections.abc import Iterable, Sequence

from api.nas import AllocatedClaim
from api.objects import JSON, ClaimUID, NodeName, object_key, uid_of
from controller.decide.allocator import DeviceRequest
from controller.nodes.infos import NodeInfos
from kube.store import Store


def nearest_miss(
    infos: NodeInfos,
    claims: Store,
    nodes: Iterable[NodeName],
    requests: Sequence[DeviceRequest],
    owner: str,
) -> str:
    """Return which node lacks least, and who holds that; empty if none would ever serve.

    Args:
        infos: of all nodes.
        claims: cache of all claims.
        nodes: that don't serve the requests.
        requests: of one pod.
        owner: uid of that pod.
    """

    def claim_of(uid: ClaimUID, entry: AllocatedClaim) -> JSON | None:
        found = claims.get(object_key(entry.namespace, entry.name)) if entry.name else None
        return found if found is not None and uid_of(found) == uid else None

    found = infos.nearest(nodes, requests, owner)
    return found.told(claim_of) if found is not None else ""
