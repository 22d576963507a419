"""The OpenAPI v2 document as protobuf, read back with the same messages; kubectl reads it too."""

from typing import Any

import pytest

from api.claims.versions import STRUCTURED
from devcluster.apiserver import openapiv2_pb2 as messages
from devcluster.apiserver.builtinkinds import builtin_kinds
from devcluster.apiserver.openapi import openapi_v2
from devcluster.apiserver.openapiproto import as_protobuf
from devcluster.apiserver.registry import Registry
from devcluster.apiserver.resourceapi import CLASSIC, ResourceApi, structured

JSON = dict[str, Any]


def read(definitions: JSON) -> messages.Document:
    info = {"title": "Kubernetes", "version": "unversioned"}
    document = {"swagger": "2.0", "info": info, "paths": {}, "definitions": definitions}
    return messages.Document.FromString(as_protobuf(document))


def schema(node: JSON) -> messages.Schema:
    (named,) = read({"it": node}).definitions.additional_properties
    assert named.name == "it"
    return named.value


def test_the_document_says_what_it_is() -> None:
    made = read({})
    assert (made.swagger, made.info.title, made.info.version) == (
        "2.0",
        "Kubernetes",
        "unversioned",
    )


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"$ref": "#/definitions/a"}, messages.Schema(_ref="#/definitions/a")),
        (
            {"type": "integer", "format": "int32", "description": "How many.", "maximum": 5},
            messages.Schema(type={"value": ["integer"]}, format="int32", description="How many."),
        ),
        (
            {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}},
            messages.Schema(
                type={"value": ["object"]},
                required=["a"],
                properties={
                    "additional_properties": [
                        {"name": "a", "value": {"type": {"value": ["string"]}}}
                    ]
                },
            ),
        ),
        (
            {"items": {"type": "string"}},
            messages.Schema(items={"schema": [{"type": {"value": ["string"]}}]}),
        ),
        (
            {"additionalProperties": {"type": "string"}},
            messages.Schema(additional_properties={"schema": {"type": {"value": ["string"]}}}),
        ),
        (
            {"additionalProperties": False},
            messages.Schema(additional_properties={"boolean": False}),
        ),
        ({"default": {"a": [1]}}, messages.Schema(default={"yaml": '{"a": [1]}'})),
        ({"default": None}, messages.Schema(default={"yaml": "null"})),
        (
            {"x-kubernetes-list-type": "map"},
            messages.Schema(
                vendor_extension=[{"name": "x-kubernetes-list-type", "value": {"yaml": '"map"'}}]
            ),
        ),
    ],
    ids=["ref", "plain", "object", "array", "map", "closed", "default", "null", "extension"],
)
def test_keywords(node: JSON, message: messages.Schema) -> None:
    assert schema(node) == message


@pytest.mark.parametrize("api", [CLASSIC, structured(37, *STRUCTURED)], ids=["classic", "1.37"])
def test_every_built_in_kind_is_in_it(api: ResourceApi) -> None:
    document = openapi_v2(Registry(builtin_kinds(api)))
    made = messages.Document.FromString(as_protobuf(document))
    names = [each.name for each in made.definitions.additional_properties]
    assert names == list(document["definitions"])
    assert "io.k8s.api.core.v1.Pod" in names
