from api.errors import DriverError
from kube import errors
from kube.errors import api_error
from tests.support.tables import cases


@cases(
    ("code", "reason", "expected"),
    {
        "bad-request": (400, "BadRequest", errors.ApiError),
        "unauthorized": (401, "Unauthorized", errors.Unauthorized),
        "forbidden": (403, "Forbidden", errors.Forbidden),
        "not-found": (404, "NotFound", errors.NotFound),
        "conflict": (409, "Conflict", errors.Conflict),
        "already-exists": (409, "AlreadyExists", errors.AlreadyExists),
        "expired": (410, "Expired", errors.Gone),
        "gone": (410, "Gone", errors.Gone),
        "invalid": (422, "Invalid", errors.Invalid),
        "too-many": (429, "TooManyRequests", errors.TooManyRequests),
        "internal": (500, "InternalError", errors.ServerError),
        "unavailable": (503, "", errors.ServerError),
        "timeout": (504, "Timeout", errors.ServerError),
    },
)
def test_status_code_decides_on_the_class(
    code: int, reason: str, expected: type[errors.ApiError]
) -> None:
    error = api_error(code, {"reason": reason}, call="get pods a/b")
    assert type(error) is expected
    assert isinstance(error, DriverError)
    assert (error.status, error.reason) == (code, reason)


def test_text_names_the_call_what_the_server_says_and_the_remedy() -> None:
    status = {"reason": "Forbidden", "message": 'pods "b" is forbidden'}
    error = api_error(403, status, call="get pods a/b")
    assert str(error) == (
        'get pods a/b: 403 Forbidden: pods "b" is forbidden; '
        "grant this verb in a Role or ClusterRole bound to the user or service account"
    )


def test_path_that_is_no_resource_is_granted_otherwise() -> None:
    message = 'forbidden: User "jane" cannot get path "/version"'
    error = api_error(403, {"reason": "Forbidden", "message": message}, call="get /version")
    assert str(error) == (
        f"get /version: 403 Forbidden: {message}; grant this path in nonResourceURLs of a "
        "ClusterRole bound to the user or service account, as system:discovery has it"
    )


def test_empty_status_still_gives_a_readable_error() -> None:
    error = api_error(404, {}, call="get pods a/b")
    assert (error.reason, error.message, error.details) == ("", "", {})
    assert str(error) == "get pods a/b: 404"


@cases(
    ("header", "details", "expected"),
    {
        "not-said": (None, {}, None),
        "in-the-status": (None, {"retryAfterSeconds": 3}, 3.0),
        "zero-in-the-status-is-unset": (None, {"retryAfterSeconds": 0}, None),
        "header-wins": (2.0, {"retryAfterSeconds": 3}, 2.0),
        "header-says-now": (0.0, {"retryAfterSeconds": 3}, 0.0),
    },
)
def test_retry_after(header: float | None, details: dict, expected: float | None) -> None:
    error = api_error(429, {"details": details}, call="list pods", retry_after=header)
    assert error.retry_after == expected
