"""Parameters of drivers, which the API server compares with what the claim's creator sent."""

import json

import pytest

from api.objects import JSON
from devcluster.apiserver.resourceapi import structured
from tests.support.apiserverweb import Web

CLAIMS = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims"
COMPACT = '{"a":1,"b":{"c":"é"}}'
UNSORTED = '{"b":{"d":2,"c":1},"a":1}'
SPACED = '{"a": 1, "b": {"c": "x"}}'


def claim_text(parameters: str, labels: str = "{}") -> str:
    """Return a claim whose parameters stand in it as they are given."""
    return (
        '{"metadata": {"name": "c", "labels": ' + labels + '}, "spec": {"devices": {"requests": '
        '[{"name": "r", "exactly": {"deviceClassName": "gpu"}}], "config": [{"opaque": {"driver": '
        '"gpu.example.com", "parameters": ' + parameters + "}}]}}}"
    )


def created(parameters: str) -> Web:
    web = Web(api=structured())
    answer = web.call(
        "POST", CLAIMS, content_type="application/json", data=claim_text(parameters).encode()
    )
    assert answer.status_code == 201, answer.get_json()
    return web


LABEL: JSON = {"metadata": {"labels": {"a": "b"}}}
JSON_PATCH = [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]
PATCHES = {
    "merge": ("application/merge-patch+json", LABEL),
    "json": ("application/json-patch+json", JSON_PATCH),
    "strategic": ("application/strategic-merge-patch+json", LABEL),
}


@pytest.mark.parametrize(
    ("parameters", "patch", "passes"),
    [
        *((COMPACT, patch, True) for patch in PATCHES),
        (UNSORTED, "merge", True),
        (UNSORTED, "json", True),
        (UNSORTED, "strategic", False),
        *((SPACED, patch, False) for patch in PATCHES),
    ],
)
def test_patches_by_how_parameters_were_sent(parameters: str, patch: str, *, passes: bool) -> None:
    web = created(parameters)
    media_type, body = PATCHES[patch]
    code, answer = web.json("PATCH", f"{CLAIMS}/c", body, content_type=media_type)
    assert code == (200 if passes else 422)
    if not passes:
        assert answer["details"]["causes"][0]["field"] == "spec"
        assert answer["message"].endswith("field is immutable")


@pytest.mark.parametrize(
    ("sent", "again", "passes"),
    [
        (SPACED, SPACED, True),
        (SPACED, json.dumps(json.loads(SPACED), separators=(",", ":")), False),
        (COMPACT, COMPACT, True),
        (COMPACT, json.dumps(json.loads(COMPACT), ensure_ascii=False), False),
    ],
    ids=["spaced", "spaced-made-compact", "compact", "compact-made-spaced"],
)
def test_replacing_by_how_parameters_were_sent(sent: str, again: str, *, passes: bool) -> None:
    web = created(sent)
    # what the server defaulted is in the body of whoever replaces a claim
    exact = '"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 1'
    body = claim_text(again, '{"a": "b"}').replace('"deviceClassName": "gpu"', exact)
    answer = web.call("PUT", f"{CLAIMS}/c", content_type="application/json", data=body.encode())
    assert answer.status_code == (200 if passes else 422)


@pytest.mark.parametrize("sent", [COMPACT, UNSORTED, SPACED], ids=["compact", "unsorted", "spaced"])
def test_parameters_are_shown_compact_in_the_order_sent(sent: str) -> None:
    web = created(sent)
    shown = web.call("GET", f"{CLAIMS}/c").data.decode()
    compact = json.dumps(json.loads(sent), separators=(",", ":"))
    assert f'"parameters":{compact}' in shown


def status_of(web: Web, parameters: str) -> bytes:
    """Return the body of a PUT of an allocation whose copy of the parameters is as given."""
    _, claim = web.json("GET", f"{CLAIMS}/c")
    results = [{"request": "r", "driver": "gpu.example.com", "pool": "p", "device": "d"}]
    config = {"source": "FromClaim", "opaque": {"driver": "gpu.example.com", "parameters": "HERE"}}
    claim["status"] = {"allocation": {"devices": {"results": results, "config": [config]}}}
    return json.dumps(claim).replace('"HERE"', parameters).encode()


@pytest.mark.parametrize(
    ("sent", "passes"), [(COMPACT, True), (SPACED, False)], ids=["compact", "spaced"]
)
def test_patches_of_the_status_by_how_the_allocation_was_sent(sent: str, *, passes: bool) -> None:
    web = created(COMPACT)
    put = web.call(
        "PUT", f"{CLAIMS}/c/status", content_type="application/json", data=status_of(web, sent)
    )
    assert put.status_code == 200, put.get_json()
    entry = {"driver": "gpu.example.com", "pool": "p", "device": "d", "data": {"a": 1}}
    patch = {"status": {"devices": [entry]}}
    media_type = "application/merge-patch+json"
    code, answer = web.json("PATCH", f"{CLAIMS}/c/status", patch, content_type=media_type)
    assert code == (200 if passes else 422)
    if passes:
        assert answer["status"]["devices"] == [entry]
    else:
        assert answer["details"]["causes"][0]["field"] == "status.allocation"
        assert answer["message"].endswith("field cannot be modified once set")
