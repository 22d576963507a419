"""Points in time as the Kubernetes API writes them."""

from datetime import UTC, datetime


def timestamp(seconds: float) -> str:
    """Return a metav1.Time, which is in whole seconds, for seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_time(seconds: float) -> str:
    """Return a metav1.MicroTime for seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: object) -> datetime | None:
    """Return a time of an object, None when it is absent or not RFC 3339 with a zone."""
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else None
