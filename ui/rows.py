"""The rows of the page: nodes, and whatever else devices can be reached from."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from allocation.inuse import DeviceID
from allocation.pools import Placed, Pool, readable
from allocation.taints import with_rules
from api.claims.versions import read_claim
from api.contract import Contract
from api.errors import MalformedState
from api.handles import with_claims
from api.nas import NodeAllocationState, parse_nas
from api.objects import JSON, Key, key_of
from explain.holders import holders
from explain.places import where
from ui import classic, entries
from ui.caches import CLAIM, NODE, POOL, Caches
from ui.cards import Holding, cards, groups
from ui.entries import ClaimState


class Rows:
    """Remembers the pools that it has drawn; for one thread, but for what says otherwise."""

    def __init__(self, caches: Caches, contract: Contract) -> None:
        """Draw what is in caches; `contract` is of the driver of NodeAllocationStates."""
        self._caches = caches
        self._contract = contract
        self._pools: dict[str, Mapping[str, JSON]] = {}
        self._at: dict[str, set[str]] = {}

    def draw(self, key: str) -> Collection[str]:
        """Draw a pool, `driver/name`, anew; return the rows where it was and is."""
        before = self._pools.pop(key, {})
        pool = self.pool(key)
        now = self._drawn(key, pool) if pool else {}
        if now:
            self._pools[key] = now
        for row in before.keys() - now.keys():
            self._at[row].discard(key)
        for row in now:
            self._at.setdefault(row, set()).add(key)
        return before.keys() | now.keys()

    def entry(self, name: str) -> JSON | None:
        """Return a row, None if there is no such any more."""
        node = self._caches.nodes.get(Key(name))
        pools = [self._pools[key][name] for key in sorted(self._at.get(name, ()))]
        notes: list[str] = []
        for state in self.states(name):
            if isinstance(state, str):
                notes.append(state)
            else:
                pools.append(self._of_state(state))
                notes += classic.notes(state, local=self._caches.local)
        if node is None and not pools and not notes:
            return None
        return entries.node_entry(node, pools, notes)

    def pool(self, key: str) -> Pool | None:
        """Return a pool as it is published, with the taints of rules; from any thread."""
        slices = self._caches.slices.by_index(POOL, key)
        found = readable(with_rules(slices, self._caches.rules.list()))
        return found[0] if found else None

    def holding(self, pool: Pool) -> Holding:
        """Return who holds the devices of a pool; from any thread."""
        claims = self._caches.claims.by_index(POOL, "/".join(pool.id))
        left: set[str] = set()
        ill: set[DeviceID] = set()
        for claim in claims:
            pods = self._caches.pods.by_index(CLAIM, key_of(claim))
            if entries.claim_state(claim, pods) is ClaimState.LEFT:
                left.add(key_of(claim))
            ill.update(entries.failing(claim))
            ill.update(device for pod in pods for device in entries.unhealthy(pod, claim))
        return Holding(holders(claims), left, ill)

    def states(self, node: str) -> Iterator[NodeAllocationState | str]:
        """Yield the NodeAllocationStates of a node, or why one can't be read; from any thread."""
        for raw in self._caches.states.by_index(NODE, node):
            try:
                state = parse_nas(raw, self._contract.device_key)
                there = map(read_claim, self._caches.claims.by_index(NODE, node))
                yield classic.named(with_claims(state, there, self._contract), self._caches.claims)
            except MalformedState as error:
                yield str(error)

    def _drawn(self, key: str, pool: Pool) -> Mapping[str, JSON]:
        """Return a pool by its rows."""
        if pool.problem:
            specs = [each["spec"] for each in self._caches.slices.by_index(POOL, key)]
            names = {each.get("nodeName") or f"pool {pool.name}" for each in specs}
            return dict.fromkeys(names, entries.pool_entry(*pool.id, pool.problem, ()))
        rows: dict[str, dict[str, Sequence[Placed]]] = {}
        for name, placed in groups(pool).items():
            rows.setdefault(where(pool, placed[0]), {})[name] = placed
        holding = self.holding(pool)
        return {
            row: entries.pool_entry(*pool.id, "", cards(pool, found, holding))
            for row, found in rows.items()
        }

    def _of_state(self, state: NodeAllocationState) -> JSON:
        claims = {each.claim for held in classic.holders(state).values() for each in held}
        drawn = classic.cards(state, {each for each in claims if self._is_left(each)})
        return entries.pool_entry(self._contract.driver_name, state.node, "", drawn)

    def _is_left(self, key: str) -> bool:
        claim = self._caches.claims.get(Key(key))
        pods = self._caches.pods.by_index(CLAIM, key)
        return claim is None or entries.claim_state(claim, pods) is ClaimState.LEFT
