"""Writes of `allocatedClaims`: one for everybody who wants something of a node at the same time.

Whoever comes while a write to the node's NAS is under way puts its edit down and waits for the lock
of the node. The next one to get it writes all edits that are there, each on top of the former; the
others find theirs done. An edit that is alone is written at once; but for those that were announced
for the node, since their claims are being marked as ours, a write waits a moment. An edit is a
value, and what becomes of a state by it is decided without side effects.

A write carries the resourceVersion of the state that all its edits were applied to, so the API
server refuses it when anybody else was faster.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, Generic, Protocol, TypeVar, cast

from api.claims.view import ClaimView
from api.errors import DriverError
from api.nas import AllocatedClaim, NodeAllocationState, allocated_patch
from api.nasvalues import Allocated
from api.objects import ClaimUID, NodeName
from api.resources import Resource
from controller.decide.allocator import DeviceRequest, Plan, Refusal
from controller.decide.nodeview import NodeView, view_of
from controller.errors import NodeUnavailable, StaleWorld
from controller.nodes.fence import Fence
from controller.nodes.infos import NodeInfos
from controller.nodes.records import Records
from kube.errors import Conflict, NotFound
from kube.keylocks import KeyLocks
from ops.pruning import Api

NAS_ATTEMPTS: Final = 5

ARRIVAL_SECONDS: Final = 0.05
"""How long a write waits for edits that were announced; some writes of claims take as long."""

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Applied(Generic[R_co]):
    """What becomes of a node's state by an edit.

    Attributes:
        allocated: what ought to be allocated there; None leaves everything as it is.
        result: for who wanted the edit.
    """

    allocated: Allocated | None
    result: R_co


class Edit(Protocol[R_co]):
    """Something that is wanted of a node."""

    def apply(self, state: NodeAllocationState | None) -> Applied[R_co]:
        """Return what becomes of a state, None if the node has none; without side effects.

        It is asked anew for each attempt to write, perhaps by another thread; its last answer is
        the one that counts.

        Raises:
            DriverError: the edit cannot be applied.
        """


@dataclass(frozen=True, slots=True)
class Allocate:
    """Give claims the devices that they ask for, all or nothing.

    Attributes:
        claims: by uid.
        requests: of these claims.
        view: of the node as it was known; it serves as long as the state is the same.
    """

    claims: Mapping[ClaimUID, ClaimView]
    requests: Sequence[DeviceRequest]
    view: NodeView

    def apply(self, state: NodeAllocationState | None) -> Applied[Plan | Refusal]:
        """Plan anew on this state; what a claim has there already it keeps."""
        view = self.view if self.view.state is state else view_of(state)
        planned = view if isinstance(view, Refusal) else view.plan(self.requests)
        if state is None or isinstance(planned, Refusal):
            return Applied(None, planned)
        given = {
            uid: state.holders.get(uid)
            or AllocatedClaim(devices, self.claims[uid].namespace, self.claims[uid].name)
            for uid, devices in planned.items()
        }
        return Applied({**state.allocated, **given}, planned)


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take the devices of a claim back.

    Attributes:
        claim: whose.
        still: asked once no allocation on the node can be under way; False calls it off.
    """

    claim: ClaimUID
    still: Callable[[], bool] = lambda: True

    def apply(self, state: NodeAllocationState | None) -> Applied[bool]:
        """Tell whether there was something to take back."""
        if state is None or self.claim not in state.allocated or not self.still():
            return Applied(None, False)
        left = {uid: given for uid, given in state.allocated.items() if uid != self.claim}
        return Applied(left, True)


@dataclass(frozen=True, slots=True)
class Enter:
    """Give a claim devices again.

    Attributes:
        claim: that has none there.
        entry: what to enter in a state, decided on nothing newer or older; None calls it off.
    """

    claim: ClaimUID
    entry: Callable[[NodeAllocationState], AllocatedClaim | None]

    def apply(self, state: NodeAllocationState | None) -> Applied[bool]:
        """Tell whether something was entered."""
        absent = state is not None and self.claim not in state.holders
        given = self.entry(state) if state is not None and absent else None
        if state is None or given is None:
            return Applied(None, False)
        return Applied({**state.allocated, self.claim: given}, True)


@dataclass(frozen=True, slots=True)
class Tidy:
    """Leave in the NAS of a node what has to stand there."""

    def apply(self, _state: NodeAllocationState | None) -> Applied[None]:
        """Change nothing of who has which devices."""
        return Applied(None, None)


