"""Whether a stored slice says what was sent: quantities are written anew by the API server.

Times of taints do not count, since the server sets them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from api.objects import JSON
from api.quantities import quantity


def content_of(stored: JSON) -> JSON:
    """Return what is in a slice, without driver and pool."""
    return {name: v for name, v in stored["spec"].items() if name not in ("driver", "pool")}


def same(one: JSON, other: JSON) -> bool:
    """Tell whether two contents say the same."""
    return one == other or _normal(one) == _normal(other)


def with_times(wanted: Iterable[JSON], stored: Sequence[JSON]) -> tuple[JSON, ...]:
    """Return contents in which taints that are stored already have kept their time."""
    times = {
        _taint_key(device, taint): taint["timeAdded"]
        for each in stored
        for device in each["spec"].get("devices") or []
        for taint in device.get("taints") or []
        if "timeAdded" in taint
    }
    return tuple(_timed(each, times) if times else each for each in wanted)


def _timed(content: JSON, times: Mapping[tuple[str, ...], str]) -> JSON:
    if "devices" not in content:
        return content
    return {**content, "devices": [_timed_device(each, times) for each in content["devices"]]}


def _timed_device(device: JSON, times: Mapping[tuple[str, ...], str]) -> JSON:
    if "taints" not in device:
        return device
    taints = [
        {**each, "timeAdded": times[_taint_key(device, each)]}
        if "timeAdded" not in each and _taint_key(device, each) in times
        else each
        for each in device["taints"]
    ]
    return {**device, "taints": taints}


def _taint_key(device: JSON, taint: JSON) -> tuple[str, ...]:
    return (device["name"], taint["key"], taint.get("value", ""), taint["effect"])


def _normal(value: Any, *, amounts: bool = False) -> Any:
    """Return a structure without times and what is empty, with numbers in place of quantities."""
    if isinstance(value, list):
        return [_normal(each, amounts=amounts) for each in value]
    if not isinstance(value, dict):
        return quantity(value) if amounts and isinstance(value, str) else value
    return {
        name: each
        if name == "attributes"
        else _normal(each, amounts=amounts or name in ("capacity", "counters"))
        for name, each in value.items()
        if each and (amounts or name != "timeAdded")
    }
