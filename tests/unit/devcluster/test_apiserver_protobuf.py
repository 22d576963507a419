"""Protobuf, in which programs in Go send built-in kinds and ask for them."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor

from api.errors import UnknownMessage
from api.objects import JSON
from api.protobuf.envelope import MEDIA_TYPE, decoded, encoded, message_of
from devcluster.apiserver.builtinkinds import builtin_kinds
from devcluster.apiserver.kinds import Kind
from devcluster.apiserver.resourceapi import structured
from tests.support.apiserverweb import Web
from tests.support.tables import cases
from tests.support.wirebytes import enveloped

RESOURCES = "/apis/resource.k8s.io/v1"
CLAIMS = f"{RESOURCES}/namespaces/default/resourceclaims"
EVENTS = "/api/v1/namespaces/default/events"
BOTH = f"{MEDIA_TYPE},application/json"
KINDS = list(builtin_kinds(structured(37, "v1", "v1beta2", "v1beta1")))
C = {"name": "c", "image": "i"}
UNREAD = {"configSource", "config"}
"""Fields of nodes that are not used any more."""


def sent(web: Web, method: str, path: str, data: bytes, accept: str = "application/json") -> Any:
    return web.call(method, path, data=data, content_type=MEDIA_TYPE, headers={"Accept": accept})


def claim(**others: Any) -> JSON:
    wish = {"name": "r", "exactly": {"deviceClassName": "gpu"}}
    opaque = {"driver": "gpu.example.com", "parameters": {"a": 1}}
    devices = {"requests": [wish], "config": [{"opaque": opaque}]}
    head = {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim"}
    return {**head, "metadata": {"name": "c"}, "spec": {"devices": devices}, **others}


def test_a_slice_that_a_driver_in_go_sent_is_stored() -> None:
    web = Web(api=structured())
    data = (Path(__file__).parent.parent / "api/resourceslice-go-0.36.2.pb").read_bytes()
    answer = sent(web, "POST", f"{RESOURCES}/resourceslices", data)
    assert answer.status_code == 201
    assert answer.get_json()["spec"] == decoded(data)["spec"]


def test_an_answer_is_in_protobuf_if_the_client_prefers_that() -> None:
    web = Web(api=structured())
    created = sent(web, "POST", CLAIMS, encoded(claim()), BOTH)
    read = web.call("GET", f"{CLAIMS}/c", headers={"Accept": BOTH})
    for answer, code in ((created, 201), (read, 200)):
        assert (answer.status_code, answer.content_type) == (code, MEDIA_TYPE)
        assert decoded(answer.data)["spec"]["devices"]["config"][0]["opaque"]["parameters"] == (
            '{"a":1}'
        )
    shown = web.call("GET", f"{CLAIMS}/c", headers={"Accept": f"application/json,{MEDIA_TYPE}"})
    assert shown.get_json()["metadata"]["uid"] == decoded(read.data)["metadata"]["uid"]


def test_parameters_are_answered_as_they_were_sent() -> None:
    web = Web(api=structured())
    spaced = json.dumps(claim(), indent=2)
    assert web.call("POST", CLAIMS, data=spaced, content_type="application/json").status_code == 201
    read = decoded(web.call("GET", f"{CLAIMS}/c", headers={"Accept": MEDIA_TYPE}).data)
    (config,) = read["spec"]["devices"]["config"]
    assert config["opaque"]["parameters"] in spaced
    assert "\n" in config["opaque"]["parameters"]


@pytest.mark.parametrize("path", [CLAIMS, f"{RESOURCES}/resourceslices"])
def test_lists_are_json_whatever_is_preferred(path: str) -> None:
    answer = Web(api=structured()).call("GET", path, headers={"Accept": BOTH})
    assert answer.content_type == "application/json"
    assert answer.get_json()["items"] == []


def test_deletion_takes_options() -> None:
    web = Web(api=structured())
    sent(web, "POST", CLAIMS, encoded(claim()))
    options = enveloped("resource.k8s.io/v1", "DeleteOptions", (2, [(1, "another")]))
    refused = sent(web, "DELETE", f"{CLAIMS}/c", options)
    assert (refused.status_code, refused.get_json()["reason"]) == (409, "Conflict")
    options = enveloped("resource.k8s.io/v1", "DeleteOptions", (1, 0))
    assert sent(web, "DELETE", f"{CLAIMS}/c", options).status_code == 200


@cases(
    ("path", "body"),
    {
        "no messages": ("/api/v1/namespaces/default/pods", {"spec": {"containers": [C]}}),
        "a value that no field takes": (EVENTS, {"count": 1 << 40, "involvedObject": {}}),
    },
)
def test_what_can_not_be_in_protobuf_is_json(path: str, body: JSON) -> None:
    web = Web(api=structured())
    made = web.call("POST", path, {"metadata": {"name": "x"}, **body})
    assert made.status_code == 201, made.get_json()
    read = web.call("GET", f"{path}/x", headers={"Accept": BOTH})
    assert read.content_type == "application/json"
    assert read.get_json()["metadata"]["name"] == "x"


@cases(
    ("path", "data", "code", "message"),
    {
        "a kind without messages": (
            "/api/v1/namespaces/default/pods",
            enveloped("v1", "Pod"),
            415,
            "accepted media types include: application/json",
        ),
        "no protobuf": (EVENTS, b"{}", 400, "the body of the request is not protobuf"),
        "another kind": (EVENTS, enveloped("v1", "ConfigMap", (1, [(1, "c")])), 400, "Event"),
        "parameters that are no json": (
            CLAIMS,
            encoded(claim()).replace(b'{"a":1}', b'{"a":1['),
            422,
            "error parsing data as JSON",
        ),
    },
)
def test_what_is_refused(path: str, data: bytes, code: int, message: str) -> None:
    answer = sent(Web(api=structured()), "POST", path, data)
    assert answer.status_code == code
    assert message in answer.get_json()["message"]


def has_messages(kind: Kind) -> bool:
    try:
        return bool(message_of(kind.api_version, kind.kind))
    except UnknownMessage:
        return False


@pytest.mark.parametrize(
    "kind", [*filter(has_messages, KINDS)], ids=lambda kind: f"{kind.api_version} {kind.kind}"
)
def test_messages_have_all_fields_of_the_schema(kind: Kind) -> None:
    schema = {**kind.schema["properties"]}
    del schema["apiVersion"], schema["kind"]
    descriptor = message_of(kind.api_version, kind.kind).DESCRIPTOR
    assert missing({"properties": schema}, descriptor) == []


def missing(schema: JSON, descriptor: Descriptor, path: str = "") -> list[str]:
    """Return the fields of a schema that a message has not."""
    fields = {field.name: field for field in descriptor.fields}
    if (inlined := fields.pop("inlined", None)) is not None and inlined.message_type:
        fields |= {field.name: field for field in inlined.message_type.fields}
    found = []
    for name, inner in (schema.get("properties") or {}).items():
        here, field = f"{path}.{name}", fields.get(name)
        if field is None:
            found += [] if name in UNREAD else [here]
            continue
        each = inner.get("items") or inner.get("additionalProperties") or inner
        message = field.message_type
        if message and message.GetOptions().map_entry:
            message = message.fields_by_name["value"].message_type
        found += missing(each, message, here) if message else []
    return found