@dataclass(slots=True, eq=False)
class _Waiting:
    """An edit, and its result once it is written or has nothing to write."""

    edit: Edit[object]
    result: object = None
    settled: bool = False


class _Arrivals:
    """Who is on the way to which node; thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._expected: defaultdict[NodeName, set[object]] = defaultdict(set)

    def expect(self, node: NodeName, who: object) -> None:
        with self._changed:
            self._expected[node].add(who)

    def arrived(self, node: NodeName, who: object) -> None:
        """Expect somebody no longer, who has come or does not come at all."""
        with self._changed:
            self._expected[node].discard(who)
            if not self._expected[node]:
                del self._expected[node]
            self._changed.notify_all()

    def wait(self, node: NodeName, seconds: float) -> None:
        """Wait for all that are on the way now, but no longer than for some seconds."""
        with self._changed:
            present = set(self._expected.get(node, ()))
            self._changed.wait_for(
                lambda: present.isdisjoint(self._expected.get(node, ())), seconds
            )


class NodeCommits:
    """Thread-safe.

    Attributes:
        records: what has to stand in a NAS, and what in claims.
    """

    def __init__(
        self,
        client: Api,
        states: Resource,
        device_key: str,
        infos: NodeInfos,
        records: Records,
        fence: Fence,
    ) -> None:
        """Write `states`, the NAS objects of the nodes in `infos`, and feed the answers to it.

        Args:
            client: the API server.
            states: NodeAllocationState.
            device_key: of the driver.
            infos: the nodes.
            records: what has to stand in a NAS.
            fence: what has to be known before one is written.
        """
        self.records = records
        self._client = client
        self._states = states
        self._device_key = device_key
        self._infos = infos
        self._fence = fence
        self._guard = threading.Lock()
        self._locks = KeyLocks[NodeName]()
        self._waiting: dict[NodeName, list[_Waiting]] = {}
        self._arrivals = _Arrivals()

    @contextmanager
    def announced(self, node: NodeName) -> Iterator[object]:
        """Have others wait a moment for an edit of this node, which is committed in the context.

        Gives what `commit` is to be told, so that they know that it has come.
        """
        who = object()
        self._arrivals.expect(node, who)
        try:
            yield who
        finally:
            self._arrivals.arrived(node, who)

    def commit(self, node: NodeName, edit: Edit[R], announced: object = None) -> R:
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
        self._arrivals.arrived(node, announced)
        with self._locks.holding([node]):
            if not mine.settled:
                self._arrivals.wait(node, ARRIVAL_SECONDS)
                self._settle(node, mine)
        return cast(R, mine.result)

    def _settle(self, node: NodeName, mine: _Waiting) -> None:
        """Write an edit with all that wait; it may have been in another's attempt that failed."""
        with self._guard:
            others = [each for each in self._waiting.pop(node, []) if each is not mine]
        for _ in range(NAS_ATTEMPTS):
            state = self._newest(node)
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

    def _newest(self, node: NodeName) -> NodeAllocationState | None:
        """Return the state of a node, with all claims that had devices of it when it was written.

        What is not behind was so before the claims are read that come with it.
        """
        for _ in range(NAS_ATTEMPTS):
            before = self._infos.state(node)
            if before is not None and self._is_behind(before):
                self._fence.catch_up(before, self._infos.written_by)
                continue
            state = self._infos.state(node)
            if state is None or (before is not None and state.written == before.written):
                return state
        raise StaleWorld(f"{node} was written by others {NAS_ATTEMPTS} times in a row")

    def _is_behind(self, state: NodeAllocationState) -> bool:
        told = bool(state.writer) or self.records.needs_writer(state)
        return told and self._fence.is_behind(state)

    def _store(self, state: NodeAllocationState, wanted: Allocated) -> bool:
        """Write `allocatedClaims`; False when somebody was faster and the NAS was read again."""
        allocated = self.records.kept(state, wanted)
        if allocated == state.allocated:
            return True
        writer = self._fence.next_writer() if self.records.needs_writer(state) else ""
        patch = allocated_patch(state, allocated, self._device_key, writer)
        try:
            self._infos.written(
                self._client.patch(self._states, state.node, patch, namespace=state.namespace)
            )
        except Conflict:
            self._infos.written(self._client.get(self._states, state.node, state.namespace))
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
