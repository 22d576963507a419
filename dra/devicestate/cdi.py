"""CDI specs: what container runtimes inject for a claim. Pure; files are in `cdi_directory`.

One spec for the node with the device `common`, and one spec per claim with a device for each
(child) device. A device name holds the claim's uid: two claims never share a name, whatever files
are left over, and runtimes refuse a name that two files define.

A container may have several claims, whose devices come in no certain order, and the last one that
sets a variable wins. So a device is in three variables: by its index alone, by the claim's label,
and by the claim's uid, which no other claim can set.
Source: container-device-interface SPEC.md, pkg/parser/parser.go and pkg/cdi/spec.go.
"""

import re
from collections.abc import Iterator
from typing import Final

from api.contract import Contract
from api.names import (
    CDI_COMMON_DEVICE,
    ENV_DRIVER_NAME,
)
from api.objects import JSON, ClaimUID, DeviceID, NodeName
from dra.devicestate.prepared import PreparedClaim
from dra.errors import InvalidCdiSpec, InvalidClaimUid

CDI_VERSION: Final = "0.5.0"
"""The lowest one that allows a device name to begin with a digit, as a uid may."""

FILE_SUFFIX: Final = ".json"

_LONGEST_UID: Final = 128
_UID: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?", re.ASCII)
_VENDOR_OR_CLASS: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]", re.ASCII)
_DEVICE_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?", re.ASCII)
_ENTRY: Final = re.compile(r"[^=\0]+=[^\0]*")


def common_spec(contract: Contract, node: NodeName) -> JSON:
    """Return the spec of the device that every claim of the node injects."""
    env = [
        f"{contract.env_node_name}={node}",
        f"{ENV_DRIVER_NAME}={contract.driver_name}",
    ]
    return _spec(contract, [(CDI_COMMON_DEVICE, env)])


def claim_spec(contract: Contract, claim: PreparedClaim) -> JSON:
    """Return the spec of a claim, one device per device that its containers get."""
    return _spec(
        contract,
        [
            (device_name(claim.uid, device.id), list(_env(contract, claim, index, device.id)))
            for index, device in enumerate(claim.devices)
        ],
    )


def former_spec(contract: Contract, spec: JSON) -> JSON:
    """Return a claim's spec as earlier plugins wrote it: without the variables of its uid."""
    new = contract.env_uid_prefix
    return _spec(
        contract,
        [
            (
                device["name"],
                [e for e in device["containerEdits"]["env"] if not e.startswith(new)],
            )
            for device in spec["devices"]
        ],
    )


def common_id(contract: Contract) -> str:
    """Return the qualified id of the common device."""
    return _qualified(contract, CDI_COMMON_DEVICE)


def device_id(contract: Contract, uid: ClaimUID, device: DeviceID) -> str:
    """Return the qualified id, `vendor/class=name`, of a claim's device."""
    return _qualified(contract, device_name(uid, device))


def device_name(uid: ClaimUID, device: DeviceID) -> str:
    """Return the name of a claim's device within our kind."""
    return f"{uid}-{device}"


def common_file(contract: Contract) -> str:
    """Return the name of the file with the common device."""
    return f"{contract.cdi_file_prefix}{CDI_COMMON_DEVICE}{FILE_SUFFIX}"


def claim_file(contract: Contract, uid: ClaimUID) -> str:
    """Return the name of a claim's file.

    Raises:
        InvalidClaimUid: the uid would leave the directory, hit the common file, or make a device
            name that runtimes refuse.
    """
    fits = _UID.fullmatch(uid) and len(uid) <= _LONGEST_UID
    if not fits or uid == CDI_COMMON_DEVICE:
        raise InvalidClaimUid(
            f"claim uid {uid[:_LONGEST_UID]!r} cannot name a CDI file: it must be at most "
            f"{_LONGEST_UID} letters, digits, '.', '_' or '-'; the caller has to send the "
            "ResourceClaim's metadata.uid"
        )
    return f"{contract.cdi_file_prefix}{uid}{FILE_SUFFIX}"


