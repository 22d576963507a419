"""Makes answers of objects, lists, tables and errors."""

import json
from collections.abc import Sequence
from datetime import datetime

from flask import Response, request

from api.errors import UnknownMessage
from api.objects import JSON
from api.protobuf.envelope import MEDIA_TYPE, encoded
from devcluster.apiserver.errors import StatusError
from devcluster.apiserver.kinds import Kind
from devcluster.apiserver.listing import Page
from devcluster.apiserver.storage import Stored
from devcluster.apiserver.table import table
from devcluster.apiserver.views.accepting import JSON_TYPE, Form, accepted_form


def json_answer(
    body: JSON, code: int = 200, *, warnings: Sequence[str] = (), content_type: str = JSON_TYPE
) -> Response:
    """Return an answer with a JSON body; each warning becomes a header that kubectl prints."""
    return _with_warnings(Response(dump(body), code, content_type=content_type), warnings)


def status_answer(error: StatusError) -> Response:
    """Return the answer of a request that failed."""
    answer = json_answer(error.body(), error.code)
    pause = (error.details or {}).get("retryAfterSeconds")
    if pause is not None:
        answer.headers["Retry-After"] = str(pause)
    return answer


def success(kind: Kind, obj: JSON, code: int = 200) -> Response:
    """Return the Status of a request whose answer is not an object."""
    meta = obj["metadata"]
    details = {"name": meta["name"], "kind": kind.plural, "uid": meta.get("uid", "")}
    if kind.group:
        details["group"] = kind.group
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return json_answer({**body, "details": details}, code)


def object_answer(
    kind: Kind, obj: JSON, now: datetime, code: int = 200, *, warnings: Sequence[str] = ()
) -> Response:
    """Return one object, as a table or in protobuf if the client wants that and it can be."""
    if (data := _protobuf(kind, obj)) is not None:
        return _with_warnings(Response(data, code, content_type=MEDIA_TYPE), warnings)
    shown = kind.served(obj)
    if wants_table():
        revision = str(obj["metadata"].get("resourceVersion", ""))
        shown = table(kind, [shown], revision=revision, now=now, include=included_object())
    return json_answer(shown, code, warnings=warnings)


def stored_answer(kind: Kind, stored: Stored, now: datetime) -> Response:
    """Return one object as it lies in the storage."""
    if _form() in ("table", "protobuf"):
        return object_answer(kind, stored.obj, now)
    return Response(data_of(kind, stored), content_type=JSON_TYPE)


def list_answer(kind: Kind, page: Page, now: datetime) -> Response:
    """Return a page of a list, as a table if the client wants that."""
    meta: JSON = {"resourceVersion": str(page.revision)}
    if page.token:
        meta["continue"] = page.token
    if page.remaining is not None:
        meta["remainingItemCount"] = page.remaining
    if wants_table():
        objects = [kind.served(stored.obj) for stored in page.items]
        shown = table(
            kind, objects, revision=meta["resourceVersion"], now=now, include=included_object()
        )
        shown["metadata"] = meta
        return json_answer(shown)
    head = dump({"kind": kind.list_kind, "apiVersion": kind.api_version, "metadata": meta})
    items = b",".join(data_of(kind, stored) for stored in page.items)
    return Response(head[:-1] + b',"items":[' + items + b"]}", content_type=JSON_TYPE)


def wants_table() -> bool:
    """Tell whether the client of the current request takes a table."""
    return _form() == "table"


def included_object() -> str:
    """Return what the rows of a table are to contain besides cells."""
    return request.args.get("includeObject") or "Metadata"


def data_of(kind: Kind, stored: Stored) -> bytes:
    """Return a stored object as JSON, under the version that was asked for."""
    shown = kind.served(stored.obj)
    return stored.data if shown is stored.obj else dump(shown)


def _form() -> Form:
    return accepted_form(request.headers.get("Accept", ""))


def _protobuf(kind: Kind, obj: JSON) -> bytes | None:
    """Return a stored object in protobuf, if the client prefers that and it can be."""
    try:
        return encoded(kind.served(obj, as_sent=True)) if _form() == "protobuf" else None
    except (UnknownMessage, TypeError, ValueError):
        # no message, or a value that no field of it takes
        return None


def _with_warnings(answer: Response, warnings: Sequence[str]) -> Response:
    for text in dict.fromkeys(warnings):
        answer.headers.add("Warning", f"299 - {json.dumps(text)}")
    return answer


def dump(body: JSON) -> bytes:
    """Return JSON without blanks."""
    return json.dumps(body, separators=(",", ":")).encode()
