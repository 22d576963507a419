"""Which devices selectors select, and where: of a class, or to be tried."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from allocation.inuse import DeviceID
from allocation.pools import Placed, Pool, readable
from allocation.selectors import Selected, Selectors
from api.objects import JSON
from api.texts import counted, listed
from explain.diagnosis import Offer, Overview
from explain.holders import holders
from explain.seen import Seen
from explain.terms import terms

_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class _Looked:
    """A device, and what was said of it.

    Attributes:
        where: it can be reached.
        held: whether a claim has it for itself.
    """

    id: DeviceID
    where: str
    held: bool
    selected: Selected

    @property
    def name(self) -> str:
        return "/".join(self.id)


def explain_class(raw: JSON, seen: Seen, selectors: Selectors) -> Overview:
    """Say which devices a DeviceClass selects."""
    subject = f"class {raw['metadata']['name']}"
    expressions = of_class(raw)
    found = _overview(subject, expressions, seen, selectors)
    if not expressions:
        note = "it has no selectors: every device of every driver is of this class"
        return replace(found, facts=(note, *found.facts))
    return found


def why_not(expression: str, class_: JSON | None, seen: Seen, selectors: Selectors) -> Overview:
    """Say which devices an expression selects, of those of a class if there is one."""
    expressions = [*(of_class(class_) if class_ else ()), expression]
    found = _overview("selector", expressions, seen, selectors)
    parts = terms(expression)
    if len(parts) == 1 or any(each.selected for each in found.offers):
        return found
    return replace(
        found, facts=(*found.facts, *_narrowed(expressions[:-1], parts, seen, selectors))
    )


def of_class(raw: JSON) -> list[str]:
    """Return the expressions of a DeviceClass."""
    selectors = (raw.get("spec") or {}).get("selectors") or ()
    return [each["cel"]["expression"] for each in selectors if "cel" in each]


def _overview(
    subject: str, expressions: Sequence[str], seen: Seen, selectors: Selectors
) -> Overview:
    looked = tuple(_looked(expressions, seen, selectors))
    offers = tuple(_offers(looked))
    chosen = sum(len(each.selected) for each in offers)
    free = sum(len(each.free) for each in offers)
    summary = f"selects {chosen} of {counted(len(looked), 'device')}, of which {free} are free"
    facts = tuple(_problems(looked))
    fits: bool | None = free > 0
    if any(each.selected.error for each in looked):
        fits = False
    elif any(each.selected.unknown for each in looked) or seen.lacks("resourceslices"):
        fits = None
    if any(each.selected.invalid for each in looked):
        summary = "does not compile"
    return Overview(subject, fits, summary, facts, offers, unread=seen.unread)


def _looked(expressions: Sequence[str], seen: Seen, selectors: Selectors) -> Iterator[_Looked]:
    """Yield all devices; what is equal but for its name is looked at once."""
    held = holders(seen.claims)
    known: dict[str, Selected] = {}
    for pool in readable(seen.slices):
        for placed in pool.placed:
            shown = {**placed.device, "name": ""}
            key = f"{pool.driver} {json.dumps(shown, sort_keys=True)}"
            if key not in known:
                known[key] = _selected(expressions, pool.driver, shown, selectors)
            id_ = (pool.driver, pool.name, placed.device["name"])
            whole = any(not each.admin and not each.share for each in held.get(id_, ()))
            yield _Looked(id_, where(pool, placed), whole, known[key])


def _selected(
    expressions: Sequence[str], driver: str, device: JSON, selectors: Selectors
) -> Selected:
    for expression in expressions:
        found = selectors.evaluate(expression, driver, device)
        if not found.holds:
            return found
    return Selected(True)


def where(pool: Pool, placed: Placed) -> str:
    """Return where a device can be reached."""
    device, spec = placed.device, placed.spec
    holder = device if spec.get("perDeviceNodeSelection") else spec
    if holder.get("nodeName"):
        return str(holder["nodeName"])
    return "all nodes" if holder.get("allNodes") else f"selected nodes ({pool.name})"


def _offers(looked: Sequence[_Looked]) -> Iterator[Offer]:
    by_place: dict[str, list[_Looked]] = {}
    for each in looked:
        by_place.setdefault(each.where, []).append(each)
    for place, devices in by_place.items():
        chosen = [each for each in devices if each.selected.holds]
        free = tuple(each.name for each in chosen if not each.held)
        yield Offer(place, len(devices), tuple(each.name for each in chosen), free)


def _problems(looked: Sequence[_Looked]) -> Iterator[str]:
    """Yield errors, each with the devices that it comes from."""
    texts: dict[str, list[str]] = {}
    for each in looked:
        if each.selected.invalid:
            texts.setdefault(each.selected.error, [])
        elif each.selected.error:
            told = f"fails: {each.selected.error}; Kubernetes gives up on all nodes then"
            texts.setdefault(told, []).append(each.name)
        elif each.selected.unknown:
            told = f"can't be told here: {each.selected.unknown}"
            texts.setdefault(told, []).append(each.name)
    for text, names in texts.items():
        on = f"{counted(len(names), 'device')} ({listed(names, _SHOWN)})" if names else ""
        yield f"{text}{f': on {on}' if on else ''}"


def _narrowed(
    before: Sequence[str], parts: Sequence[str], seen: Seen, selectors: Selectors
) -> Iterator[str]:
    """Yield how many devices each term leaves of those that the terms before it left."""
    left = sum(bool(each.selected.holds) for each in _looked(before, seen, selectors))
    for index, part in enumerate(parts):
        looked = tuple(_looked([*before, *parts[: index + 1]], seen, selectors))
        holds = sum(bool(each.selected.holds) for each in looked)
        failed = sum(bool(each.selected.error) for each in looked)
        fails = f", and fails on {failed}" if failed else ""
        yield f"{part}: leaves {holds} of {counted(left, 'device')}{fails}"
        left = holds
