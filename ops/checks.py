"""Checks of a program's health as functions, and what became of them.

A part of a program offers a check, ops.health answers probes with the results.
"""

from collections.abc import Callable, Mapping

from ops.logs import get_logger

Check = Callable[[], str | None]
"""Returns None when all is well, else the reason why not."""

_log = get_logger("health")


def run_checks(checks: Mapping[str, Check]) -> dict[str, str | None]:
    """Return the reason of each failing check, None for the others; a check that raises fails.

    Others may change what is checked meanwhile.
    """
    return {name: _run_check(name, check) for name, check in list(checks.items())}


def _run_check(name: str, check: Check) -> str | None:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - the probe has to be answered
        _log.error("Check raised", exc=error, check=name)
        return f"{type(error).__name__}: {error}"
