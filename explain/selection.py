"""Which devices selectors select, and where: of a class, or to be tried."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from allocation.inuse import DeviceID
from allocation.kinds import Kind, kind
from allocation.pools import readable
from allocation.selectors import Selected, Selectors
from api.objects import JSON
from api.texts import counted, listed
from explain.availability import Availability
from explain.diagnosis import Offer, Overview
from explain.places import where
from explain.requested import of_class
from explain.seen import Seen
from explain.terms import terms

_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class _Device:
    """A device of the cluster.

    Attributes:
        where: it can be reached.
        taken: whether nobody can have it now who tolerates nothing.
        kind: of devices that the expressions can't tell apart.
    """

    id: DeviceID
    where: str
    taken: bool
    kind: Kind

    @property
    def name(self) -> str:
        """As Kubernetes names it."""
        return "/".join(self.id)


@dataclass(frozen=True, slots=True)
class _Looked:
    """A device, and what was said of it."""

    device: _Device
    selected: Selected


def explain_class(raw: JSON, seen: Seen, selectors: Selectors) -> Overview:
    """Say which devices a DeviceClass selects."""
    subject = f"class {raw['metadata']['name']}"
    expressions = of_class(raw)
    devices = _devices(expressions, seen, selectors)
    found = _overview(subject, _looked(expressions, devices, selectors), seen)
    if not expressions:
        note = "it has no selectors: every device of every driver is of this class"
        return replace(found, facts=(note, *found.facts))
    return found


def why_not(expression: str, class_: JSON | None, seen: Seen, selectors: Selectors) -> Overview:
    """Say which devices an expression selects, of those of a class if there is one."""
    before = of_class(class_) if class_ else []
    devices = _devices([*before, expression], seen, selectors)
    found = _overview("selector", _looked([*before, expression], devices, selectors), seen)
    parts = terms(expression)
    if len(parts) == 1 or any(each.selected for each in found.offers):
        return found
    return replace(found, facts=(*found.facts, *_narrowed(before, parts, devices, selectors)))


def _overview(subject: str, looked: Sequence[_Looked], seen: Seen) -> Overview:
    offers = tuple(_offers(looked))
    chosen = sum(len(each.selected) for each in offers)
    free = sum(len(each.free) for each in offers)
    summary = f"selects {chosen} of {counted(len(looked), 'device')}, {free} of them free"
    facts = (*_unusable(seen), *_problems(looked))
    fits: bool | None = free > 0
    if any(each.selected.error for each in looked):
        fits = False
    elif any(each.selected.unknown for each in looked) or seen.lacks("resourceslices"):
        fits = None
    if any(each.selected.invalid for each in looked):
        summary = "does not compile"
    return Overview(subject, fits, summary, facts, offers, unread=seen.unread)


def _unusable(seen: Seen) -> Iterator[str]:
    """Yield the pools whose devices nobody looks at."""
    for pool in readable(seen.slices):
        if pool.problem:
            yield f"nothing is allocated from pool {'/'.join(pool.id)}: {pool.problem}"


def _devices(expressions: Sequence[str], seen: Seen, selectors: Selectors) -> Sequence[_Device]:
    """Return all devices, as far as expressions tell them apart."""
    availability = Availability(seen)
    names = [selectors.compiled(each).text.names for each in expressions]
    known = [each for each in names if each is not None]
    relevant = frozenset().union(*known) if len(known) == len(names) else None
    kinds: dict[str, Kind] = {}
    found = []
    for pool in readable(seen.slices):
        taken = availability.taken(pool)
        for placed in pool.placed:
            name = placed.device["name"]
            its_kind = kind(kinds, pool.driver, placed.device, relevant, reached=True)
            found.append(_Device((*pool.id, name), where(pool, placed), name in taken, its_kind))
    return found


def _looked(
    expressions: Sequence[str], devices: Sequence[_Device], selectors: Selectors
) -> Sequence[_Looked]:
    """Return devices with what expressions say that all have to hold."""
    known: dict[int, Selected] = {}
    for each in devices:
        if each.kind.number not in known:
            device = each.kind.device
            known[each.kind.number] = _selected(expressions, each.id[0], device, selectors)
    return [_Looked(each, known[each.kind.number]) for each in devices]


def _selected(
    expressions: Sequence[str], driver: str, device: JSON, selectors: Selectors
) -> Selected:
    for expression in expressions:
        found = selectors.evaluate(expression, driver, device)
        if not found.holds:
            return found
    return Selected(True)


def _offers(looked: Sequence[_Looked]) -> Iterator[Offer]:
    by_place: dict[str, list[_Looked]] = {}
    for each in looked:
        by_place.setdefault(each.device.where, []).append(each)
    for place, devices in by_place.items():
        chosen = [each.device for each in devices if each.selected.holds]
        free = tuple(each.name for each in chosen if not each.taken)
        yield Offer(place, len(devices), tuple(each.name for each in chosen), free)


def _problems(looked: Sequence[_Looked]) -> Iterator[str]:
    """Yield errors, each with the devices that it comes from."""
    texts: dict[str, list[str]] = {}
    for each in looked:
        if each.selected.invalid:
            texts.setdefault(each.selected.error, [])
        elif each.selected.error:
            told = f"fails: {each.selected.error}; Kubernetes gives up on all nodes then"
            texts.setdefault(told, []).append(each.device.name)
        elif each.selected.unknown:
            told = f"can't be told here: {each.selected.unknown}"
            texts.setdefault(told, []).append(each.device.name)
    for text, names in texts.items():
        on = f"{counted(len(names), 'device')} ({listed(names, _SHOWN)})" if names else ""
        yield f"{text}{f': on {on}' if on else ''}"


def _narrowed(
    before: Sequence[str],
    parts: Sequence[str],
    devices: Sequence[_Device],
    selectors: Selectors,
) -> Iterator[str]:
    """Yield how many devices each term leaves of those that the terms before it left."""
    left = sum(bool(each.selected.holds) for each in _looked(before, devices, selectors))
    for index, part in enumerate(parts):
        looked = _looked([*before, *parts[: index + 1]], devices, selectors)
        holds = sum(bool(each.selected.holds) for each in looked)
        failed = sum(bool(each.selected.error) for each in looked)
        fails = f", and fails on {failed}" if failed else ""
        yield f"{part}: leaves {holds} of {counted(left, 'device')}{fails}"
        left = holds
