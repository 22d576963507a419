"""Which failed calls are worth another try, and after how long; pure. Called by client.py."""

from typing import Final

from kube.backoff import Backoff
from kube.calls import Call
from kube.errors import ApiError, ConnectFailed, ServerError, TooManyRequests, TransportError

_BACKOFF: Final = Backoff(first=0.4, longest=3.0)


def passes_by_itself(call: Call, error: BaseException | None) -> bool:
    """Tell whether to send a call again after an error."""
    if isinstance(error, ConnectFailed | TooManyRequests):
        return True
    return call.repeatable and isinstance(error, TransportError | ServerError)


def pause(error: BaseException | None, attempt: int, chance: float) -> float:
    """Return the seconds to wait after a failed attempt.

    Args:
        error: the failure; the server may have said when to come again.
        attempt: its number, from 1 on.
        chance: in [0, 1), for the jitter that halves the pause at most.
    """
    if isinstance(error, ApiError) and error.retry_after is not None:
        return error.retry_after
    return _BACKOFF.jittered(attempt, chance)
