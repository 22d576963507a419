"""One look at the whole cluster, as values.

Node states are read before claims: an allocation that is written in between has its claim in the
list, and one that is taken back in between is seen with its claim as it is then.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from api.claims import Claim
from api.errors import DriverError, MalformedState
from api.invariants import ClaimFacts, Fault, NodeFiles, Violation, check, check_files
from api.names import RESOURCE_GROUP
from api.nas import NodeAllocationState, parse_nas
from api.objects import ClaimUID, NodeName
from controller.caches import STATES
from controller.wiring import VERSIONS
from kube.client import ListPage
from kube.resources import Resource


class UnsupportedCluster(DriverError):
    """The API server has no classic claims, so that there is nothing to look over."""


class Reader(Protocol):
    """What is needed of kube.client.Client."""

    def versions(self, group: str) -> list[str]:
        """Return the served versions of an API group."""

    def list(self, resource: Resource, *, namespace: str | None = None) -> ListPage:
        """Return all objects of a collection."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen.

    Attributes:
        states: of the nodes, by name.
        claims: by uid.
        violations: sorted.
    """

    states: Mapping[NodeName, NodeAllocationState]
    claims: Mapping[ClaimUID, Claim]
    violations: tuple[Violation, ...]


def claims_resource(client: Reader) -> Resource:
    """Return ResourceClaim in the version that the API server has.

    Raises:
        UnsupportedCluster: it has none with classic claims.
        KubeError: it did not answer.
    """
    served = client.versions(RESOURCE_GROUP)
    for version, known in VERSIONS.items():
        if version in served:
            return known.resources.claims
    raise UnsupportedCluster(
        f"the API server serves {RESOURCE_GROUP} in {', '.join(served) or 'no version'}; this "
        f"driver knows {' and '.join(VERSIONS)} (Kubernetes 1.27 to 1.31)"
    )


def look(
    client: Reader,
    claims: Resource,
    namespace: str,
    files: Mapping[NodeName, NodeFiles],
) -> Look:
    """Look at all node states, all claims, and the files of some nodes.

    Args:
        client: the API server.
        claims: from `claims_resource`.
        namespace: of the node states.
        files: what was read, by node.

    Raises:
        KubeError: something could not be listed.
    """
    states: dict[NodeName, NodeAllocationState] = {}
    malformed = []
    for obj in client.list(STATES, namespace=namespace).items:
        node = NodeName(obj["metadata"]["name"])
        try:
            states[node] = parse_nas(obj)
        except MalformedState as error:
            what, _, remedy = str(error).rpartition("; ")
            malformed.append(Violation(Fault.MALFORMED, node, ClaimUID(""), what, remedy))
    by_uid = {claim.uid: claim for claim in map(Claim, client.list(claims).items)}
    unread = {violation.node for violation in malformed}
    found = [
        violation
        for violation in check(states.values(), [ClaimFacts.of(c.raw) for c in by_uid.values()])
        if violation.node not in unread
    ]
    on_disk = [v for node, read in files.items() for v in _on_disk(node, states, read)]
    return Look(states, by_uid, tuple(sorted([*malformed, *found, *on_disk])))


def _on_disk(
    node: NodeName, states: Mapping[NodeName, NodeAllocationState], files: NodeFiles
) -> list[Violation]:
    return check_files(states.get(node) or NodeAllocationState(node, ""), files)
