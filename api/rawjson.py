"""JSON that is kept as the text that somebody sent, and where in an object that is; pure.

The API server compares a raw extension, such as the parameters of a driver, byte by byte with what
its creator sent.
Source: apimachinery pkg/runtime/extension.go.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

Path: TypeAlias = tuple[str, ...]
"""Names of fields; `*` stands for every entry of a list."""

Change: TypeAlias = Callable[[Any], Any]

_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


class RawJson(str):
    """The JSON text of a value, as it was sent."""

    __slots__ = ()


def rewritten(value: Any, path: Sequence[str], change: Change) -> Any:
    """Return a value with what is at a path changed; the rest is shared, and all if nothing is."""
    if not path:
        return change(value)
    step, rest = path[0], path[1:]
    if step == "*" and isinstance(value, list):
        return [rewritten(each, rest, change) for each in value]
    if not isinstance(value, dict) or step not in value:
        return value
    inner = rewritten(value[step], rest, change)
    return value if inner is value[step] else {**value, step: inner}


def encoded(value: Any) -> str:
    """Return a value without white space, but each RawJson in it as it is."""
    if isinstance(value, RawJson):
        return value
    if isinstance(value, dict):
        return f"{{{','.join(f'{_ENCODER.encode(k)}:{encoded(v)}' for k, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(map(encoded, value))}]"
    return _ENCODER.encode(value)
