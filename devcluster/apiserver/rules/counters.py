"""Rules of the counters that devices share, which Kubernetes 1.35 made stricter and looser.

Up to 1.34 sets and devices stand in one slice, and the API server checks the references; from 1.35
on they stand in slices of their own, and only the scheduler does.
Source: kubernetes pkg/apis/resource/validation/validation.go v1.34 and v1.37.
"""

from typing import Any, Final

from api.limits import MAX_CONSUMED_SETS, MAX_COUNTER_SETS, MAX_COUNTERS
from api.objects import JSON
from devcluster.apiserver import fielderrors
from devcluster.apiserver.rules.capacities import quantity_errors
from devcluster.apiserver.rules.devicenames import label_errors
from devcluster.apiserver.rules.entries import Errors, map_errors, set_errors

APART: Final = 35
"""The first minor whose slices have either counters or devices."""

_MAX_IN_SLICE: Final = 1024
_UNLIMITED: Final = 10**9


def shared_counter_errors(path: str, spec: JSON, minor: int) -> Errors:
    """Return what is wrong with the counters of a slice."""
    sets = spec.get("sharedCounters")
    if minor < APART:
        count = sum(len(each.get("counters") or ()) for each in sets or ())
        if count > MAX_COUNTERS:
            why = f"the total number of shared counters must not exceed {MAX_COUNTERS}"
            yield fielderrors.bad_value(path, count, why)
    yield from set_errors(
        path, sets, MAX_COUNTER_SETS if minor >= APART else _UNLIMITED, _set_errors
    )


def _set_errors(path: str, counter_set: Any) -> Errors:
    yield from label_errors(f"{path}.name", counter_set.get("name"))
    yield from _counter_errors(f"{path}.counters", counter_set.get("counters"))


def _counter_errors(path: str, counters: Any) -> Errors:
    if counters:
        yield from map_errors(path, counters, MAX_COUNTERS, label_errors, quantity_errors)
    else:
        yield fielderrors.required(path)


def consumption_errors(path: str, device: JSON, spec: JSON, minor: int) -> Errors:
    """Return what is wrong with what a device takes of counters."""
    consumed, here = device.get("consumesCounters"), f"{path}.consumesCounters"
    most = MAX_CONSUMED_SETS if minor >= APART else _UNLIMITED
    yield from set_errors(here, consumed, most, _consumed_errors, "counterSet")
    if minor >= APART:
        return
    count = sum(len(each.get("counters") or ()) for each in consumed or ())
    if count > MAX_COUNTERS:
        why = f"the total number of counters must not exceed {MAX_COUNTERS}"
        yield fielderrors.bad_value(path, count, why)
    known = {each.get("name"): each.get("counters") for each in spec.get("sharedCounters") or ()}
    for index, each in enumerate(consumed or ()):
        yield from _reference_errors(f"{here}[{index}]", each, known)


def _consumed_errors(path: str, consumed: Any) -> Errors:
    yield from label_errors(f"{path}.counterSet", consumed.get("counterSet"))
    yield from _counter_errors(f"{path}.counters", consumed.get("counters"))


def _reference_errors(path: str, consumed: JSON, known: JSON) -> Errors:
    name, place = consumed.get("counterSet"), "defined in the ResourceSlice sharedCounters"
    if name not in known:
        yield fielderrors.bad_value(
            f"{path}.counterSet", name, f"must reference a counterSet {place}"
        )
        return
    for counter in consumed.get("counters") or ():
        if counter not in (known[name] or ()):
            yield fielderrors.bad_value(
                f"{path}.counters", counter, f"must reference a counter {place}"
            )


def total_errors(path: str, spec: JSON, minor: int) -> Errors:
    """Return whether the devices of a slice take too many counters together."""
    count = sum(
        len(each.get("counters") or ())
        for device in spec.get("devices") or ()
        for each in device.get("consumesCounters") or ()
    )
    if minor < APART and count > _MAX_IN_SLICE:
        why = f"the total number of counters in devices must not exceed {_MAX_IN_SLICE}"
        yield fielderrors.bad_value(path, count, why)
