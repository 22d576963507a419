"""Removes what classic claims have left, where the API server has structured ones by now.

Without classic claims nobody frees them: our finalizer would keep a claim for ever, and a
NodeAllocationState would tell of devices that nobody allocates there. What a pod still uses stays
until it is gone, so that a control plane that is taken back finds it. Every step may be repeated.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial

from api.claims.versions import CLAIMS, read_claim
from api.claims.view import ClaimView
from api.contract import Contract
from api.errors import MalformedState
from api.nas import NodeAllocationState, parse_nas
from api.objects import ClaimUID
from api.resources import STATES, Resource
from controller.nodes.infos import Heartbeats
from kube.client import Client
from kube.errors import Conflict, KubeError, NotFound
from ops.logs import get_logger

_LOG = get_logger("leftovers")


class Leftovers:
    """Looks for them now and then.

    Claims are listed as long as there is something left only: nobody gives them our finalizer any
    more. Node states are always, since a node that was away brings its own back.
    """

    def __init__(
        self,
        client: Client,
        contract: Contract,
        namespace: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look for leftovers of a driver; its node states are in `namespace`."""
        self._client = client
        self._contract = contract
        self._namespace = namespace
        self._heartbeats = Heartbeats(clock)
        self._finalized = True
        self._unread: set[str] = set()

    def look(self, version: str) -> None:
        """Remove what no pod uses.

        Args:
            version: of resource.k8s.io, in which claims can be read.

        Raises:
            KubeError: something could not be read or written; the next look goes on.
        """
        states = list(self._states())
        if not states and not self._finalized:
            return
        resource = CLAIMS[version]
        claims = [read_claim(raw) for raw in self._client.list(resource).items]
        held = [claim for claim in claims if self._contract.finalizer in claim.finalizers]
        used = {claim.uid for claim in claims if claim.reserved_for}
        # a state does not tell of claims that say themselves what they have
        busy = {claim.node(self._contract.driver_name) for claim in held if claim.uid in used}
        self._finalized = bool(held)
        for state in states:
            self._heartbeats.saw(state.node, state.heartbeat)
        free = [claim for claim in held if claim.uid not in used]
        unused = [each for each in states if each.node not in busy and not in_use(each, used)]
        left = [each for each in unused if not self._serves(each)]
        _all(
            [
                *(partial(self._release, resource, claim) for claim in free),
                *(partial(self._delete, state) for state in left),
            ]
        )

    def _states(self) -> Iterator[NodeAllocationState]:
        try:
            found = self._client.list(STATES, namespace=self._namespace).items
        except NotFound:
            # its definition is not installed
            return
        for obj in found:
            try:
                yield parse_nas(obj, self._contract.device_key)
            except MalformedState as error:
                self._tell(str(error))

    def _serves(self, state: NodeAllocationState) -> bool:
        """Tell whether the plugin that keeps a state is still there, for classic claims."""
        return state.ready and not self._heartbeats.is_silent(state.node)

    def _release(self, resource: Resource, claim: ClaimView) -> None:
        rest = [each for each in claim.finalizers if each != self._contract.finalizer]
        guard = {"resourceVersion": claim.raw["metadata"]["resourceVersion"]}
        patch = {"metadata": {**guard, "finalizers": rest}}
        try:
            self._client.patch(resource, claim.name, patch, namespace=claim.namespace)
        except (Conflict, NotFound):
            return
        _LOG.info("finalizer of classic claims removed", claim=claim.key)

    def _delete(self, state: NodeAllocationState) -> None:
        guard = state.resource_version
        try:
            self._client.delete(STATES, state.node, self._namespace, resource_version=guard)
        except (Conflict, NotFound):
            return
        _LOG.info("NodeAllocationState of classic claims deleted", node=state.node)

    def _tell(self, problem: str) -> None:
        if problem not in self._unread:
            self._unread.add(problem)
            _LOG.warning("NodeAllocationState left alone", err=problem)


def _all(steps: Iterable[Callable[[], None]]) -> None:
    """Do every step, whatever becomes of the others; raise the first failure afterwards."""
    failures = []
    for step in steps:
        try:
            step()
        except KubeError as error:
            failures.append(error)
    if failures:
        raise failures[0]


def in_use(state: NodeAllocationState, used: Collection[ClaimUID]) -> bool:
    """Tell whether a node has devices for a claim that is reserved for somebody."""
    return any(uid in used for uid in (*state.prepared, *state.allocated))
