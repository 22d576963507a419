"""Structured logs with klog's verbosity: a constant message, then keys and values.

A thin layer over stdlib logging, so that libraries and the driver end in the same stream and form.
Packages that cannot import this one log through stdlib with `extra={"keys": {...}}`, which gives
the same lines. Formats are in `ops.logformat`.

    verbosity  shows
    0, 1       warnings and errors
    2, 3       also steady-state facts and decisions (info)
    4, 5       also the flow of every decision (debug)
    6 to 10    also info of the libraries; never their debug, which holds headers and bodies
"""

import logging
import sys
from collections.abc import Mapping
from typing import Final, TextIO

from ops.logformat import JsonFormatter, TextFormatter

INFO_VERBOSITY: Final = 2
DEBUG_VERBOSITY: Final = 4

_LIBRARIES_VERBOSITY: Final = 6
_LIBRARIES: Final = (
    "asyncio",
    "flask",
    "grpc",
    "gunicorn",
    "gunicorn.access",
    "gunicorn.error",
    "kubernetes",
    "urllib3",
    "werkzeug",
)


class Logger:
    """Writes records with keys; cheap when the level is off. Made by `get_logger`."""

    __slots__ = ("_keys", "_sink")

    def __init__(self, sink: logging.Logger, keys: Mapping[str, object]) -> None:
        self._sink = sink
        self._keys = keys

    def with_(self, **keys: object) -> "Logger":
        """Return a logger that adds `keys` to every record."""
        return Logger(self._sink, {**self._keys, **keys})

    def debug(self, message: str, /, **keys: object) -> None:
        """Log the flow of a decision, shown from verbosity 4."""
        self._log(logging.DEBUG, DEBUG_VERBOSITY, message, keys)

    def info(self, message: str, /, **keys: object) -> None:
        """Log a fact or a decision, shown from verbosity 2."""
        self._log(logging.INFO, INFO_VERBOSITY, message, keys)

    def warning(self, message: str, /, **keys: object) -> None:
        """Log what somebody may have to look at; always shown."""
        self._log(logging.WARNING, 0, message, keys)

    def error(self, message: str, /, exc: BaseException | None = None, **keys: object) -> None:
        """Log a failure; always shown.

        Args:
            message: what failed, constant.
            exc: the cause, shown as `err`; with its stack unless it is a DriverError.
            keys: on which object.
        """
        self._log(logging.ERROR, 0, message, keys, exc)

    def _log(
        self,
        level: int,
        v: int,
        message: str,
        keys: Mapping[str, object],
        exc: BaseException | None = None,
    ) -> None:
        if not self._sink.isEnabledFor(level):
            return
        extra = {"v": v, "keys": {**self._keys, **keys}}
        # as an argument, so that a percent sign in the message is only that
        self._sink.log(level, "%s", message, extra=extra, exc_info=exc)


def get_logger(name: str) -> Logger:
    """Return the logger of a module or thread; `name` stands before the message."""
    return Logger(logging.getLogger(name), {})


def level_of(verbosity: int) -> int:
    """Return the lowest stdlib level that a verbosity shows."""
    if verbosity >= DEBUG_VERBOSITY:
        return logging.DEBUG
    return logging.INFO if verbosity >= INFO_VERBOSITY else logging.WARNING


def configure(format: str, verbosity: int, stream: TextIO | None = None) -> None:  # noqa: A002
    """Send all logs of the process to one stream, in one form.

    Args:
        format: `text` or `json`.
        verbosity: 0 to 10, see the module.
        stream: standard error if not given.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level_of(verbosity))
    _quiet_libraries(logging.INFO if verbosity >= _LIBRARIES_VERBOSITY else logging.WARNING)


def _quiet_libraries(level: int) -> None:
    for name in _LIBRARIES:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(level)
