"""Names and versions of CDI specs, as every runtime checks them.

Source: tags.cncf.io/container-device-interface v1.1.0, specs-go/version.go and
pkg/parser/parser.go.
"""

import re
from collections.abc import Iterator
from typing import Final

from api.objects import JSON

VERSIONS: Final = ("0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0")
"""Of the specification, the oldest first."""

_VENDOR_OR_CLASS: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]")
_DEVICE_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?")


def is_kind(kind: object) -> bool:
    """Tell whether a value is `vendor/class`."""
    vendor, _, class_ = kind.partition("/") if isinstance(kind, str) else ("", "", "")
    return all(_VENDOR_OR_CLASS.fullmatch(part) for part in (vendor, class_))


def is_device_name(name: object) -> bool:
    """Tell whether a device can have that name."""
    return isinstance(name, str) and _DEVICE_NAME.fullmatch(name) is not None


def lowest_version(spec: JSON) -> str:
    """Return the lowest cdiVersion that may declare a spec; old runtimes refuse higher ones."""
    return max(_needed(spec), key=VERSIONS.index, default=VERSIONS[0])


def _needed(spec: JSON) -> Iterator[str]:
    if spec.get("annotations") or "." in str(spec["kind"]).partition("/")[2]:
        yield "0.6.0"
    for device in spec["devices"]:
        if device.get("annotations"):
            yield "0.6.0"
        if device["name"][:1].isdigit():
            yield "0.5.0"
        yield from _needed_by(device["containerEdits"])
    yield from _needed_by(spec.get("containerEdits") or {})


def _needed_by(edits: JSON) -> Iterator[str]:
    if edits.get("additionalGids") or edits.get("intelRdt"):
        yield "0.7.0"
    if any(node.get("hostPath") for node in edits.get("deviceNodes") or ()):
        yield "0.5.0"
    if any(mount.get("type") for mount in edits.get("mounts") or ()):
        yield "0.4.0"
