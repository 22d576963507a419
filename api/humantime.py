"""Times as kubectl prints them: ages such as `5m30s` and `3d4h`.

Source: k8s.io/apimachinery/pkg/util/duration/duration.go, HumanDuration.
"""

from datetime import datetime

from api.times import parse_time

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_YEAR = 365 * _DAY


def age(text: object, now: datetime) -> str:
    """Return how long ago a time of an object was.

    Args:
        text: RFC 3339.
        now: with a time zone.

    Returns:
        The age; `<unknown>` for no time at all, `<invalid>` for one in the far future.
    """
    if text is None or text == "":
        return "<unknown>"
    then = parse_time(text)
    return human_duration((now - then).total_seconds()) if then else "<invalid>"


def human_duration(seconds: float) -> str:
    """Return a duration with two or three digits of precision, as kubectl does."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    for below, unit, name, lesser, lesser_name in _STEPS:
        if whole < below:
            return _in_units(whole, unit, name, lesser, lesser_name)
    return f"{whole // _YEAR}y"


_STEPS = (
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)
"""Below how many seconds, in which unit, with which lesser unit."""


def _in_units(seconds: int, unit: int, name: str, lesser: int, lesser_name: str) -> str:
    rest = seconds % unit // lesser if lesser else 0
    return f"{seconds // unit}{name}" + (f"{rest}{lesser_name}" if rest else "")
