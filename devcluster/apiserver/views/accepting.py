"""Which form of an answer a client takes: JSON, protobuf, a table, or aggregated discovery.

Pure. What can't be had in that form is JSON, as clients read the Content-Type.
Source: Kubernetes API concepts, "Alternate representations of resources".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from api.protobuf.envelope import MEDIA_TYPE

Form = Literal["object", "protobuf", "table", "discovery"]

JSON_TYPE: Final = "application/json"
DISCOVERY_TYPE: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

_ANY: Final = ("application/json", "application/*", "*/*")
_TABLE: Final = {"as": "Table", "v": "v1", "g": "meta.k8s.io"}
_DISCOVERY: Final = {"as": "APIGroupDiscoveryList", "v": "v2", "g": "apidiscovery.k8s.io"}


@dataclass(frozen=True, slots=True)
class _Range:
    media_type: str
    parameters: Mapping[str, str]


def accepted_form(accept: str) -> Form:
    """Return the first form of an Accept header that is served."""
    for each in _ranges(accept):
        asked = {key: each.parameters.get(key, "") for key in _TABLE}
        if each.media_type == MEDIA_TYPE and not asked["as"]:
            return "protobuf"
        if each.media_type not in _ANY:
            continue
        if asked == _TABLE:
            return "table"
        if asked == _DISCOVERY:
            return "discovery"
        if not asked["as"]:
            return "object"
    return "object"


def _ranges(accept: str) -> Iterator[_Range]:
    for part in accept.split(","):
        media_type, *parameters = (each.strip() for each in part.split(";"))
        pairs = (each.partition("=") for each in parameters)
        yield _Range(media_type.lower(), {key.strip(): value.strip() for key, _, value in pairs})
