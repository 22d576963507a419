"""Which choices are the same but for names: devices of a kind, and cards of a kind.

Devices that draw on the same counters belong together, as the parts of a card do; others stand for
themselves. Such groups have the same shape if their devices, in order, are of the same kinds and
draw alike on counters of which the same is left.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from allocation.counters import Counter, consumption
from allocation.inuse import DeviceID
from allocation.kinds import Kind
from allocation.published import Candidate
from allocation.state import State


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Devices that belong together."""

    shape: int
    members: dict[DeviceID, int]
    """What kind of member of the shape each is."""


class Shapes:
    """The shapes of what a node sees; found out when they are first asked for."""

    def __init__(
        self, candidates: Sequence[Candidate], state: State, kind: Callable[[Candidate], Kind]
    ) -> None:
        """Look at devices before anything is taken of them."""
        self._candidates = candidates
        self._state = state
        self._kind = kind
        self._numbers: dict[Hashable, int] = {}
        self._groups: dict[DeviceID, _Group] | None = None

    def choice(self, candidate: Candidate, claim: int) -> Hashable:
        """Return what tells one choice of a device from another."""
        group = self._known()[candidate.id]
        own = self._entries(candidate.id, claim)
        return group.shape, group.members[candidate.id], own, self._taken(group, claim)

    def all_taken(self, claim: int) -> Hashable:
        """Return what tells one state from another in which devices are taken."""
        if not self._state.picks:
            return ()
        groups = {id(g): g for g in (self._known()[p.candidate.id] for p in self._state.picks)}
        return tuple(sorted((g.shape, self._taken(g, claim)) for g in groups.values()))

    def _taken(self, group: _Group, claim: int) -> tuple[tuple[int, tuple[Hashable, ...]], ...]:
        by_device = self._state.by_device
        used = [(m, d) for d, m in group.members.items() if by_device.get(d)]
        return tuple(sorted((member, self._entries(d, claim)) for member, d in used))

    def _entries(self, device: DeviceID, claim: int) -> tuple[tuple[bool, tuple[object, ...]], ...]:
        return tuple(
            (each.claim == claim, () if each.share is None else tuple(sorted(each.share.items())))
            for each in self._state.by_device.get(device, ())
        )

    def _known(self) -> dict[DeviceID, _Group]:
        if self._groups is None:
            self._groups = {}
            for members in _together(self._candidates):
                group = self._group(members)
                self._groups.update(dict.fromkeys((each.id for each in members), group))
        return self._groups

    def _group(self, members: Sequence[Candidate]) -> _Group:
        sets: dict[Counter, int] = {}
        drawing = [self._member(each, sets) for each in members]
        first = self._state.at_first(members[0])
        left = tuple(str(first.get(each)) for each in sets)
        numbers = [self._number(each) for each in drawing]
        kinds = {each.id: number for each, number in zip(members, numbers, strict=True)}
        return _Group(self._number((tuple(numbers), left)), kinds)

    def _member(self, candidate: Candidate, sets: dict[Counter, int]) -> Hashable:
        drawn = tuple(
            (sets.setdefault(counter, len(sets)), amount)
            for counter, amount in sorted(consumption(candidate.device))
        )
        if not drawn:
            return self._kind(candidate).number, self._state.standing(candidate)
        return (
            self._kind(candidate).apart_from_counters,
            drawn,
            self._state.standing(candidate),
            self._state.overbooked(candidate) is not None,
        )

    def _number(self, thing: Hashable) -> int:
        return self._numbers.setdefault(thing, len(self._numbers))


def _together(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Return devices grouped by the counter sets that they share, directly or not."""
    groups: dict[Hashable, list[Candidate]] = {}
    of_set: dict[Hashable, Hashable] = {}
    for candidate in candidates:
        sets = [
            (*candidate.pool.id, each["counterSet"])
            for each in candidate.device.get("consumesCounters") or ()
        ]
        known = list(dict.fromkeys(of_set[each] for each in sets if each in of_set))
        key: Hashable = known[0] if known else candidate.id
        for other in known[1:]:
            groups[key] = groups.get(key, []) + groups.pop(other)
            of_set.update({each: key for each, of in of_set.items() if of == other})
        groups.setdefault(key, []).append(candidate)
        of_set.update(dict.fromkeys(sets, key))
    return list(groups.values())
