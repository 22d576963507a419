"""Log records as lines: klog-like text for people, JSON for machines.

Pure: a record goes in, one line comes out. Values are made harmless on the way, whatever they are:
one record cannot pretend to be two, a Kubernetes object is named and not dumped, and a secret is
not shown. Called by the handler that `ops.logs.configure` installs.

Source: the forms of k8s.io/klog/v2 and of k8s.io/component-base/logs/json.
"""

import json
import logging
import math
import re
import time
import traceback
from collections.abc import Iterable, Mapping
from typing import Any, Final

from api.errors import DriverError
from api.objects import key_of

LONGEST_VALUE: Final = 4096
"""Characters of one string value that are shown."""

_DEEPEST: Final = 5
_MOST_ITEMS: Final = 64
_REDACTED: Final = "<redacted>"
_SECRET_KEY: Final = re.compile(r"token|authorization|password|secret", re.IGNORECASE)
_BEARER: Final = re.compile(r"(bearer\s+)[\w.~+/=-]{16,}", re.IGNORECASE)
_RESERVED: Final = frozenset({"ts", "level", "v", "logger", "msg"})
_BARE_KEY: Final = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)


class TextFormatter(logging.Formatter):
    """`I1121 06:47:34.123456 name] "message" key="value"`, in local time."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a traceback follows it, indented by a tab."""
        at = time.strftime("%m%d %H:%M:%S", time.localtime(record.created))
        micros = int(record.created % 1 * 1_000_000)
        head = f"{_letter(record.levelno)}{at}.{micros:06d} {record.name}] "
        pairs = [f"{_key(k)}={_text(v)}" for k, v in _keys(record).items()]
        line = " ".join([head + quote(_message(record)), *pairs])
        trace = _traceback(record)
        return line if trace is None else line + "\n\t" + trace.replace("\n", "\n\t")


class JsonFormatter(logging.Formatter):
    """One JSON document a line: ts (Unix seconds), level, v, logger, msg, then the keys."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a traceback is the value of `stack`."""
        document: dict[str, Any] = {
            "ts": round(record.created, 6),
            "level": record.levelname.lower(),
            "v": getattr(record, "v", _verbosity(record.levelno)),
            "logger": record.name,
            "msg": _message(record),
        }
        for key, value in _keys(record).items():
            document[f"{key}_" if key in _RESERVED else key] = value
        trace = _traceback(record)
        if trace is not None:
            document["stack"] = trace
        return _escape(json.dumps(document, ensure_ascii=False))


def quote(text: str) -> str:
    """Return `text` as a JSON string of printable characters only, on one line."""
    return _escape(json.dumps(text, ensure_ascii=False))


def plain(value: object) -> Any:
    """Return `value` as something JSON can carry.

    A Kubernetes object, or a view with one in `raw`, becomes `namespace/name`; values of secret
    keys are replaced; what is too long, too deep or too many is cut; all else becomes `str`.
    """
    try:
        return _plain(value, 0)
    except Exception:  # noqa: BLE001 - a log line never fails, whatever __str__ does
        return f"<unprintable {type(value).__name__}>"


def _plain(value: object, depth: int) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return _shorten(_BEARER.sub(rf"\1{_REDACTED}", value))
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, BaseException):
        return _plain(f"{type(value).__name__}: {value}", depth)
    if isinstance(value, list | tuple | set | frozenset):
        return _sequence(value, depth)
    raw = getattr(value, "raw", value)
    if isinstance(raw, Mapping):
        return _reference(raw) or _mapping(raw, depth)
    return _plain(str(value), depth)


def _mapping(value: Mapping[Any, Any], depth: int) -> Any:
    if depth >= _DEEPEST:
        return "{…}"
    items = list(value.items())[:_MOST_ITEMS]
    return {str(k): _REDACTED if _is_secret(k) else _plain(v, depth + 1) for k, v in items}


def _sequence(value: Iterable[object], depth: int) -> Any:
    if depth >= _DEEPEST:
        return "[…]"
    items = list(value)
    shown = [_plain(item, depth + 1) for item in items[:_MOST_ITEMS]]
    left = len(items) - len(shown)
    return [*shown, f"… {left} more"] if left else shown


def _reference(obj: Mapping[str, Any]) -> str | None:
    meta = obj.get("metadata")
    named = isinstance(meta, Mapping) and "name" in meta
    return _shorten(str(key_of(dict(obj)))) if named else None


def _shorten(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"


def _is_secret(key: object) -> bool:
    return isinstance(key, str) and _SECRET_KEY.search(key) is not None


def _escape(document: str) -> str:
    """Escape what json leaves: C1 controls, line separators, bidi marks, lone surrogates."""
    if document.isprintable():
        return document
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in document)


def _message(record: logging.LogRecord) -> str:
    try:
        return str(plain(record.getMessage()))
    except Exception:  # noqa: BLE001 - foreign loggers pass wrong %-arguments at times
        return str(plain(record.msg))


def _keys(record: logging.LogRecord) -> dict[str, Any]:
    given = getattr(record, "keys", None)
    keys = given if isinstance(given, Mapping) else {}
    shown = {str(k): _REDACTED if _is_secret(k) else plain(v) for k, v in keys.items()}
    if record.exc_info and record.exc_info[1] is not None:
        shown.setdefault("err", plain(record.exc_info[1]))
    return shown


def _traceback(record: logging.LogRecord) -> str | None:
    """Return the stack of an unexpected exception; a DriverError says all in its message."""
    error = record.exc_info[1] if record.exc_info else None
    if error is None or isinstance(error, DriverError):
        return None
    lines = "".join(traceback.format_exception(error)).splitlines()
    return "\n".join(str(plain(_escape(line))) for line in lines)


def _letter(level: int) -> str:
    if level >= logging.CRITICAL:
        return "F"
    if level >= logging.ERROR:
        return "E"
    return "W" if level >= logging.WARNING else "I"


def _verbosity(level: int) -> int:
    """Return the verbosity from which a library's record is shown."""
    if level >= logging.WARNING:
        return 0
    return 2 if level >= logging.INFO else 4


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else quote(key)


def _text(value: Any) -> str:
    return (
        quote(value) if isinstance(value, str) else _escape(json.dumps(value, ensure_ascii=False))
    )
