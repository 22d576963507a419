import pytest

from api.errors import DriverError
from kube import errors
from kube.errors import api_error


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        pytest.param(400, "BadRequest", errors.ApiError, id="bad-request"),
        pytest.param(401, "Unauthorized", errors.Unauthorized, id="unauthorized"),
        pytest.param(403, "Forbidden", errors.Forbidden, id="forbidden"),
        pytest.param(404, "NotFound", errors.NotFound, id="not-found"),
        pytest.param(409, "Conflict", errors.Conflict, id="conflict"),
        pytest.param(409, "AlreadyExists", errors.AlreadyExists, id="already-exists"),
        pytest.param(410, "Expired", errors.Gone, id="expired"),
        pytest.param(410, "Gone", errors.Gone, id="gone"),
        pytest.param(422, "Invalid", errors.Invalid, id="invalid"),
        pytest.param(429, "TooManyRequests", errors.TooManyRequests, id="too-many"),
        pytest.param(500, "InternalError", errors.ServerError, id="internal"),
        pytest.param(503, "", errors.ServerError, id="unavailable"),
        pytest.param(504, "Timeout", errors.ServerError, id="timeout"),
    ],
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


def test_empty_status_still_gives_a_readable_error() -> None:
    error = api_error(404, {}, call="get pods a/b")
    assert (error.reason, error.message, error.details) == ("", "", {})
    assert str(error) == "get pods a/b: 404"


@pytest.mark.parametrize(
    ("header", "details", "expected"),
    [
        pytest.param(None, {}, None, id="not-said"),
        pytest.param(None, {"retryAfterSeconds": 3}, 3.0, id="in-the-status"),
        pytest.param(None, {"retryAfterSeconds": 0}, None, id="zero-in-the-status-is-unset"),
        pytest.param(2.0, {"retryAfterSeconds": 3}, 2.0, id="header-wins"),
        pytest.param(0.0, {"retryAfterSeconds": 3}, 0.0, id="header-says-now"),
    ],
)
def test_retry_after(header: float | None, details: dict, expected: float | None) -> None:
    error = api_error(429, {"details": details}, call="list pods", retry_after=header)
    assert error.retry_after == expected
