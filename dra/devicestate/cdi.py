"""CDI specs: what container runtimes inject for a claim. Pure; files are in `directory`.

One spec per claim with a device for each prepared device that edits something, and, for a driver
that wants it, one spec for the node with the device `common`. A device name holds the claim's uid:
two claims never share a name, whatever files are left over, and runtimes refuse a name that two
files define.
Source: container-device-interface SPEC.md, specs-go/config.go and pkg/cdi/spec.go.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from api.cdi import lowest_version
from api.contract import Contract
from api.names import CDI_COMMON_DEVICE
from api.objects import JSON, ClaimUID
from dra.devicestate.cdirules import validate
from dra.driver import DeviceNode, Edits, Hook, Mount, PreparedClaim, PreparedDevice
from dra.errors import InvalidCdiSpec, InvalidClaimUid

FILE_SUFFIX: Final = ".json"

_LONGEST_UID: Final = 128
_LONGEST_NAME: Final = 128
"""Characters of a device's name, as long as published objects take."""

_ESCAPED: Final = re.compile(r"[\x7f-\uffff]")
_UID: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?", re.ASCII)


def common_spec(contract: Contract, edits: Edits) -> JSON:
    """Return the spec of the device that every claim of the node injects."""
    return _spec(contract, [(CDI_COMMON_DEVICE, edits)])


def claim_spec(contract: Contract, claim: PreparedClaim) -> JSON | None:
    """Return the spec of a claim, None if none of its devices edits anything.

    Raises:
        InvalidCdiSpec: a variable has a name that cannot be.
    """
    named = zip(_names(claim), claim.devices, strict=True)
    devices = [(name, device.edits) for name, device in named if device.edits != Edits()]
    return _spec(contract, devices) if devices else None


def claim_of(contract: Contract, uid: ClaimUID, spec: JSON) -> PreparedClaim | None:
    """Return the claim that a spec was made for, as far as that tells what it is.

    Pools, results and the names of the claim are not known; devices are named as in the spec. None
    is returned for a spec that this driver does not make.
    """
    try:
        validate(spec)
    except InvalidCdiSpec:
        return None
    devices = tuple(
        PreparedDevice("", each["name"].removeprefix(f"{uid}-"), read_edits(each["containerEdits"]))
        for each in spec["devices"]
    )
    claim = PreparedClaim(uid, "", "", "", devices)
    return claim if claim_spec(contract, claim) == spec else None


def check_claim(contract: Contract, claim: PreparedClaim) -> JSON | None:
    """Return the spec of a claim that runtimes and the checkpoint take.

    Raises:
        InvalidClaimUid: the uid cannot name a file.
        InvalidCdiSpec: with everything that is wrong.
    """
    claim_file(contract, claim.uid)
    names = _names(claim)
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice or not names:
        what = f"two devices named {', '.join(twice)}" if twice else "no devices"
        raise InvalidCdiSpec(f"{claim} has {what}; see what the driver returns from prepare")
    if any(len(name) > _LONGEST_NAME for d in claim.devices for name in (d.device, d.name)):
        raise InvalidCdiSpec(
            f"{claim} has a device whose name is longer than {_LONGEST_NAME} characters; see what "
            "the driver returns from prepare"
        )
    try:
        spec = claim_spec(contract, claim)
        if spec is not None:
            validate(spec)
    except InvalidCdiSpec as error:
        raise InvalidCdiSpec(f"{claim} has edits that no container gets: {error}") from error
    return spec


def render(spec: JSON) -> bytes:
    """Return the content of a spec's file.

    Runtimes read JSON as YAML, which has no pairs of surrogates: a character beyond U+FFFF has to
    stand for itself, and control characters must not.
    """
    text = json.dumps(spec, indent=2, ensure_ascii=False)
    return (_ESCAPED.sub(lambda each: f"\\u{ord(each[0]):04x}", text) + "\n").encode()


def common_id(contract: Contract) -> str:
    """Return the qualified id of the common device."""
    return _qualified(contract, CDI_COMMON_DEVICE)


