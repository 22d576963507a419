"""What the server tells about itself: discovery, OpenAPI, version, health."""

from typing import Final

from flask import Response, request

from api.objects import JSON
from devcluster.apiserver import discovery, openapi, openapiproto
from devcluster.apiserver.backend import Backend
from devcluster.apiserver.views.accepting import DISCOVERY_TYPE, accepted_form
from devcluster.apiserver.views.answers import json_answer
from devcluster.apiserver.views.objects import no_such_path

_CORE: Final = "v1"


class MetadataViews:
    """Answers requests that are about no object."""

    def __init__(self, backend: Backend) -> None:
        self._registry = backend.registry
        self._version = backend.version

    def api(self) -> Response:
        """Answer /api."""
        if _wants_all():
            body = discovery.aggregated(self._registry, core=True)
            return json_answer(body, content_type=DISCOVERY_TYPE)
        return json_answer(discovery.api_versions(self._registry))

    def apis(self) -> Response:
        """Answer /apis."""
        if _wants_all():
            body = discovery.aggregated(self._registry, core=False)
            return json_answer(body, content_type=DISCOVERY_TYPE)
        return json_answer(discovery.api_group_list(self._registry))

    def group(self, group: str) -> Response:
        """Answer /apis/GROUP."""
        return _found(discovery.api_group(self._registry, group))

    def resources(self, group: str = "", version: str = _CORE) -> Response:
        """Answer /api/v1 and /apis/GROUP/VERSION."""
        return _found(discovery.resource_list(self._registry, group, version))

    def version(self) -> Response:
        """Answer /version."""
        return json_answer(discovery.version(self._version))

    def openapi_v2(self) -> Response:
        """Answer /openapi/v2, as protobuf if the client asks for that."""
        document = openapi.openapi_v2(self._registry)
        if openapiproto.ACCEPTED in request.headers.get("Accept", ""):
            data = openapiproto.as_protobuf(document)
            return Response(data, content_type=openapiproto.CONTENT_TYPE)
        return json_answer(document)

    def openapi_index(self) -> Response:
        """Answer /openapi/v3."""
        return json_answer(openapi.openapi_v3_index(self._registry))

    def openapi_v3(self, group: str = "", version: str = _CORE) -> Response:
        """Answer /openapi/v3/api/v1 and /openapi/v3/apis/GROUP/VERSION."""
        return _found(openapi.openapi_v3(self._registry, group, version))


def health() -> Response:
    """Answer /healthz, /readyz and /livez: who answers at all is well."""
    return Response("ok", content_type="text/plain; charset=utf-8")


def _wants_all() -> bool:
    return accepted_form(request.headers.get("Accept", "")) == "discovery"


def _found(body: JSON | None) -> Response:
    if body is None:
        raise no_such_path()
    return json_answer(body)
