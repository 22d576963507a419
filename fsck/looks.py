"""One look at the whole cluster, as values.

Node states are read before claims: an allocation that is written in between has its claim in the
list, and one that is taken back in between is seen with its claim as it is then.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from api.claims.versions import CLAIMS, CLASSIC, STRUCTURED, choose, read_claim
from api.claims.view import ClaimView
from api.contract import Contract
from api.errors import DriverError, MalformedState, UnsupportedVersion
from api.handles import all_with_claims
from api.invariants import Fault, NodeFiles, Violation, check, check_files
from api.names import RESOURCE_GROUP
from api.nas import NodeAllocationState, parse_nas
from api.objects import JSON, ClaimUID, NodeName
from api.resources import NODES, STATES, STRUCTURED_VERSIONS, Resource
from api.structuredinvariants import check_structured, offered_devices
from fsck.report import named
from kube.client import ListPage
from kube.errors import Forbidden, NotFound

DEFINE: Final = "kubectl apply -f deploy/helm/fake-dra-driver/crds"


class UnsupportedCluster(DriverError):
    """The API server has no claims, so that there is nothing to look over."""


class NothingFound(DriverError):
    """The driver has published nothing, and there are no claims of it."""


class Discovery(Protocol):
    """What `claims_resource` needs of kube.client.Client."""

    def versions(self, group: str) -> list[str]:
        """Return the served versions of an API group."""


class Reader(Discovery, Protocol):
    """What is needed of kube.client.Client."""

    @property
    def url(self) -> str:
        """Where the API server is."""

    def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        field_selector: str | None = None,
    ) -> ListPage:
        """Return all objects of a collection."""

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> JSON:
        """Return one object; NotFound if there is none."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen.

    Attributes:
        states: of the nodes, by name; without those that cannot be read.
        claims: by uid.
        files: of some nodes, by name.
        violations: sorted.
        nodes: how many nodes have published something: node states, or ResourceSlices.
        ours: how many claims are allocated by this driver, or have its finalizer.
    """

    states: Mapping[NodeName, NodeAllocationState]
    claims: Mapping[ClaimUID, ClaimView]
    files: Mapping[NodeName, NodeFiles]
    violations: tuple[Violation, ...]
    nodes: int
    ours: int


def claims_resource(client: Discovery) -> Resource:
    """Return ResourceClaim in the version that the API server has, of either kind.

    Raises:
        UnsupportedCluster: it has none.
        KubeError: it did not answer.
    """
    try:
        return CLAIMS[choose(client.versions(RESOURCE_GROUP), (*CLASSIC, *STRUCTURED))]
    except UnsupportedVersion as error:
        raise UnsupportedCluster(str(error)) from error


def look(
    client: Reader,
    claims: Resource,
    namespace: str,
    files: Mapping[NodeName, NodeFiles],
    contract: Contract,
) -> Look:
    """Look at all node states, all claims, and the files of some nodes.

    Args:
        client: the API server.
        claims: from `claims_resource`.
        namespace: of the node states; empty if there are none.
        files: what was read, by node.
        contract: of the driver.

    Raises:
        NothingFound: there is nothing to look at, or no state to compare files with.
        KubeError: something could not be listed.
    """
    states, malformed = _states(client, namespace, contract.device_key)
    by_uid = {claim.uid: claim for claim in map(read_claim, client.list(claims).items)}
    known = all_with_claims(states.values(), by_uid.values(), contract)
    states = {each.node: each for each in known}
    ours = sum(claim.held_by(contract) for claim in by_uid.values())
    unread = {violation.node for violation in malformed}
    nodes = {*states, *unread}
    on_disk = [v for node, read in files.items() for v in _on_disk(node, states, read)]
    if claims.version in CLASSIC:
        _check_found(client, namespace, nodes, ours)
        _check_comparable(client, namespace, nodes, files)
        found = _classic(client, states, by_uid, contract, nodes)
        found = [*malformed, *(v for v in found if v.node not in unread)]
    else:
        slices = _slices(client, claims.version, contract)
        found = check_structured(offered_devices(slices), nodes, by_uid.values(), contract)
        nodes |= {NodeName(each["spec"]["pool"]["name"]) for each in slices}
        _check_published(client, nodes, ours)
    violations = tuple(sorted([*found, *on_disk]))
    return Look(states, by_uid, files, violations, len(nodes), ours)


def _classic(
    client: Reader,
    states: Mapping[NodeName, NodeAllocationState],
    claims: Mapping[ClaimUID, ClaimView],
    contract: Contract,
    nodes: Collection[NodeName],
) -> list[Violation]:
    used = {claim.node(contract.driver_name) for claim in claims.values()}
    stateless = {node for node in used if node} - {*nodes}
    gone = [node for node in stateless if _is_gone(client, node)]
    return check(states.values(), claims.values(), contract, gone)


def _slices(client: Reader, version: str, contract: Contract) -> list[JSON]:
    selector = f"spec.driver={contract.driver_name}"
    return client.list(STRUCTURED_VERSIONS[version].slices, field_selector=selector).items


def _states(
    client: Reader, namespace: str, key: str
) -> tuple[dict[NodeName, NodeAllocationState], list[Violation]]:
    states: dict[NodeName, NodeAllocationState] = {}
    malformed = []
    for obj in client.list(STATES, namespace=namespace).items if namespace else []:
        node = NodeName(obj["metadata"]["name"])
        try:
            states[node] = parse_nas(obj, key)
        except MalformedState as error:
            what, _, remedy = str(error).rpartition("; ")
            malformed.append(Violation(Fault.MALFORMED, node, ClaimUID(""), what, remedy))
    return states, malformed


def _check_found(client: Reader, namespace: str, nodes: Collection[NodeName], ours: int) -> None:
    if nodes or ours:
        return
    if not client.versions(STATES.group):
        raise NothingFound(
            f"{client.url} does not know NodeAllocationStates, so nothing to look at; see that "
            "--kubeconfig names the cluster of the driver, and install its definitions with "
            f"{DEFINE}"
        )
    raise NothingFound(
        f"there is no NodeAllocationState in {_place(client, namespace)} and no claim of this "
        "driver, so nothing to look at; see that --kubeconfig names the cluster of the "
        "driver, and that its kubelet plugins run"
    )


def _check_published(client: Reader, nodes: Collection[NodeName], ours: int) -> None:
    if not (nodes or ours):
        raise NothingFound(
            f"{client.url} has no ResourceSlice and no claim of this driver, so nothing to look "
            "at; see that --kubeconfig names the cluster of the driver, that --driver-name is its "
            "name, and that its kubelet plugins run"
        )


def _check_comparable(
    client: Reader, namespace: str, nodes: Collection[NodeName], files: Iterable[NodeName]
) -> None:
    for node in set(files) - set(nodes):
        raise NothingFound(
            f"node {node} has no NodeAllocationState in {_place(client, namespace)} to compare its "
            f"files with, only {named(nodes) or 'claims'}; give the --node-name that kubectl get "
            "nodes shows, or leave --node-files out"
        )


def _place(client: Reader, namespace: str) -> str:
    return f"{f'namespace {namespace}' if namespace else 'any namespace'} of {client.url}"


def _is_gone(client: Reader, node: NodeName) -> bool:
    """Tell whether a Node is known not to exist."""
    try:
        client.get(NODES, node)
    except NotFound:
        return True
    except Forbidden:
        return False
    return False


def _on_disk(
    node: NodeName, states: Mapping[NodeName, NodeAllocationState], files: NodeFiles
) -> list[Violation]:
    # a state that cannot be read is told already, and says nothing about files
    unread = NodeAllocationState(node, "", prepared=files.checkpoint or {})
    return check_files(states.get(node, unread), files)
