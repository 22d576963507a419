"""Kinds of devices: those that claims can't tell apart are one kind.

Names never matter, and attributes only if a selector or a constraint mentions them: devices mostly
differ in an identity that nobody asks for.
"""

import json
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from api.objects import JSON

Relevant: TypeAlias = frozenset[str] | None
"""Names of attributes, without their domain, that matter; None if all do."""


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """Devices that differ in nothing that matters.

    Attributes:
        device: one of them, with what matters.
        apart_from_counters: of the kind that would be theirs if they consumed no counters.
        selected: what selectors say of them, by expression.
    """

    number: int
    device: JSON
    apart_from_counters: int
    selected: dict[str, Any] = field(default_factory=dict)


def kind(
    known: dict[str, Kind], driver: str, device: JSON, relevant: Relevant, *, reached: bool
) -> Kind:
    """Return the kind of a device, made if it is not known."""
    shown = {**device, "name": ""}
    if relevant is not None:
        attributes = device.get("attributes") or {}
        named = (key for key in attributes if key.rpartition("/")[2] in relevant)
        shown["attributes"] = {key: attributes[key] for key in named}
    return _kind(known, shown, f"{driver} {reached} ")


def _kind(known: dict[str, Kind], shown: JSON, prefix: str) -> Kind:
    text = prefix + json.dumps(shown, sort_keys=True)
    found = known.get(text)
    if found is not None:
        return found
    apart = number = len(known)
    known[text] = Kind(number, shown, apart)
    if shown.get("consumesCounters"):
        apart = _kind(known, {**shown, "consumesCounters": None}, prefix).number
        known[text] = Kind(number, shown, apart)
    return known[text]
