"""Entries of `status.devices`, and the JSON patch that changes one of them; pure.

A patch names the one entry, so those of other drivers are left as they are.
Source: kubernetes pkg/apis/resource/validation/validation.go, validateDeviceStatus; apimachinery
pkg/api/meta/conditions.go for when a condition changed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from api.claims.view import ClaimView, Result, device_of
from api.limits import MAX_IPS, MAX_NETWORK_BYTES, MAX_RAW_BYTES, MAX_STATUS_CONDITIONS
from api.objects import JSON
from dra.errors import InvalidDeviceStatus

_STATUSES: Final = ("True", "False", "Unknown")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a driver shows of a device.

    Attributes:
        device: driver, pool, device and, of a share, its id, as fields of an entry.
        conditions: without the time of the last transition where that is to be found out.
        data: of the driver.
        network: `networkData`.
    """

    device: JSON
    conditions: tuple[JSON, ...] = ()
    data: JSON | None = None
    network: JSON | None = None

    def entry(self, before: JSON, now: str) -> JSON | None:
        """Return the entry, None if there is nothing to show.

        Args:
            before: the present entry, `{}` if there is none.
            now: when a condition changed that says nothing of that.
        """
        had = {each.get("type"): each for each in before.get("conditions") or ()}
        conditions = [_dated(each, had.get(each["type"], {}), now) for each in self.conditions]
        said = {"conditions": conditions, "data": self.data, "networkData": self.network}
        told = _filled(said)
        return {**self.device, **told} if told else None


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one entry.

    Attributes:
        index: of the entry in `status.devices`, or of the end for a new one.
        entry: to be there, None to remove it.
    """

    index: int
    entry: JSON | None

    def applied(self, devices: Sequence[JSON]) -> list[JSON]:
        """Return the list with the change."""
        made = [] if self.entry is None else [self.entry]
        return [*devices[: self.index], *made, *devices[self.index + 1 :]]

    def patch(self, claim: JSON) -> list[JSON]:
        """Return a JSON patch of the claim, refused if that has another revision by then."""
        revision = claim["metadata"]["resourceVersion"]
        guard = {"op": "replace", "path": "/metadata/resourceVersion", "value": revision}
        return [guard, self._step(len(devices_of(claim)))]

    def _step(self, size: int) -> JSON:
        if not size:
            return {"op": "add", "path": "/status/devices", "value": self.applied([])}
        path = f"/status/devices/{self.index}"
        if self.entry is None:
            return {"op": "remove", "path": path}
        return {"op": "replace" if self.index < size else "add", "path": path, "value": self.entry}


def shown(
    driver: str,
    device: Result,
    conditions: Sequence[JSON],
    data: JSON | None,
    network: JSON | None,
) -> Shown:
    """Return what a driver wants to show.

    Raises:
        InvalidDeviceStatus: the API server would refuse it; with everything that is wrong.
    """
    share = {"shareID": device.share_id} if device.share_id else {}
    found = {"driver": driver, "pool": device.pool, "device": device.device, **share}
    wrong = [*_condition_faults(conditions), *_data_faults(data), *_network_faults(network or {})]
    if wrong:
        raise InvalidDeviceStatus(
            f"the status of device {device.pool}/{device.device} cannot be shown: "
            f"{'; '.join(wrong)}; see what the driver passes to publish_status"
        )
    return Shown(found, tuple(conditions), data, network)


def is_allocated(claim: ClaimView, wanted: Shown) -> bool:
    """Tell whether a device is allocated to the claim."""
    entries = claim.allocation.entries if claim.allocation else ()
    return any(device_of(entry) == device_of(wanted.device) for entry in entries)


def edit(claim: JSON, wanted: Shown, now: str) -> Edit | None:
    """Return the change that shows a device, None if nothing is to be changed."""
    devices = devices_of(claim)
    places = (i for i, each in enumerate(devices) if device_of(each) == device_of(wanted.device))
    index = next(places, len(devices))
    # the server shows fields that nobody has set
    before = _filled(devices[index]) if index < len(devices) else None
    entry = wanted.entry(before or {}, now)
    return None if entry == before else Edit(index, entry)


def devices_of(claim: JSON) -> list[JSON]:
    """Return `status.devices` of a claim."""
    return list((claim.get("status") or {}).get("devices") or ())


def _filled(fields: JSON) -> JSON:
    return {name: value for name, value in fields.items() if value not in (None, [])}


def _dated(condition: JSON, before: JSON, now: str) -> JSON:
    """Return a condition with all that the API requires."""
    same = before.get("status") == condition["status"]
    since = before.get("lastTransitionTime", now) if same else now
    return {"message": "", "lastTransitionTime": since, **condition}


def _condition_faults(conditions: Sequence[JSON]) -> list[str]:
    if len(conditions) > MAX_STATUS_CONDITIONS:
        return [
            f"conditions has {len(conditions)} entries, at most {MAX_STATUS_CONDITIONS} are allowed"
        ]
    wrong: list[str] = []
    for index, each in enumerate(conditions):
        wrong += [
            f"conditions[{index}].{field} is required"
            for field in ("type", "status", "reason")
            if not each.get(field) or not isinstance(each[field], str)
        ]
        if each.get("status") not in _STATUSES:
            wrong.append(f"conditions[{index}].status must be one of {', '.join(_STATUSES)}")
    types = [each.get("type") for each in conditions]
    twice = sorted({str(each) for each in types if types.count(each) > 1})
    return [*wrong, *(f"two conditions of type {each}" for each in twice)]


def _data_faults(data: Any) -> list[str]:
    if data is None:
        return []
    if not isinstance(data, Mapping):
        return ["data must be an object"]
    try:
        text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        return [f"data is not JSON: {error}"]
    size = len(text.encode())
    return [f"data has {size} bytes, at most {MAX_RAW_BYTES} are allowed"] * (size > MAX_RAW_BYTES)


def _network_faults(network: JSON) -> list[str]:
    ips = network.get("ips") or ()
    wrong = [f"networkData.ips has {len(ips)} entries, at most {MAX_IPS} are allowed"]
    return [
        *(wrong if len(ips) > MAX_IPS else ()),
        *(
            f"networkData.{name} has more than {most} bytes"
            for name, most in MAX_NETWORK_BYTES.items()
            if len(str(network.get(name) or "").encode()) > most
        ),
    ]
