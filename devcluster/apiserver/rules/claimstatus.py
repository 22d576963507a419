"""Rules of the status of ResourceClaims with structured parameters.

An allocation is written once and taken away as a whole; what drivers tell of its devices goes with
it. Nobody's permissions are checked.
Source: kubernetes pkg/apis/resource/validation/validation.go, validateResourceClaimStatusUpdate;
pkg/registry/resource/resourceclaim/strategy.go, dropDeallocatedStatusDevices.
"""

import ipaddress
from typing import Any, Final

from api.claims.view import device_of
from api.limits import MAX_IPS, MAX_NETWORK_BYTES, MAX_STATUS_CONDITIONS
from api.objects import JSON
from devcluster.apiserver import fielderrors
from devcluster.apiserver.resourceapi import ResourceApi
from devcluster.apiserver.rules.claims import driver_name_errors
from devcluster.apiserver.rules.deviceclaims import (
    MOST,
    config_errors,
    raw_errors,
    reference_errors,
    request_names,
    toleration_errors,
)
from devcluster.apiserver.rules.devicenames import label_errors, pool_name_errors
from devcluster.apiserver.rules.entries import Errors, item_errors, set_errors
from devcluster.apiserver.rules.gates import CLAIM, drop_disabled
from devcluster.apiserver.rules.publisheddevices import condition_errors
from devcluster.apiserver.strategy import Strategy

MAX_CONSUMERS: Final = 256
_SOURCES: Final = ("FromClaim", "FromClass")
_UNLIMITED: Final = 10**9


def status_strategy(api: ResourceApi) -> Strategy:
    """Return the rules of /status."""

    def prepare(new: JSON, old: JSON) -> None:
        drop_disabled(CLAIM, api.gates, new, old)
        _drop_deallocated(new.get("status") or {}, old.get("status") or {})

    return Strategy(prepare_status=prepare, check_status=lambda new, old: list(_errors(new, old)))


def _drop_deallocated(status: JSON, before: JSON) -> None:
    """Take away what is told about devices that were allocated and are not any more."""
    gone = _allocated(before) - _allocated(status)
    kept = [each for each in status.get("devices") or () if device_of(each) not in gone]
    status.pop("devices", None)
    if kept:
        status["devices"] = kept


def _allocated(status: JSON) -> frozenset[tuple[Any, ...]]:
    devices = (status.get("allocation") or {}).get("devices") or {}
    return frozenset(device_of(result) for result in devices.get("results") or ())


def _errors(new: JSON, old: JSON) -> Errors:
    status, before = new.get("status") or {}, old.get("status") or {}
    yield from set_errors(
        "status.reservedFor", status.get("reservedFor"), MAX_CONSUMERS, _consumer_errors, "uid"
    )
    allocated = _allocated(status)

    def check(path: str, entry: Any) -> Errors:
        yield from _entry_errors(path, entry)
        if device_of(entry) not in allocated:
            shown = "/".join(str(part) for part in device_of(entry) if part)
            yield fielderrors.bad_value(path, shown, "must be an allocated device in the claim")

    yield from item_errors("status.devices", status.get("devices"), _UNLIMITED, check)
    deleting = "deletionTimestamp" in new["metadata"]
    yield from _reservation_errors(status, before, deleting=deleting)
    yield from _allocation_errors(new, status.get("allocation"), before.get("allocation"))


def _consumer_errors(path: str, consumer: Any) -> Errors:
    for field in ("resource", "name", "uid"):
        if not consumer.get(field):
            yield fielderrors.required(f"{path}.{field}")


def _reservation_errors(status: JSON, before: JSON, *, deleting: bool) -> Errors:
    consumers = status.get("reservedFor") or []
    if consumers and status.get("allocation") is None:
        why = "may not be specified when `allocated` is not set"
        yield fielderrors.not_allowed("status.reservedFor", why)
    elif deleting and any(each not in (before.get("reservedFor") or ()) for each in consumers):
        why = (
            "new entries may not be added while `deallocationRequested` or `deletionTimestamp` "
            "are set"
        )
        yield fielderrors.not_allowed("status.reservedFor", why)


def _allocation_errors(claim: JSON, new: JSON | None, old: JSON | None) -> Errors:
    path = "status.allocation"
    if new is None:
        return
    if old is not None:
        if new != old:
            yield fielderrors.bad_value(path, new, "field cannot be modified once set")
        return
    known = request_names((claim.get("spec") or {}).get("devices") or {})
    devices = new.get("devices") or {}

    def result_errors(here: str, result: Any) -> Errors:
        yield from reference_errors(known)(f"{here}.request", result.get("request"))
        yield from _device_errors(here, result)
        yield from condition_errors(here, result)
        tolerations = result.get("tolerations")
        yield from item_errors(f"{here}.tolerations", tolerations, _UNLIMITED, toleration_errors)

    def settings_errors(here: str, config: Any) -> Errors:
        if config.get("source") not in _SOURCES:
            yield fielderrors.unsupported(f"{here}.source", config.get("source"), _SOURCES)
        yield from config_errors(known)(here, config)

    yield from item_errors(f"{path}.devices.results", devices.get("results"), MOST, result_errors)
    configs = devices.get("config")
    yield from item_errors(f"{path}.devices.config", configs, 2 * MOST, settings_errors)


def _device_errors(path: str, entry: JSON) -> Errors:
    yield from driver_name_errors(f"{path}.driver", entry.get("driver"))
    yield from pool_name_errors(f"{path}.pool", entry.get("pool"))
    yield from label_errors(f"{path}.device", entry.get("device"))


def _entry_errors(path: str, entry: JSON) -> Errors:
    yield from _device_errors(path, entry)
    conditions = entry.get("conditions") or []
    if len(conditions) > MAX_STATUS_CONDITIONS:
        here = f"{path}.conditions"
        yield fielderrors.too_many(here, len(conditions), MAX_STATUS_CONDITIONS)
    if entry.get("data") is not None:
        yield from raw_errors(f"{path}.data", entry["data"])
    network = entry.get("networkData") or {}
    for field, most in MAX_NETWORK_BYTES.items():
        if len((network.get(field) or "").encode()) > most:
            yield fielderrors.too_many_bytes(f"{path}.networkData.{field}", most)
    yield from set_errors(f"{path}.networkData.ips", network.get("ips"), MAX_IPS, _ip_errors)


def _ip_errors(path: str, address: Any) -> Errors:
    try:
        parsed = ipaddress.ip_interface(address) if "/" in address else None
    except ValueError:
        parsed = None
    if parsed is None:
        why = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"
        yield fielderrors.bad_value(path, address, why)
