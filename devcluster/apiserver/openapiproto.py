"""The OpenAPI v2 document as protobuf, the only form in which kubectl asks for it.

kubectl 1.27 and 1.28 read it for every `apply`; later ones for kinds that version 3 does not have.
It says nothing of keywords that no client looks for.
Source: k8s.io/client-go/discovery OpenAPISchema, k8s.io/kube-openapi/pkg/util/proto.
"""

import json
from collections.abc import Mapping
from typing import Final

from api.objects import JSON
from devcluster.apiserver import openapiv2_pb2 as messages

ACCEPTED: Final = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
CONTENT_TYPE: Final = ACCEPTED.replace("@", ".")
"""What Kubernetes answers with: RFC 6838 knows no `@`."""


def as_protobuf(document: JSON) -> bytes:
    """Return what `devcluster.apiserver.openapi.openapi_v2` made, as a message."""
    message = messages.Document(
        swagger=document["swagger"],
        info=messages.Info(**document["info"]),
        definitions=messages.Definitions(additional_properties=_named(document["definitions"])),
    )
    return message.SerializeToString()


def _named(schemas: Mapping[str, JSON]) -> list[messages.NamedSchema]:
    return [messages.NamedSchema(name=name, value=_schema(node)) for name, node in schemas.items()]


def _schema(node: JSON) -> messages.Schema:
    schema = messages.Schema(
        _ref=node.get("$ref", ""),
        format=node.get("format", ""),
        description=node.get("description", ""),
        required=node.get("required", ()),
        vendor_extension=[
            messages.NamedAny(name=name, value=_any(value))
            for name, value in node.items()
            if name.startswith("x-")
        ],
    )
    if "default" in node:
        schema.default.CopyFrom(_any(node["default"]))
    if "type" in node:
        schema.type.value.append(node["type"])
    if "items" in node:
        schema.items.schema.append(_schema(node["items"]))
    if "properties" in node:
        schema.properties.additional_properties.extend(_named(node["properties"]))
    if "additionalProperties" in node:
        schema.additional_properties.CopyFrom(_additional(node["additionalProperties"]))
    return schema


def _additional(node: JSON | bool) -> messages.AdditionalPropertiesItem:
    if isinstance(node, bool):
        return messages.AdditionalPropertiesItem(boolean=node)
    return messages.AdditionalPropertiesItem(schema=_schema(node))


def _any(value: object) -> messages.Any:
    return messages.Any(yaml=json.dumps(value))
