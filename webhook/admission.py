"""AdmissionReviews: what an API server asks, and what it is answered.

Source: k8s.io/api/admission/v1 types.go; apiserver pkg/admission/plugin/webhook/request.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeGuard

from api.objects import JSON
from kube.decoding import decode_json
from webhook.errors import MalformedReview

API_VERSION: Final = "admission.k8s.io/v1"
KIND: Final = "AdmissionReview"
_WRITES: Final = ("CREATE", "UPDATE")


class Repeating(dict[str, Any]):
    """A JSON object that has several members of a name, of which the last one counts.

    Attributes:
        repeated: those names.
    """

    def __init__(self, members: list[tuple[str, Any]]) -> None:
        """Make the object of its members."""
        super().__init__(members)
        times = Counter(name for name, _ in members)
        self.repeated = [name for name, count in times.items() if count > 1]


@dataclass(frozen=True, slots=True)
class Request:
    """A write that is to be allowed or denied.

    Attributes:
        uid: to be sent back.
        group: of the resource, empty for the core group.
        version: of the group in which the object is sent.
        resource: plural, with its subresource if there is one.
        kind: of the object.
        operation: such as CREATE.
        name: of the object; before it is created maybe only how it begins.
        obj: as it is to be; `{}` for what is neither CREATE nor UPDATE.
        old: as it is, `{}` before it is created.
    """

    uid: str
    group: str
    version: str
    resource: str
    kind: str
    operation: str
    name: str
    obj: JSON
    old: JSON

    @property
    def writes_spec(self) -> bool:
        """Whether the spec becomes another one; who removes a finalizer leaves it as it is."""
        return self.operation in _WRITES and self.obj.get("spec") != self.old.get("spec")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a field of an object; an empty field is the whole object."""

    field: str
    text: str

    def __str__(self) -> str:
        return f"{self.field}: {self.text}" if self.field else self.text


def read(text: bytes) -> Request:
    """Read a request.

    Raises:
        MalformedReview: it is none; with what is wrong.
    """
    try:
        body = decode_json(text, _member_object)
    except (ValueError, RecursionError) as error:
        raise MalformedReview(f"the body is not JSON: {error}") from error
    found = tuple(body.get(name) for name in ("apiVersion", "kind")) if _is_object(body) else None
    if found != (API_VERSION, KIND):
        given = f"apiVersion {found[0]!r} and kind {found[1]!r}" if found else "no object"
        raise MalformedReview(
            f"the body has to be an {KIND} of {API_VERSION}, this has {given}; set "
            "admissionReviewVersions: [v1] in the ValidatingWebhookConfiguration"
        )
    return _request(body.get("request"))


def allowed(uid: str) -> JSON:
    """Return the answer that lets a request pass."""
    return _answer({"uid": uid, "allowed": True})


def invalid(request: Request, problems: Sequence[Problem]) -> JSON:
    """Return the answer that refuses an object, with all that is wrong with it."""
    told = [str(each) for each in problems]
    details = {
        "name": request.name,
        "group": request.group,
        "kind": request.kind,
        "causes": [
            {"reason": "FieldValueInvalid", "field": each.field, "message": each.text}
            for each in problems
        ],
    }
    qualified = f"{request.kind}.{request.group}"
    what = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    message = f'{qualified} "{request.name}" is invalid: {what}'
    return _denied(request, HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message, details)


def bad_request(request: Request, message: str) -> JSON:
    """Return the answer to a request that should not have been sent here."""
    return _denied(request, HTTPStatus.BAD_REQUEST, "BadRequest", message)


def _denied(
    request: Request, code: HTTPStatus, reason: str, message: str, details: JSON | None = None
) -> JSON:
    status = {"status": "Failure", "code": int(code), "reason": reason, "message": message}
    if details is not None:
        status["details"] = details
    return _answer({"uid": request.uid, "allowed": False, "status": status})


def _answer(response: JSON) -> JSON:
    return {"apiVersion": API_VERSION, "kind": KIND, "response": response}


def _request(raw: Any) -> Request:
    if not _is_object(raw):
        raise MalformedReview("request of the AdmissionReview has to be an object")
    if not raw.get("uid"):
        raise MalformedReview("request.uid of the AdmissionReview has to be set")
    operation = _text(raw, "operation", "request")
    resource = _object(raw, "resource", "request")
    kind = raw.get("kind")
    obj = _object(raw, "object", "request") if operation in _WRITES else {}
    below = _text(raw, "subResource", "request")
    plural = _text(resource, "resource", "request.resource")
    return Request(
        uid=_text(raw, "uid", "request"),
        group=_text(resource, "group", "request.resource"),
        version=_text(resource, "version", "request.resource"),
        resource=f"{plural}/{below}" if below else plural,
        kind=_text(kind, "kind", "request.kind") if _is_object(kind) else "",
        operation=operation,
        name=_text(raw, "name", "request") or _generated(obj),
        obj=obj,
        old=_object(raw, "oldObject", "request") if operation == "UPDATE" else {},
    )


def _generated(obj: JSON) -> str:
    metadata = obj.get("metadata")
    name = metadata.get("generateName") if _is_object(metadata) else None
    return name if isinstance(name, str) else ""


def _text(raw: JSON, name: str, at: str) -> str:
    value = raw.get(name) or ""
    if not isinstance(value, str):
        raise MalformedReview(f"{at}.{name} of the AdmissionReview has to be a string")
    return value


def _object(raw: JSON, name: str, at: str) -> JSON:
    value = raw.get(name)
    if not _is_object(value):
        raise MalformedReview(f"{at}.{name} of the AdmissionReview has to be an object")
    return value


def _is_object(value: Any) -> TypeGuard[JSON]:
    return isinstance(value, dict)


def _member_object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(members)
    return made if len(made) == len(members) else Repeating(members)
