"""Errors of talking to the API server.

DriverError
└─ KubeError                  every error of this package
   ├─ ConfigError             no way to reach or to authenticate to an API server
   ├─ TransportError          no usable answer; see the subclass for what may have happened
   │  ├─ ConnectFailed        no connection, so the server saw nothing of the request
   │  ├─ TlsFailed            the connection is not trusted, or encryption broke
   │  ├─ ReadTimeout          the request was sent, the answer did not come in time
   │  │  └─ WatchSilent       an open watch brought neither events nor bookmarks any more
   │  └─ BrokenAnswer         the answer broke off, or is not what an API server sends
   ├─ WentBack                the API server has lost writes that were seen, by a restore
   └─ ApiError                the API server refused, by status code
      ├─ Unauthorized         401
      ├─ Forbidden            403
      ├─ NotFound             404
      ├─ Conflict             409, also for a repeated PUT whose first try had succeeded
      │  └─ AlreadyExists     409 of a create
      ├─ Gone                 410, a resourceVersion or continue token is too old
      ├─ Invalid              422
      ├─ TooManyRequests      429
      └─ ServerError          5xx
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from api.errors import DriverError
from api.objects import JSON


class KubeError(DriverError):
    """Talking to the API server failed."""


class ConfigError(KubeError):
    """The kubeconfig or the service account does not lead to an API server."""


class TransportError(KubeError):
    """There is no usable answer of the API server."""


class ConnectFailed(TransportError):
    """There was no connection; the API server saw nothing of the request."""


class TlsFailed(TransportError):
    """The API server's certificate is not trusted, or the encrypted connection broke."""


class ReadTimeout(TransportError):
    """The answer did not come in time; the request may have been carried out."""


class WatchSilent(ReadTimeout):
    """An open watch brought neither an event nor a bookmark for too long; watch on anew."""


class BrokenAnswer(TransportError):
    """The answer broke off or is not JSON; the request may have been carried out."""


class WentBack(KubeError):
    """The API server is behind what was seen of it: its storage was restored from a backup."""


class ApiError(KubeError):
    """The API server refused a request.

    Attributes:
        status: HTTP status code.
        reason: machine-readable reason of the Status object, e.g. `AlreadyExists`; may be empty.
        message: what the server says.
        details: `details` of the Status object, `{}` if it has none.
        retry_after: seconds that the server asks to wait, None if it does not say.
        refusal: the text of the error without remedy, for who knows a better one.
    """

    remedy: ClassVar[str] = ""
    """What helps, for the text of the error; see `_advice`."""

    def __init__(
        self,
        status: int,
        reason: str = "",
        message: str = "",
        details: JSON | None = None,
        *,
        call: str = "",
        retry_after: float | None = None,
    ) -> None:
        """Build the error.

        Args:
            status: HTTP status code.
            reason: reason of the Status object.
            message: message of the Status object.
            details: details of the Status object.
            call: verb, resource and object of the request, for the text of the error.
            retry_after: seconds that the server asks to wait.
        """
        self.status = status
        self.reason = reason
        self.message = message
        self.details = details if details is not None else {}
        self.retry_after = retry_after
        parts = (call, f"{status} {reason}".strip(), message)
        self.refusal = ": ".join(part for part in parts if part)
        advice = self._advice()
        super().__init__(f"{self.refusal}; {advice}" if advice else self.refusal)

    def _advice(self) -> str:
        return self.remedy


class Unauthorized(ApiError):
    """401: the credentials are missing or expired."""

    remedy = "check the user of the kubeconfig or the token of the service account"


class Forbidden(ApiError):
    """403: RBAC or an admission plugin does not allow it."""

    remedy = "grant this verb in a Role or ClusterRole bound to the user or service account"

    def _advice(self) -> str:
        if "cannot get path" not in self.message:
            return self.remedy
        return (
            "grant this path in nonResourceURLs of a ClusterRole bound to the user or service "
            "account, as system:discovery has it"
        )


class NotFound(ApiError):
    """404: no such object, or the API server does not serve the resource."""


class Conflict(ApiError):
    """409: the object changed since it was read; read it again and decide anew."""


class AlreadyExists(Conflict):
    """409 of a create: there is an object of this name."""


class Gone(ApiError):
    """410: the resourceVersion or the continue token is too old; list again."""


class Invalid(ApiError):
    """422: validation refused this content, and will refuse it again."""


class TooManyRequests(ApiError):
    """429: priority and fairness asks to slow down."""

    remedy = "lower the client's QPS or raise its share in API priority and fairness"


class ServerError(ApiError):
    """5xx: the API server or something in front of it failed."""

    remedy = "see the log of the API server"


_BY_STATUS: Final[Mapping[int, type[ApiError]]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}


def _error_class(status: int, reason: str) -> type[ApiError]:
    if status == 409 and reason == "AlreadyExists":
        return AlreadyExists
    if status >= 500:
        return ServerError
    return _BY_STATUS.get(status, ApiError)


def api_error(code: int, status: JSON, *, call: str, retry_after: float | None = None) -> ApiError:
    """Return the error for a `Status` object of the API server.

    Args:
        code: HTTP status code.
        status: the decoded Status object, `{}` if the body was none.
        call: verb, resource and object of the request.
        retry_after: seconds of the Retry-After header; `details.retryAfterSeconds` if None.

    Source: apimachinery pkg/apis/meta/v1 Status, StatusReason.
    """
    reason = str(status.get("reason") or "")
    details: JSON = status.get("details") or {}
    asked = details.get("retryAfterSeconds")
    if retry_after is None and asked:
        retry_after = float(asked)
    return _error_class(code, reason)(
        code,
        reason,
        str(status.get("message") or ""),
        details,
        call=call,
        retry_after=retry_after,
    )
