"""Rules of ResourceSlices.

Left out: nodeAllocatableResources, skipNodeOperations, partitionTypeAttribute and
compatibilityGroups of alpha gates are stored as they are sent.
Source: kubernetes pkg/apis/resource/validation/validation.go, pkg/registry/resource/resourceslice.
"""

from collections.abc import Mapping
from typing import Any

from api.limits import MAX_ADVANCED_DEVICES, MAX_DEVICES
from api.objects import JSON
from devcluster.apiserver import fielderrors
from devcluster.apiserver.clock import Clock, timestamp
from devcluster.apiserver.resourceapi import ResourceApi
from devcluster.apiserver.rules.claims import driver_name_errors
from devcluster.apiserver.rules.counters import APART, shared_counter_errors, total_errors
from devcluster.apiserver.rules.devicenames import pool_name_errors
from devcluster.apiserver.rules.entries import Errors, set_errors
from devcluster.apiserver.rules.gates import SLICE, drop_disabled
from devcluster.apiserver.rules.nodeselection import slice_selection_errors
from devcluster.apiserver.rules.publisheddevices import device_errors, has_list
from devcluster.apiserver.strategy import Strategy


def slice_strategy(api: ResourceApi, clock: Clock) -> Strategy:
    """Return the rules of ResourceSlices of a Kubernetes minor; the clock stamps taints."""

    def stamp(resource_slice: JSON) -> None:
        for device in resource_slice["spec"].get("devices") or ():
            for taint in device.get("taints") or ():
                taint.setdefault("timeAdded", timestamp(clock()))

    return Strategy(
        default=stamp,
        prepare_create=lambda new: drop_disabled(SLICE, api.gates, new),
        prepare_update=lambda new, old: drop_disabled(SLICE, api.gates, new, old),
        check_create=lambda new: list(_spec_errors(new["spec"], {}, api.minor)),
        check_update=lambda new, old: list(_spec_errors(new["spec"], old["spec"], api.minor)),
    )


def _spec_errors(spec: JSON, old: JSON, minor: int) -> Errors:
    yield from driver_name_errors("spec.driver", spec.get("driver"))
    yield from _pool_errors(spec["pool"])
    if old:
        yield from _change_errors(spec, old)
    yield from slice_selection_errors("spec", spec)
    devices = spec.get("devices")
    if minor >= APART and devices is not None and spec.get("sharedCounters") is not None:
        why = "only one of `sharedCounters` or `devices` is allowed"
        yield fielderrors.bad_value("spec", "", why)
    before: Mapping[str, JSON] = {each["name"]: each for each in old.get("devices") or ()}

    def check(path: str, device: Any) -> Errors:
        return device_errors(path, device, before.get(device.get("name"), {}), spec, minor)

    yield from set_errors("spec.devices", devices, _most_devices(spec, minor), check)
    yield from total_errors("spec.devices", spec, minor)
    yield from shared_counter_errors("spec.sharedCounters", spec, minor)


def _most_devices(spec: JSON, minor: int) -> int:
    advanced = minor >= APART and any(
        each.get("taints") or each.get("consumesCounters") or has_list(each)
        for each in spec.get("devices") or ()
    )
    return MAX_ADVANCED_DEVICES if advanced else MAX_DEVICES


def _pool_errors(pool: JSON) -> Errors:
    yield from pool_name_errors("spec.pool.name", pool.get("name"))
    for field, least, why in (
        ("resourceSliceCount", 1, "must be greater than zero"),
        ("generation", 0, "must be greater than or equal to zero"),
    ):
        if pool.get(field, 0) < least:
            yield fielderrors.bad_value(f"spec.pool.{field}", pool.get(field, 0), why)


def _change_errors(spec: JSON, old: JSON) -> Errors:
    if spec["pool"].get("name") != old["pool"].get("name"):
        yield fielderrors.immutable("spec.pool.name", spec["pool"].get("name"))
    for field in ("driver", "nodeName"):
        if spec.get(field) != old.get(field):
            yield fielderrors.immutable(f"spec.{field}", spec.get(field))
