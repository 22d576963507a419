"""The pages: what is no AdmissionReview, and that nothing ends in a 500."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from api.contract import FAKE
from ops.health import create_pages
from ops.metrics import Metrics
from tests.support.gpulike import GpuLike
from tests.support.reviews import KINDS, OF_PARAMETERS, carrier, opaque, request_body, review_body
from webhook.app import LONGEST, create_app
from webhook.configs import CONFIG
from webhook.configuration import PATH
from webhook.metrics import WebhookMetrics
from webhook.review import VERSIONS
from webhook.wiring import validators

GPU = GpuLike.contract.driver_name


class Web:
    """The application without a server."""

    def __init__(self) -> None:
        self.ready: str | None = None
        registry = Metrics().registry
        pages = create_pages(
            live={"process": lambda: None}, ready={"part": lambda: self.ready}, registry=registry
        )
        known = validators(FAKE, ["tests.support.gpulike:GpuLike"])
        self.client = create_app(known, pages, WebhookMetrics(registry)).test_client()

    def post(self, body: bytes, content_type: str | None = "application/json") -> TestResponse:
        return self.client.post(PATH, data=body, content_type=content_type)

    def counted(self) -> dict[str, str]:
        lines = self.client.get("/metrics").text.splitlines()
        name = "fake_dra_webhook_review_duration_seconds_count"
        return {line.split('"')[1]: line.split()[1] for line in lines if line.startswith(name)}


@pytest.fixture(scope="module")
def web() -> Web:
    return Web()


GOOD = request_body("resourceclaims", carrier("resourceclaims"))
DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name not in names}


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/yaml", "application/json-patch+json", "", None],
)
def test_other_content_types(web: Web, content_type: str | None) -> None:
    answer = web.post(review_body(GOOD), content_type)
    assert answer.status_code == 415
    assert "it has to be application/json" in answer.text


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_json_is_taken(web: Web, content_type: str) -> None:
    answer = web.post(review_body(GOOD), content_type)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert json.loads(answer.text)["response"] == {"uid": "705ab4f5", "allowed": True}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[]", "no object"),
        (b"null", "no object"),
        (b"{}", "apiVersion None"),
        (DEEP, "apiVersion None"),
        (review_body(GOOD, apiVersion="admission.k8s.io/v1beta1"), "admissionReviewVersions"),
        (review_body(GOOD, kind="Pod"), "kind 'Pod'"),
        (review_body(None), "request of the AdmissionReview"),
        (review_body([]), "request of the AdmissionReview"),
        (review_body(without("uid")), "request.uid"),
        (review_body({**GOOD, "uid": 5}), "request.uid"),
        (review_body(without("resource")), "request.resource"),
        (review_body({**GOOD, "resource": {"resource": 1}}), "request.resource.resource"),
        (review_body({**GOOD, "operation": ["CREATE"]}), "request.operation"),
        (review_body(without("object")), "request.object"),
        (review_body({**GOOD, "operation": "UPDATE"}), "request.oldObject"),
        (review_body({**GOOD, "name": 5}), "request.name"),
    ],
    ids=[
        *("empty", "broken", "bytes", "list", "null", "no-version", "deep", "v1beta1", "kind"),
        *("no-request", "request-list", "no-uid", "uid", "no-resource", "resource", "operation"),
        *("no-object", "no-old-object", "name"),
    ],
)
def test_what_is_no_review_is_told_why(web: Web, body: bytes, told: str) -> None:
    answer = web.post(body)
    assert answer.status_code == 400
    assert told in answer.text


def test_too_much_is_not_read(web: Web) -> None:
    assert web.post(b" " * (LONGEST + 1)).status_code == 413


def test_the_pages_of_every_program() -> None:
    web = Web()
    assert web.client.get("/healthz").text == "ok"
    assert web.client.get("/readyz").status_code == 200
    web.ready = "shutting down"
    assert "part failed: shutting down" in web.client.get("/readyz?verbose").text
    assert web.client.get("/").status_code == web.client.get("/other/page").status_code == 404
    assert web.client.get(PATH).status_code == 404
    assert web.client.post("/healthz").status_code == 405


def test_reviews_are_counted_by_verdict() -> None:
    web = Web()
    assert web.counted() == {"allowed": "0.0", "denied": "0.0", "malformed": "0.0"}
    web.post(review_body(GOOD))
    wrong = carrier("resourceclaims", opaque(GPU, {}))
    web.post(review_body(request_body("resourceclaims", wrong)))
    web.post(b"")
    assert web.counted() == {"allowed": "1.0", "denied": "1.0", "malformed": "1.0"}


NAMES = st.sampled_from(
    ["spec", "devices", "config", "opaque", "driver", "parameters", "kind", "metadata", "sharing"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(GPU),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(), inner),
    max_leaves=12,
)
RESOURCES = st.sampled_from([*KINDS, "pods"])
OBJECTS = st.one_of(
    VALUES,
    st.builds(
        lambda resource, driver, value: carrier(resource, opaque(driver, value)),
        st.sampled_from(list(CONFIG)),
        st.sampled_from([GPU, FAKE.driver_name]),
        VALUES,
    ),
    st.builds(lambda spec: {"spec": spec}, VALUES),
)


@given(
    st.builds(
        lambda resource, obj, version, operation, old: request_body(
            resource, obj, version=version, operation=operation, oldObject=old
        ),
        RESOURCES,
        OBJECTS,
        st.sampled_from([*VERSIONS, "v2"]),
        st.sampled_from(["CREATE", "UPDATE", "DELETE"]),
        OBJECTS,
    )
)
def test_any_object_is_answered(web: Web, request_of: Any) -> None:
    answer = web.post(review_body(request_of))
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        assert json.loads(answer.text)["response"]["uid"] == request_of["uid"]


@given(VALUES)
def test_any_json_is_answered(web: Web, value: Any) -> None:
    assert web.post(json.dumps(value).encode()).status_code == 400
    assert web.post(review_body(value)).status_code == 400


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(web: Web, body: bytes) -> None:
    assert web.post(body).status_code == 400


def test_parameter_objects_need_no_metadata(web: Web) -> None:
    for resource in OF_PARAMETERS:
        answer = web.post(review_body(request_body(resource, {"spec": {"x": 1}})))
        assert json.loads(answer.text)["response"]["status"]["code"] == 422
