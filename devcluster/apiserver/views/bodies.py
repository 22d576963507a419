"""Reads the bodies of requests: objects, patches, delete options; as JSON, YAML or protobuf."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml
from flask import Request

from api.errors import UnknownMessage, UnreadableProtobuf
from api.objects import JSON
from api.protobuf.envelope import MEDIA_TYPE, decoded
from api.rawjson import Path
from devcluster.apiserver.conversion import loads
from devcluster.apiserver.errors import BadRequest, UnsupportedMediaType
from devcluster.apiserver.patch import APPLY, JSON_PATCH, MERGE, STRATEGIC, Patch

_JSON: Final = ("application/json", "")
_YAML: Final = ("application/yaml", "text/yaml")


def read_object(request: Request, texts: Sequence[Path] = ()) -> JSON:
    """Return the object in a body, with some of its fields as the text that was sent.

    Raises:
        BadRequest: it is no object in the format that it claims to have.
        UnsupportedMediaType: it has another format, or is of a kind that is not read in its format.
    """
    body = _parse(request, texts)
    if not isinstance(body, dict):
        raise BadRequest("the body of the request is not an object")
    return body


def read_options(request: Request) -> Mapping[str, Any]:
    """Return the DeleteOptions in a body; an empty body is none."""
    return read_object(request) if request.get_data() else {}


def read_patch(request: Request, *, custom: bool) -> Patch:
    """Return the patch in a body.

    Args:
        request: a PATCH.
        custom: whether it is about a custom resource, which has no strategic merge patch.

    Raises:
        BadRequest: it is no JSON.
        UnsupportedMediaType: it is another kind of patch.
    """
    media_type = request.mimetype
    if media_type == APPLY:
        raise UnsupportedMediaType(
            "server-side apply is not offered by this API server; use kubectl apply without "
            "--server-side, or a merge patch"
        )
    known = (JSON_PATCH, MERGE) if custom else (JSON_PATCH, MERGE, STRATEGIC)
    if media_type not in known:
        raise _unknown_format(known)
    return Patch(media_type, _json(request.get_data()))


def _parse(request: Request, texts: Sequence[Path]) -> Any:
    data, media_type = request.get_data(), request.mimetype
    if media_type in _JSON:
        return _json(data, texts)
    if media_type in _YAML:
        return _yaml(data)
    if media_type == MEDIA_TYPE:
        return _protobuf(data)
    raise _unknown_format((_JSON[0], _YAML[0]))


def _json(data: bytes, texts: Sequence[Path] = ()) -> Any:
    try:
        return loads(data, texts)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body of the request is not JSON: {error}") from error


def _yaml(data: bytes) -> Any:
    try:
        loaded = yaml.safe_load(data)
        # dates and the like, which JSON has not, were never meant
        return json.loads(json.dumps(loaded, default=str))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise BadRequest(f"the body of the request is not YAML: {error}") from error


def _protobuf(data: bytes) -> JSON:
    try:
        return decoded(data)
    except UnknownMessage as error:
        raise _unknown_format((_JSON[0], _YAML[0])) from error
    except UnreadableProtobuf as error:
        raise BadRequest(f"the body of the request is not protobuf: {error}") from error


def _unknown_format(known: tuple[str, ...]) -> UnsupportedMediaType:
    return UnsupportedMediaType(
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(known)
    )
