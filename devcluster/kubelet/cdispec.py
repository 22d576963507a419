"""Whether a parsed CDI file follows the specification, as strictly as CRI runtimes check it.

Source: tags.cncf.io/container-device-interface v1.0.1, SPEC.md, pkg/cdi/spec.go.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from api.cdi import VERSIONS, is_device_name, is_kind, lowest_version
from api.objects import JSON

_SPEC_KEYS = frozenset({"cdiVersion", "kind", "annotations", "containerEdits", "devices"})
_DEVICE_KEYS = frozenset({"name", "annotations", "containerEdits"})
_EDIT_KEYS = frozenset({"env", "deviceNodes", "mounts", "hooks", "additionalGids", "intelRdt"})
_NODE_KEYS = frozenset(
    {"path", "hostPath", "type", "major", "minor", "fileMode", "permissions", "uid", "gid"}
)
_MOUNT_KEYS = frozenset({"hostPath", "containerPath", "options", "type"})
_HOOK_KEYS = frozenset({"hookName", "path", "args", "env", "timeout"})
_LISTS = ("env", "deviceNodes", "mounts", "hooks", "additionalGids")
_REQUIRED_IN: Final = {
    "deviceNodes": (_NODE_KEYS, ("path",)),
    "mounts": (_MOUNT_KEYS, ("hostPath", "containerPath")),
    "hooks": (_HOOK_KEYS, ("hookName", "path")),
}


def check_spec(raw: object) -> str | None:
    """Tell what is wrong with a parsed file, None when a runtime would accept it."""
    if not isinstance(raw, dict):
        return "not an object"
    return next(_problems(raw), None)


def _problems(spec: JSON) -> Iterator[str]:
    yield from _unknown("", spec, _SPEC_KEYS)
    version = spec.get("cdiVersion")
    if version not in VERSIONS:
        yield f"cdiVersion {version!r} is unknown"
    if not is_kind(kind := spec.get("kind")):
        yield f"kind {kind!r} is not vendor/class"
    yield from _edit_problems("containerEdits", spec.get("containerEdits") or {})
    devices = spec.get("devices")
    if not isinstance(devices, list) or not devices:
        yield "no devices"
        return
    for index, device in enumerate(devices):
        yield from _device_problems(f"devices[{index}]", device)
    names = [device["name"] for device in devices]
    if len(set(names)) != len(names):
        yield "duplicate device names"
    needed = lowest_version(spec)
    if VERSIONS.index(version) < VERSIONS.index(needed):
        yield f"cdiVersion {version} is too low, the content needs {needed}"


def _device_problems(where: str, device: Any) -> Iterator[str]:
    if not isinstance(device, dict):
        yield f"{where} is not an object"
        return
    yield from _unknown(where, device, _DEVICE_KEYS)
    name = device.get("name")
    if not is_device_name(name):
        yield f"{where}.name {name!r} is invalid"
    edits = device.get("containerEdits")
    if not edits:
        yield f"{where}.containerEdits is empty"
    else:
        yield from _edit_problems(f"{where}.containerEdits", edits)


def _edit_problems(where: str, edits: Any) -> Iterator[str]:
    if not isinstance(edits, dict):
        yield f"{where} is not an object"
        return
    yield from _unknown(where, edits, _EDIT_KEYS)
    yield from (
        f"{where}.{field} is not a list"
        for field in _LISTS
        if edits.get(field) is not None and not isinstance(edits[field], list)
    )
    for text in edits.get("env") or []:
        if not isinstance(text, str) or not text.partition("=")[0] or "=" not in text:
            yield f"{where}.env entry {text!r} is not NAME=value"
    for field, (known, required) in _REQUIRED_IN.items():
        for index, entry in enumerate(edits.get(field) or []):
            yield from _entry_problems(f"{where}.{field}[{index}]", entry, known, required)


def _entry_problems(
    where: str, entry: Any, known: frozenset[str], required: Sequence[str]
) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield f"{where} is not an object"
        return
    yield from _unknown(where, entry, known)
    for name in required:
        if not isinstance(entry.get(name), str) or not entry[name]:
            yield f"{where} has no {name}"


def _unknown(where: str, value: JSON, known: frozenset[str]) -> Iterator[str]:
    prefix = f"{where}." if where else ""
    yield from (f"{prefix}{key} is unknown" for key in value if key not in known)
