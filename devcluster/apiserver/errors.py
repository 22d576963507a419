"""Answers other than success, each of which becomes a metav1.Status body.

    DriverError
    └─ StatusError                code    reason of the Status
       ├─ BadRequest              400     BadRequest
       ├─ Forbidden               403     Forbidden
       ├─ NotFound                404     NotFound
       ├─ MethodNotAllowed        405     MethodNotAllowed
       ├─ AlreadyExists           409     AlreadyExists
       ├─ Conflict                409     Conflict
       ├─ Expired                 410     Expired
       ├─ UnsupportedMediaType    415     UnsupportedMediaType
       ├─ Invalid                 422     Invalid
       └─ TooLargeVersion         504     Timeout

Source: k8s.io/apimachinery/pkg/api/errors; the texts are those that kubectl prints.
"""

from collections.abc import Sequence
from typing import ClassVar

from api.errors import DriverError
from api.objects import JSON
from devcluster.apiserver.fielderrors import FieldError
from devcluster.apiserver.kinds import Kind


class StatusError(DriverError):
    """An answer other than success."""

    code: ClassVar[int] = 500
    reason: ClassVar[str] = "InternalError"

    def __init__(self, message: str, details: JSON | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def body(self) -> JSON:
        """Return the metav1.Status."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            # kubectl debug crashes on a 404 without details
            **({} if self.details is None else {"details": self.details}),
            "code": self.code,
        }


class BadRequest(StatusError):
    """The request cannot be read."""

    code, reason = 400, "BadRequest"


class Forbidden(StatusError):
    """The request is understood, and not allowed in this state."""

    code, reason = 403, "Forbidden"


class NotFound(StatusError):
    """No such object, resource or path."""

    code, reason = 404, "NotFound"


class MethodNotAllowed(StatusError):
    """The resource has no such verb."""

    code, reason = 405, "MethodNotAllowed"


class AlreadyExists(StatusError):
    """An object of that name is there."""

    code, reason = 409, "AlreadyExists"


class Conflict(StatusError):
    """Another write came first, or a precondition does not hold."""

    code, reason = 409, "Conflict"


class Expired(StatusError):
    """The history that a watch or a continued list needs is gone."""

    code, reason = 410, "Expired"


class UnsupportedMediaType(StatusError):
    """The body has a format that is not read here."""

    code, reason = 415, "UnsupportedMediaType"


class Invalid(StatusError):
    """The object breaks rules of its kind."""

    code, reason = 422, "Invalid"


class TooLargeVersion(StatusError):
    """A list asks for a resourceVersion that was never given out."""

    code, reason = 504, "Timeout"


def _details(kind: Kind, name: str) -> JSON:
    return {"name": name, "group": kind.group, "kind": kind.plural}


def not_found(kind: Kind, name: str) -> NotFound:
    """Return the 404 of a missing object."""
    return NotFound(f'{kind.qualified} "{name}" not found', _details(kind, name))


def already_exists(kind: Kind, name: str) -> AlreadyExists:
    """Return the 409 of a create."""
    return AlreadyExists(f'{kind.qualified} "{name}" already exists', _details(kind, name))


def conflict(kind: Kind, name: str, why: str) -> Conflict:
    """Return the 409 of an update or delete."""
    text = f'Operation cannot be fulfilled on {kind.qualified} "{name}": {why}'
    return Conflict(text, _details(kind, name))


def forbidden(kind: Kind, name: str, why: str) -> Forbidden:
    """Return a 403."""
    text = f'{kind.qualified} "{name}" is forbidden: {why}'
    return Forbidden(text, _details(kind, name))


def invalid(kind: Kind, name: str, found: Sequence[FieldError]) -> Invalid:
    """Return the 422 with every field that is wrong."""
    said = [str(error) for error in found]
    what = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    text = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
    causes = [{"reason": e.reason, "message": e.text, "field": e.path} for e in found]
    details = {"name": name, "group": kind.group, "kind": kind.kind, "causes": causes}
    return Invalid(f'{what} "{name}" is invalid: {text}', details)