def env_label(label: str) -> str:
    """Return a claim's label or uid as part of an env variable's name."""
    return re.sub(r"[^A-Za-z0-9]", "_", label).upper()


def find_label(contract: Contract, spec: JSON) -> str:
    """Return the label that a claim's spec was made with, empty if it shows none."""
    labelled = re.compile(rf"{re.escape(contract.env_claim_prefix)}(.+)_0=.*")
    for device in spec.get("devices") or []:
        for entry in device["containerEdits"]["env"]:
            match = labelled.fullmatch(entry)
            if match:
                return match[1]
    return ""


def find_node(contract: Contract, spec: JSON) -> str:
    """Return the node that a common spec was made for, empty if it shows none."""
    for device in spec.get("devices") or []:
        for entry in device["containerEdits"]["env"]:
            name, _, value = entry.partition("=")
            if name == contract.env_node_name:
                return str(value)
    return ""


def validate(spec: JSON) -> None:
    """Check a spec by the rules that runtimes load it with.

    Raises:
        InvalidCdiSpec: with everything that is wrong.
    """
    found = "; ".join(_faults(spec))
    if found:
        raise InvalidCdiSpec(f"CDI spec of kind {spec.get('kind')!r} is invalid: {found}")


def _spec(contract: Contract, devices: list[tuple[str, list[str]]]) -> JSON:
    return {
        "cdiVersion": CDI_VERSION,
        "kind": contract.cdi_kind,
        "devices": [{"name": name, "containerEdits": {"env": env}} for name, env in devices],
    }


def _env(contract: Contract, claim: PreparedClaim, index: int, device: DeviceID) -> Iterator[str]:
    yield f"{contract.env_device_prefix}{index}={device}"
    if claim.label:
        yield f"{contract.env_claim_prefix}{env_label(claim.label)}_{index}={device}"
    own = f"{contract.env_uid_prefix}{env_label(claim.uid)}"
    yield f"{own}_{index}={device}"
    if claim.name:
        yield f"{own}_NAME={claim.name}"


def _qualified(contract: Contract, name: str) -> str:
    return f"{contract.cdi_kind}={name}"


def _faults(spec: JSON) -> Iterator[str]:
    unknown = set(spec) - {"cdiVersion", "kind", "devices"}
    if unknown:
        yield f"unknown fields {', '.join(sorted(unknown))}"
    if spec.get("cdiVersion") != CDI_VERSION:
        yield f"cdiVersion must be {CDI_VERSION}"
    vendor, slash, kind_class = str(spec.get("kind", "")).partition("/")
    if not (slash and _VENDOR_OR_CLASS.fullmatch(vendor) and _is_class(kind_class)):
        yield "kind must be vendor/class, both of two or more letters, digits, '-', '_'"
    devices = spec.get("devices") or []
    if not devices:
        yield "it has no devices"
    names = [str(device.get("name", "")) for device in devices]
    yield from (f"two devices named {n!r}" for n in sorted(set(names)) if names.count(n) > 1)
    for device in devices:
        yield from _device_faults(device)


def _device_faults(device: JSON) -> Iterator[str]:
    name = str(device.get("name", ""))
    if not _DEVICE_NAME.fullmatch(name):
        yield f"device name {name!r} has characters other than letters, digits, '_', '.', ':', '-'"
    env = (device.get("containerEdits") or {}).get("env") or []
    if not env:
        yield f"device {name!r} edits nothing"
    yield from (f"device {name!r} has env {e!r}" for e in env if not _ENTRY.fullmatch(e))


def _is_class(text: str) -> bool:
    """Tell whether `text` is the class of a kind; dots are allowed from CDI 0.6.0 only."""
    return bool(_VENDOR_OR_CLASS.fullmatch(text)) and "." not in text
