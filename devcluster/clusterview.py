"""What the scheduler knows of the cluster, as values for one attempt at a pod.

Reads the watch caches, and adds the pods that were just bound: the watch tells of them a little
later, and until then they must neither be scheduled again nor be missing in the count of a node.
Source: kubernetes pkg/scheduler/backend/cache ("assumed" pods).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from api.nodefit import NodeView
from api.noderoom import lacking, taken
from api.objects import JSON, Key, NodeName, uid_of
from api.pods import Pod
from api.resources import NODES, PODS, Resource
from devcluster.caches import Caches
from devcluster.claimapi import ClaimApi
from devcluster.claimsview import ClaimsView
from devcluster.podclaims import claim_keys, is_finished, node_of, usable_claims
from devcluster.schedulingcycle import Attempt
from kube.cache import Indexer

SCHEDULER_NAME: Final = "default-scheduler"

_WAITING: Final = "waiting"
_BY_CLAIM: Final = "claim"
_BY_NODE: Final = "node"


def wants_node(pod: Pod) -> bool:
    """Tell whether the scheduler has to find a node for a pod."""
    spec = pod.raw.get("spec") or {}
    foreign = spec.get("schedulerName", SCHEDULER_NAME) != SCHEDULER_NAME
    idle = foreign or spec.get("schedulingGates") or node_of(pod)
    return not idle and not is_finished(pod)


def _waiting(pod: JSON) -> Iterable[str]:
    return ("",) if wants_node(Pod(pod)) else ()


def _by_claim(pod: JSON) -> Iterable[str]:
    return claim_keys(Pod(pod)) if wants_node(Pod(pod)) else ()


def _by_node(pod: JSON) -> Iterable[str]:
    return (node_of(Pod(pod)),) if node_of(Pod(pod)) and not is_finished(Pod(pod)) else ()


INDEXERS: Final[Mapping[Resource, Mapping[str, Indexer]]] = {
    PODS: {_WAITING: _waiting, _BY_CLAIM: _by_claim, _BY_NODE: _by_node},
    NODES: {},
}
"""What the scheduler caches besides claims, and by what it looks it up."""


class ClusterView:
    """Answers the scheduler's questions from caches that were made with INDEXERS."""

    def __init__(self, caches: Caches, known: ClaimApi, claims: ClaimsView) -> None:
        """Look into `caches`; no pod is assumed to be bound.

        Args:
            caches: of the scheduler.
            known: the resources that the API server has.
            claims: finds what matters about claims.
        """
        self._caches = caches
        self._claims = caches[known.claims]
        self._of_claims = claims
        self._assumed: dict[str, tuple[Pod, NodeName]] = {}

    def waiting(self, key: Key) -> Pod | None:
        """Return the pod of a key if it waits for a node."""
        raw = self._caches[PODS].get(key)
        pod = Pod(raw) if raw is not None else None
        if pod is None or pod.uid in self._assumed or not wants_node(pod):
            return None
        return pod

    def all_waiting(self) -> list[Pod]:
        """Return every pod that waits for a node."""
        return [Pod(raw) for raw in self._caches[PODS].by_index(_WAITING, "")]

    def waiting_for(self, claim: Key) -> list[Pod]:
        """Return the pods that wait for a node and use a claim."""
        return [Pod(raw) for raw in self._caches[PODS].by_index(_BY_CLAIM, claim)]

    def attempt_at(self, pod: Pod) -> Attempt | str:
        """Return all that matters for an attempt at a pod, or why there can be none yet."""
        claims = usable_claims(pod, self._claims.get)
        found = claims if isinstance(claims, str) else self._of_claims.claims_of(pod, claims)
        if isinstance(found, str):
            return found
        nodes = sorted(self._caches[NODES].list(), key=lambda node: str(node["metadata"]["name"]))
        views = tuple(NodeView.parse(node) for node in nodes)
        placed = self._placed(views)
        pods_on = Counter(each["spec"]["nodeName"] for each in placed)
        return Attempt(pod, found, views, pods_on, dict(_lacking(pod, nodes, placed)))

    def assume(self, pod: Pod, node: NodeName) -> None:
        """Take a pod for bound from now on."""
        self._assumed[pod.uid] = (pod, node)

    def forget(self, uid: str) -> None:
        """Believe the cache again about a pod: it is up to date, or binding failed."""
        self._assumed.pop(uid, None)

    def _placed(self, nodes: Iterable[NodeView]) -> list[JSON]:
        """Return the pods that are on nodes, or assumed to be."""
        found = [pod for n in nodes for pod in self._caches[PODS].by_index(_BY_NODE, n.name)]
        known = {uid_of(pod) for pod in found}
        assumed = [(pod, node) for pod, node in self._assumed.values() if pod.uid not in known]
        return [*found, *(_with_node(pod, node) for pod, node in assumed)]


def _lacking(
    pod: Pod, nodes: Iterable[JSON], placed: Iterable[JSON]
) -> Iterator[tuple[NodeName, list[str]]]:
    used = taken(placed)
    for node in nodes:
        name = NodeName(node["metadata"]["name"])
        yield name, list(lacking(pod.raw, node, used.get(name, {})))


def _with_node(pod: Pod, node: NodeName) -> JSON:
    """Return a pod as it is once it is bound."""
    return {**pod.raw, "spec": {**pod.raw["spec"], "nodeName": node}}
