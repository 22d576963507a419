"""Rules of one device in a ResourceSlice.

Source: kubernetes pkg/apis/resource/validation/validation.go, validateDevice.
"""

from typing import Any, Final

from api import validation
from api.limits import MAX_CONDITIONS, MAX_ENTRIES, MAX_TAINTS, MAX_VALUE_BYTES
from api.objects import JSON
from devcluster.apiserver import fielderrors
from devcluster.apiserver.rules.capacities import capacity_errors
from devcluster.apiserver.rules.counters import APART, consumption_errors
from devcluster.apiserver.rules.devicenames import (
    attribute_name_errors,
    label_errors,
    qualified_errors,
)
from devcluster.apiserver.rules.entries import Errors, item_errors, map_errors, set_errors
from devcluster.apiserver.rules.nodeselection import device_selection_errors

_MAX_VALUES: Final = 48
_SCALARS: Final = ("bool", "int", "string", "version")
_LISTS: Final = ("bools", "ints", "strings", "versions")
_VALUES_COUNTED: Final = 36


def device_errors(path: str, device: JSON, old: JSON, spec: JSON, minor: int) -> Errors:
    """Return what is wrong with a device.

    Args:
        path: of the device.
        device: of a slice.
        old: the stored device of that name, empty for a new one.
        spec: of the slice.
        minor: of Kubernetes 1.x.
    """
    attributes, capacity = device.get("attributes") or {}, device.get("capacity") or {}
    yield from label_errors(f"{path}.name", device.get("name"))
    yield from _size_errors(path, attributes, capacity, minor)
    yield from map_errors(
        f"{path}.attributes", attributes, None, attribute_name_errors, _attribute_errors
    )
    if not old or old.get("capacity") != device.get("capacity"):
        check = capacity_errors(shared=bool(device.get("allowMultipleAllocations")))
        yield from map_errors(f"{path}.capacity", capacity, None, attribute_name_errors, check)
    if not old or old.get("taints") != device.get("taints"):
        most = MAX_TAINTS if minor >= APART else 4
        yield from item_errors(f"{path}.taints", device.get("taints"), most, taint_errors)
    yield from consumption_errors(path, device, spec, minor)
    yield from device_selection_errors(path, device, spec)
    yield from condition_errors(path, device)


def has_list(device: JSON) -> bool:
    """Tell whether an attribute of a device is a list."""
    attributes = (device.get("attributes") or {}).values()
    return any(each.get(name) is not None for each in attributes for name in _LISTS)


def _size_errors(path: str, attributes: JSON, capacity: JSON, minor: int) -> Errors:
    entries = len(attributes) + len(capacity)
    if entries > MAX_ENTRIES:
        why = f"the total number of attributes and capacities must not exceed {MAX_ENTRIES}"
        yield fielderrors.bad_value(path, entries, why)
    values = sum(
        sum(len(each.get(name) or ()) for name in _LISTS) or 1 for each in attributes.values()
    )
    if values > _MAX_VALUES and minor >= _VALUES_COUNTED:
        why = f"the total number of attribute values must not exceed {_MAX_VALUES}"
        yield fielderrors.bad_value(path, values, why)


def _attribute_errors(path: str, attribute: Any) -> Errors:
    given = [name for name in (*_SCALARS, *_LISTS) if attribute.get(name) is not None]
    for name in given:
        value, here = attribute[name], f"{path}.{name}"
        if name in _LISTS and not value:
            yield fielderrors.bad_value(here, value, "must not be empty if specified")
        texts = enumerate(value) if name in _LISTS else [(None, value)]
        for index, text in texts:
            at = here if index is None else f"{here}[{index}]"
            yield from _text_errors(at, text, version=name.startswith("version"))
    if len(given) != 1:
        shown = attribute if given else ""
        yield fielderrors.bad_value(path, shown, "exactly one value must be specified")


def _text_errors(path: str, text: Any, *, version: bool) -> Errors:
    if version and (wrong := validation.semantic_version(str(text))):
        yield fielderrors.bad_value(path, text, wrong)
    if isinstance(text, str) and len(text.encode()) > MAX_VALUE_BYTES:
        yield fielderrors.too_many_bytes(path, MAX_VALUE_BYTES)


def taint_errors(path: str, taint: Any) -> Errors:
    """Return what is wrong with the taint of a device."""
    yield from qualified_errors(f"{path}.key", taint.get("key"))
    if wrong := validation.label_value(taint.get("value") or ""):
        yield fielderrors.bad_value(f"{path}.value", taint["value"], wrong)
    if not taint.get("effect"):
        yield fielderrors.required(f"{path}.effect")
    else:
        yield from effect_errors(path, taint)


def effect_errors(path: str, holder: Any) -> Errors:
    """Return whether a taint or toleration has an unknown effect."""
    effects = ("NoExecute", "NoSchedule", "None")
    if holder.get("effect") and holder["effect"] not in effects:
        yield fielderrors.unsupported(f"{path}.effect", holder["effect"], effects)


def condition_errors(path: str, holder: JSON) -> Errors:
    """Return what is wrong with the binding conditions of a device or an allocation result."""
    fields = ("bindingConditions", "bindingFailureConditions")
    wanted, failing = (holder.get(field) or [] for field in fields)
    for field in fields:
        here = f"{path}.{field}"
        yield from set_errors(here, holder.get(field), MAX_CONDITIONS, qualified_errors)
    for index, each in enumerate(failing):
        if each in wanted:
            why = "bindingFailureConditions must not overlap with bindingConditions"
            yield fielderrors.bad_value(f"{path}.{fields[1]}[{index}]", each, why)
    if bool(wanted) != bool(failing):
        missing, other = fields if failing else fields[::-1]
        why = f"{missing} are required to use {other}"
        yield fielderrors.bad_value(f"{path}.{missing}", [], why)
