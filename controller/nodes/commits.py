"""Writes of `allocatedClaims`: one for everybody who wants something of a node at the same time.

Whoever comes while a write to the node's NAS is under way puts its edit down and waits for the lock
of the node. The next one to get it writes all edits that are there, each on top of the former; the
others find theirs done. Nobody waits longer than for the lock, and an edit that is alone is written
at once. Used by controller.claims.writer.

A write carries the resourceVersion of the state that all its edits were applied to, so the API
server refuses it when anybody else was faster.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar, cast

from api.errors import DriverError
from api.nas import NodeAllocationState, allocated_patch
from api.nasvalues import Allocated
from api.objects import JSON, NodeName
from api.resources import Resource
from controller.errors import NodeUnavailable, StaleWorld
from controller.nodes.edits import Applied, Edit
from controller.nodes.ledger import Ledger
from kube.calls import Patch
from kube.errors import Conflict, NotFound
from kube.keylocks import KeyLocks

NAS_ATTEMPTS: Final = 5

R = TypeVar("R")


@dataclass(slots=True, eq=False)
class _Waiting:
    """An edit, and its result once it is written or has nothing to write."""

    edit: Edit[object]
    result: object = None
    settled: bool = False


class StateClient(Protocol):
    """What is needed of kube.client.Client."""

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> JSON:
        """Read an object."""

    def patch(
        self, resource: Resource, name: str, patch: Patch, *, namespace: str | None = None
    ) -> JSON:
        """Apply a merge patch, or a JSON patch if it is a list."""


class NodeCommits:
    """Thread-safe."""

    def __init__(
        self, client: StateClient, states: Resource, device_key: str, ledger: Ledger
    ) -> None:
        """Write `states`, the NAS objects of the nodes in `ledger`, and feed the answers to it."""
        self._client = client
        self._states = states
        self._device_key = device_key
        self._ledger = ledger
        self._guard = threading.Lock()
        self._locks = KeyLocks[NodeName]()
        self._waiting: dict[NodeName, list[_Waiting]] = {}

    def commit(self, node: NodeName, edit: Edit[R]) -> R:
        """Write what an edit makes of a node's newest state, and return the result.

        An error tells only that this edit may not have been written; the next attempt applies it
        again, and then it sees what is there. Others who waited go on by themselves.

        Raises:
            StaleWorld: others write the NAS all the time.
            MalformedState: the NAS cannot be read; somebody has to mend it.
            KubeError: it could not be written.
        """
        mine = _Waiting(edit)
        with self._guard:
            self._waiting.setdefault(node, []).append(mine)
        with self._locks.holding([node]):
            if not mine.settled:
                self._settle(node, mine)
        return cast(R, mine.result)

    def _settle(self, node: NodeName, mine: _Waiting) -> None:
        """Write an edit with all that wait; it may have been in another's attempt that failed."""
        with self._guard:
            others = [each for each in self._waiting.pop(node, []) if each is not mine]
        for _ in range(NAS_ATTEMPTS):
            state = self._ledger.state(node)
            applied = mine.edit.apply(state)
            mine.result = applied.result
            if state is None:
                return
            merged, served = _merged(state, applied, others)
            if self._store(state, merged):
                for each in served:
                    each.settled = True
                return
        raise StaleWorld(f"{node} was written by others {NAS_ATTEMPTS} times in a row")

    def _store(self, state: NodeAllocationState, allocated: Allocated) -> bool:
        """Write `allocatedClaims`; False when somebody was faster and the NAS was read again."""
        if allocated == state.allocated:
            return True
        patch = allocated_patch(state, allocated, self._device_key)
        try:
            self._ledger.written(
                self._client.patch(self._states, state.node, patch, namespace=state.namespace)
            )
        except Conflict:
            self._ledger.written(self._client.get(self._states, state.node, state.namespace))
            return False
        except NotFound as error:
            raise NodeUnavailable(f"NodeAllocationState of node {state.node} is gone") from error
        return True


def _merged(
    state: NodeAllocationState, first: Applied[object], others: Iterable[_Waiting]
) -> tuple[Allocated, list[_Waiting]]:
    """Return what is allocated after all edits, and those that could be applied.

    One that fails is left to its owner, who applies it again and gets the error.
    """
    allocated = state.allocated if first.allocated is None else first.allocated
    served = []
    for each in others:
        try:
            applied = each.edit.apply(replace(state, allocated=allocated))
        except DriverError:
            continue
        allocated = allocated if applied.allocated is None else applied.allocated
        each.result = applied.result
        served.append(each)
    return allocated, served
