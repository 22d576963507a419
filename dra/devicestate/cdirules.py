"""Whether container runtimes load a CDI spec. Pure.

Runtimes refuse a whole file for one entry that they do not understand, and a file of an unusual
kind has ended one. So this is stricter than they are: nothing passes but what the driver's port can
say, in the types of the specification.
Source: container-device-interface SPEC.md, schema/defs.json, pkg/cdi/container-edits.go (v1.1.0);
runtime-spec config.md for hooks.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from api.cdi import is_device_name, is_kind, lowest_version
from api.objects import JSON
from dra.errors import InvalidCdiSpec

_ENTRY: Final = re.compile(r"[^=]+=.*", re.DOTALL)
_HOOKS: Final = frozenset(
    {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}
)


class Rule(NamedTuple):
    """What a value has to be.

    Attributes:
        holds: whether a value is so.
        text: how it has to be, after `must be`.
    """

    holds: Callable[[Any], bool]
    text: str


def validate(spec: JSON) -> None:
    """Check a spec by the rules that runtimes load it with.

    Raises:
        InvalidCdiSpec: with everything that is wrong.
    """
    found = "; ".join(_faults(spec))
    if found:
        raise InvalidCdiSpec(f"CDI spec of kind {spec.get('kind')!r} is invalid: {found}")


def _faults(spec: JSON) -> Iterator[str]:
    yield from _unknown("", spec, {"cdiVersion", "kind", "devices"})
    if not is_kind(spec.get("kind")):
        yield "kind must be vendor/class, both of two or more letters, digits, '-', '_', '.'"
    devices = spec.get("devices")
    if not isinstance(devices, list) or not devices:
        yield "it has no devices"
        return
    wrong = [fault for device in devices for fault in _device_faults(device)]
    yield from wrong
    if wrong:
        return
    counts = Counter(device["name"] for device in devices)
    yield from (f"two devices named {n!r}" for n, count in sorted(counts.items()) if count > 1)
    yield from _collisions(devices)
    if spec.get("cdiVersion") != (version := lowest_version(spec)):
        yield f"cdiVersion must be {version}"


def _device_faults(device: Any) -> Iterator[str]:
    if not isinstance(device, dict):
        yield f"device {device!r} is no object"
        return
    name, edits = device.get("name"), device.get("containerEdits")
    where = f"device {name!r}"
    yield from _unknown(where, device, {"name", "containerEdits"})
    if not is_device_name(name):
        yield f"device name {name!r} has characters other than letters, digits, '_', '.', ':', '-'"
    if not isinstance(edits, dict) or not any(edits.values()):
        yield f"{where} edits nothing"
        return
    yield from _unknown(where, edits, {"env", "additionalGids", *_OBJECTS})
    yield from _entries(where, edits, "env", _ENV)
    yield from _entries(where, edits, "additionalGids", _GID)
    for field, rules in _OBJECTS.items():
        for index, entry in enumerate(_list(edits.get(field, []))):
            yield from _object_faults(f"{where} {field}[{index}]", entry, *rules)


def _object_faults(
    where: str, entry: Any, rules: Mapping[str, Rule], required: tuple[str, ...]
) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield f"{where} is no object"
        return
    yield from _unknown(where, entry, rules.keys())
    yield from (f"{where} has no {name}" for name in required if name not in entry)
    for name, rule in rules.items():
        if name in entry and not rule.holds(entry[name]):
            yield f"{where}.{name} is {entry[name]!r}, must be {rule.text}"


def _entries(where: str, edits: JSON, field: str, rule: Rule) -> Iterator[str]:
    for entry in _list(edits.get(field, [])):
        if not rule.holds(entry):
            yield f"{where} has {field} {entry!r}, must be {rule.text}"


def _unknown(where: str, value: JSON, known: Any) -> Iterator[str]:
    unknown = value.keys() - known
    if unknown:
        yield f"{where} unknown fields {', '.join(sorted(map(str, unknown)))}".strip()


def _list(value: Any) -> list[Any]:
    """Return a list; of anything else one that no rule takes."""
    return value if isinstance(value, list) else [None]


def _collisions(devices: list[JSON]) -> Iterator[str]:
    """Yield what two devices set differently: containers get devices in no certain order."""
    for what, setting in _SETTINGS.items():
        seen: dict[str, Any] = {}
        for device in devices:
            for name, value in setting(device["containerEdits"]):
                if seen.setdefault(name, value) != value:
                    yield f"two edits collide, both set {what} {name}; give it to one device only"


def _variables(edits: JSON) -> Iterator[tuple[str, Any]]:
    for entry in edits.get("env", ()):
        name, _, value = entry.partition("=")
        yield name, value


_SETTINGS: Final[Mapping[str, Callable[[JSON], Iterator[tuple[str, Any]]]]] = {
    "variable": _variables,
    "mount": lambda edits: ((m["containerPath"], m) for m in edits.get("mounts", ())),
    "device node": lambda edits: ((n["path"], n) for n in edits.get("deviceNodes", ())),
}


def _is_text(value: Any) -> bool:
    """Tell whether a program can be given a string: no end in it, and UTF-8 can write it."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_number(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_permissions(value: Any) -> bool:
    return isinstance(value, str) and set("rwm") >= set(value) > set()


def _is_env(value: Any) -> bool:
    return _is_text(value) and bool(_ENTRY.fullmatch(value))


_ENV: Final = Rule(_is_env, "NAME=value, with a name that has no '='")
_GID: Final = Rule(lambda v: _is_number(v, 1, 2**32 - 2), "a group of 1 to 4294967294")
_PATH: Final = Rule(lambda v: _is_text(v) and v.startswith("/"), "an absolute path")
_TEXTS: Final = Rule(_is_texts, "a list of strings")
_DEVICE_NUMBER: Final = Rule(lambda v: _is_number(v, 0, 2**32 - 1), "a number of a device")
_OBJECTS: Final[Mapping[str, tuple[Mapping[str, Rule], tuple[str, ...]]]] = {
    "mounts": (
        {
            "hostPath": _PATH,
            "containerPath": _PATH,
            "options": _TEXTS,
            "type": Rule(lambda v: _is_text(v) and v != "", "the type of a file system"),
        },
        ("hostPath", "containerPath"),
    ),
    "deviceNodes": (
        {
            "path": _PATH,
            "hostPath": _PATH,
            "type": Rule(lambda v: v in ("b", "c", "u", "p"), "one of b, c, u, p"),
            "major": _DEVICE_NUMBER,
            "minor": _DEVICE_NUMBER,
            "permissions": Rule(_is_permissions, "some of r, w, m"),
        },
        ("path",),
    ),
    "hooks": (
        {
            "hookName": Rule(lambda v: _is_text(v) and v in _HOOKS, "one of OCI's hooks"),
            "path": _PATH,
            "args": _TEXTS,
            "env": Rule(
                lambda v: isinstance(v, list) and all(map(_is_env, v)), "a list of NAME=value"
            ),
            "timeout": Rule(lambda v: _is_number(v, 1, 2**31 - 1), "seconds, 1 or more"),
        },
        ("hookName", "path"),
    ),
}