def device_ids(contract: Contract, claim: PreparedClaim) -> tuple[tuple[str, ...], ...]:
    """Return the ids, `vendor/class=name`, of each device; none of one that edits nothing."""
    return tuple(
        () if device.edits == Edits() else (_qualified(contract, name),)
        for name, device in zip(_names(claim), claim.devices, strict=True)
    )


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


def _names(claim: PreparedClaim) -> list[str]:
    """Return the names of a claim's devices; those of two pools that are named alike have both."""
    short = [_short_name(device) for device in claim.devices]
    alike = {name for name, count in Counter(short).items() if count > 1}
    return [
        f"{claim.uid}-{device.pool.replace('/', ':')}:{name}"
        if name in alike
        else f"{claim.uid}-{name}"
        for name, device in zip(short, claim.devices, strict=True)
    ]


def _short_name(device: PreparedDevice) -> str:
    share = f"-{device.share_id}" if device.share_id else ""
    return device.name or f"{device.device}{share}"


def _spec(contract: Contract, devices: Iterable[tuple[str, Edits]]) -> JSON:
    spec: JSON = {
        "kind": contract.cdi_kind,
        "devices": [{"name": name, "containerEdits": _edits(edits)} for name, edits in devices],
    }
    return {"cdiVersion": lowest_version(spec), **spec}


def _edits(edits: Edits) -> JSON:
    return _filled(
        env=[_variable(name, value) for name, value in edits.env.items()],
        mounts=[_mount(each) for each in edits.mounts],
        deviceNodes=[_device_node(each) for each in edits.device_nodes],
        hooks=[_hook(each) for each in edits.hooks],
        additionalGids=list(edits.additional_gids),
    )


def _variable(name: str, value: str) -> str:
    """Return an entry that is read back as this variable and not as another one."""
    if "=" in name:
        raise InvalidCdiSpec(f"variable {name!r} has '=' in its name; see what the driver returns")
    return f"{name}={value}"


def _mount(mount: Mount) -> JSON:
    """Return a mount; OCI runtimes know one without type by its option `bind` only."""
    implied = mount.type or {"bind", "rbind"} & set(mount.options)
    options = [*mount.options] if implied else ["bind", *mount.options]
    return {
        "hostPath": mount.host_path,
        "containerPath": mount.container_path,
        **_filled(options=options, type=mount.type),
    }


def _device_node(node: DeviceNode) -> JSON:
    return {
        "path": node.path,
        **_filled(
            hostPath=node.host_path,
            type=node.type,
            major=node.major,
            minor=node.minor,
            permissions=node.permissions,
        ),
    }


def _hook(hook: Hook) -> JSON:
    return {
        "hookName": hook.name,
        "path": hook.path,
        **_filled(args=list(hook.args), env=list(hook.env), timeout=hook.timeout),
    }


def read_edits(edits: JSON) -> Edits:
    """Return what the edits of a valid spec say."""
    return Edits(
        env=dict(entry.split("=", 1) for entry in edits.get("env", ())),
        mounts=tuple(
            Mount(
                each["hostPath"],
                each["containerPath"],
                tuple(each.get("options", ())),
                each.get("type", ""),
            )
            for each in edits.get("mounts", ())
        ),
        device_nodes=tuple(
            DeviceNode(
                each["path"],
                each.get("hostPath", ""),
                each.get("type", ""),
                each.get("major"),
                each.get("minor"),
                each.get("permissions", ""),
            )
            for each in edits.get("deviceNodes", ())
        ),
        hooks=tuple(
            Hook(
                each["hookName"],
                each["path"],
                tuple(each.get("args", ())),
                tuple(each.get("env", ())),
                each.get("timeout"),
            )
            for each in edits.get("hooks", ())
        ),
        additional_gids=tuple(edits.get("additionalGids", ())),
    )


def _filled(**fields: Any) -> JSON:
    """Return the fields that have a value; runtimes read 0 and nothing alike."""
    return {name: value for name, value in fields.items() if value or value == 0}


def _qualified(contract: Contract, name: str) -> str:
    return f"{contract.cdi_kind}={name}"
