import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from api.objects import JSON
from devcluster.apiserver.openapiv2_pb2 import Document
from tests.support.apiserverrig import STARTED, definition, pod_body
from tests.support.apiserverweb import Web

PODS = "/api/v1/namespaces/default/pods"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
MERGE = "application/merge-patch+json"


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/livez"])
def test_it_says_that_it_is_well(web: Web, path: str) -> None:
    answer = web.call("GET", path)
    assert (answer.status_code, answer.text) == (200, "ok")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api", "APIVersions"),
        ("/api/", "APIVersions"),
        ("/apis", "APIGroupList"),
        ("/apis/resource.k8s.io", "APIGroup"),
        ("/api/v1", "APIResourceList"),
        ("/apis/resource.k8s.io/v1alpha2", "APIResourceList"),
    ],
)
def test_discovery(web: Web, path: str, kind: str) -> None:
    code, body = web.json("GET", path)
    assert (code, body["kind"]) == (200, kind)


@pytest.mark.parametrize("path", ["/api", "/apis"])
def test_discovery_in_one_request(web: Web, path: str) -> None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    answer = web.call("GET", path, headers={"Accept": f"{accept},application/json"})
    assert answer.content_type == accept
    assert answer.get_json()["kind"] == "APIGroupDiscoveryList"


def test_the_version_is_the_one_that_was_given(web: Web) -> None:
    assert web.json("GET", "/version")[1]["gitVersion"] == "v1.30.14"


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/openapi/v2", "definitions"),
        ("/openapi/v3", "paths"),
        ("/openapi/v3/api/v1", "components"),
        ("/openapi/v3/apis/resource.k8s.io/v1alpha2", "components"),
    ],
)
def test_openapi(web: Web, path: str, key: str) -> None:
    code, body = web.json("GET", path)
    assert code == 200
    assert body[key]


def test_openapi_v2_is_protobuf_for_who_asks_for_that(web: Web) -> None:
    accept = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    answer = web.call("GET", "/openapi/v2", headers={"Accept": accept})
    assert answer.content_type == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    document = Document.FromString(answer.data)
    names = {each.name for each in document.definitions.additional_properties}
    assert "io.k8s.api.core.v1.ConfigMap" in names


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/api/v1/unknowns",
        "/api/v2/pods",
        "/apis/example.com",
        "/apis/example.com/v1",
        "/apis/example.com/v1/things",
        "/openapi/v3/apis/example.com/v1",
        "/api/v1/pods/p",
        "/api/v1/namespaces/default/nodes",
        f"{PODS}/p/unknown",
        "/apis/resource.k8s.io/v1alpha2/resourceclasses/c/status",
        "/api/v1/namespaces//pods",
    ],
)
def test_unknown_paths_are_404_with_a_status(web: Web, path: str) -> None:
    code, body = web.json("GET", path)
    assert code == 404
    assert (body["kind"], body["reason"]) == ("Status", "NotFound")
    assert body["message"] == "the server could not find the requested resource"
    assert body["details"] == {}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/pods"),
        ("DELETE", "/api/v1/pods"),
        ("PUT", PODS),
        ("POST", f"{PODS}/p"),
        ("DELETE", f"{PODS}/p/status"),
        ("GET", f"{PODS}/p/binding"),
        ("DELETE", "/api/v1/namespaces"),
        ("POST", "/version"),
    ],
)
def test_methods_that_a_path_has_not_are_405(web: Web, method: str, path: str) -> None:
    code, body = web.json(method, path, {})
    assert (code, body["reason"]) == (405, "MethodNotAllowed")


def test_the_life_of_an_object(web: Web) -> None:
    code, pod = web.json("POST", PODS, pod_body("p"))
    assert (code, pod["metadata"]["creationTimestamp"]) == (201, STARTED)
    code, same = web.json("GET", f"{PODS}/p")
    assert (code, same) == (200, pod)
    code, body = web.json("POST", PODS, pod_body("p"))
    assert (code, body["reason"]) == (409, "AlreadyExists")
    label = {"metadata": {"labels": {"a": "1"}}}
    code, pod = web.json("PATCH", f"{PODS}/p", label, content_type=MERGE)
    assert (code, pod["metadata"]["labels"]) == (200, {"a": "1"})
    code, body = web.json("PUT", f"{PODS}/p", same)
    assert (code, body["reason"]) == (409, "Conflict")
    ready = {"status": {"phase": "Running"}}
    code, pod = web.json("PATCH", f"{PODS}/p/status", ready, content_type=MERGE)
    assert (code, pod["status"]["phase"]) == (200, "Running")
    assert web.json("GET", f"{PODS}/p/status") == (200, pod)
    code, body = web.json("GET", f"{PODS}?labelSelector=a%3D1&fieldSelector=status.phase=Running")
    assert (code, body["kind"], body["items"]) == (200, "PodList", [pod])
    code, body = web.json("DELETE", f"{PODS}/p")
    assert (code, body["kind"]) == (200, "Pod")
    code, body = web.json("GET", f"{PODS}/p")
    assert (code, body["message"]) == (404, 'pods "p" not found')


def test_a_deletion_answers_with_the_object_only_where_that_is_usual(web: Web) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    web.json("POST", path, {"metadata": {"name": "c"}})
    code, body = web.json("DELETE", f"{path}/c")
    assert (code, body["status"], body["details"]["kind"]) == (200, "Success", "configmaps")
    web.json("POST", path, {"metadata": {"name": "d", "finalizers": ["x.io/f"]}})
    assert web.json("DELETE", f"{path}/d")[1]["kind"] == "ConfigMap"


def test_what_is_wrong_with_an_object_is_listed(web: Web) -> None:
    code, body = web.json("POST", PODS, pod_body("P", restartPolicy="Often"))
    assert (code, body["reason"]) == (422, "Invalid")
    fields = {cause["field"] for cause in body["details"]["causes"]}
    assert "spec.restartPolicy" in fields


def test_unknown_fields_are_warned_about(web: Web) -> None:
    answer = web.call("POST", f"{PODS}?fieldValidation=Warn", pod_body("p", oops=1))
    assert answer.status_code == 201
    assert answer.headers["Warning"] == '299 - "unknown field \\"spec.oops\\""'
    code, body = web.json("POST", f"{PODS}?fieldValidation=Strict", pod_body("q", oops=1))
    assert (code, body["reason"]) == (400, "BadRequest")


def test_pages(web: Web) -> None:
    code, body = web.json("GET", "/api/v1/namespaces?limit=3")
    assert (code, len(body["items"]), body["metadata"]["remainingItemCount"]) == (200, 3, 1)
    token = body["metadata"]["continue"]
    code, body = web.json("GET", f"/api/v1/namespaces?limit=3&continue={token}")
    assert [each["metadata"]["name"] for each in body["items"]] == ["kube-system"]
    assert "continue" not in body["metadata"]


def test_a_list_of_the_future_may_be_tried_again(web: Web) -> None:
    answer = web.call("GET", "/api/v1/pods?resourceVersion=9999")
    assert (answer.status_code, answer.headers["Retry-After"]) == (504, "1")


def test_tables(web: Web) -> None:
    web.json("POST", PODS, pod_body("p"))
    code, body = web.json("GET", "/api/v1/pods?limit=1", headers=TABLE)
    assert (code, body["kind"], body["rows"][0]["cells"][0]) == (200, "Table", "p")
    assert body["metadata"]["resourceVersion"]
    code, one = web.json("GET", f"{PODS}/p?includeObject=Object", headers=TABLE)
    assert one["rows"][0]["object"]["kind"] == "Pod"
    code, page = web.json("GET", "/api/v1/namespaces?limit=1", headers=TABLE)
    assert page["metadata"]["continue"]


def lines(answer: TestResponse) -> list[JSON]:
    return [json.loads(line) for line in answer.data.splitlines() if line]


def test_a_watch_is_one_event_a_line(web: Web) -> None:
    web.json("POST", PODS, pod_body("p"))
    web.json("PATCH", f"{PODS}/p", {"metadata": {"labels": {"a": "1"}}}, content_type=MERGE)
    web.json("DELETE", f"{PODS}/p")
    path = "/api/v1/pods?watch=true&timeoutSeconds=1&resourceVersion=4&allowWatchBookmarks=true"
    answer = web.call("GET", path)
    assert answer.content_type == "application/json"
    events = lines(answer)
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    assert events[1]["object"]["metadata"]["labels"] == {"a": "1"}


def test_a_watch_of_tables_describes_the_columns_once(web: Web) -> None:
    web.json("POST", PODS, pod_body("p"))
    web.json("POST", PODS, pod_body("q"))
    path = "/api/v1/pods?watch=1&timeoutSeconds=1&allowWatchBookmarks=1"
    first, second, last = (event["object"] for event in lines(web.call("GET", path, headers=TABLE)))
    assert first["columnDefinitions"]
    assert not second["columnDefinitions"]
    assert (last["kind"], last["rows"]) == ("Table", [])


@pytest.mark.parametrize("headers", [{}, TABLE], ids=["objects", "tables"])
def test_a_watch_from_the_past_is_told_so(web: Web, headers: dict[str, str]) -> None:
    web.server._storage.compact()
    (event,) = lines(
        web.call("GET", "/api/v1/namespaces?watch=1&resourceVersion=1", headers=headers)
    )
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)


def test_a_server_that_stops_ends_watches(web: Web) -> None:
    web.server.stop()
    assert lines(web.call("GET", "/api/v1/namespaces?watch=1")) == []


def test_definitions_are_served_and_discovered(web: Web) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert web.json("POST", path, definition())[0] == 201
    foos = "/apis/example.org/v1/namespaces/default/foos"
    code, foo = web.json("POST", foos, {"metadata": {"generateName": "f-"}, "spec": {}})
    assert (code, foo["kind"], foo["spec"]) == (201, "Foo", {"size": 3})
    assert web.json("GET", "/apis/example.org/v1")[1]["resources"][0]["name"] == "foos"
    strategic = {"content_type": "application/strategic-merge-patch+json"}
    assert web.json("PATCH", f"{foos}/{foo['metadata']['name']}", {}, **strategic)[0] == 415


def test_a_binding_puts_a_pod_on_a_node(web: Web) -> None:
    web.json("POST", PODS, pod_body("p"))
    binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
    code, body = web.json("POST", f"{PODS}/p/binding", binding)
    assert (code, body["status"]) == (201, "Success")
    assert web.json("GET", f"{PODS}/p")[1]["spec"]["nodeName"] == "n"
    code, body = web.json("POST", f"{PODS}/p/binding", binding)
    assert (code, body["reason"]) == (409, "Conflict")


def test_an_eviction_deletes_the_pod(web: Web) -> None:
    web.json("POST", PODS, pod_body("p"))
    eviction = {"metadata": {"name": "p"}, "deleteOptions": {"gracePeriodSeconds": 1}}
    assert web.json("POST", f"{PODS}/p/eviction", eviction)[0] == 201
    assert web.json("GET", f"{PODS}/p")[0] == 404


def test_a_namespace_can_be_finished_by_hand(web: Web) -> None:
    web.json("POST", "/api/v1/namespaces", {"metadata": {"name": "n"}})
    web.json("DELETE", "/api/v1/namespaces/n")
    assert web.json("GET", "/api/v1/namespaces/n")[1]["status"]["phase"] == "Terminating"
    assert web.json("PUT", "/api/v1/namespaces/n/finalize", {"spec": {"finalizers": []}})[0] == 200
    assert web.json("GET", "/api/v1/namespaces/n")[0] == 404


def run_pod(web: Web, *containers: str) -> None:
    names = containers or ("c",)
    body = pod_body("p", nodeName="n", containers=[{"name": n, "image": "i"} for n in names])
    web.json("POST", PODS, body)
    running: JSON = {"image": "i", "imageID": "", "ready": True, "restartCount": 0}
    running["state"] = {"running": {"startedAt": STARTED}}
    states = [{"name": name, **running} for name in names]
    status = {"status": {"containerStatuses": states}}
    assert web.json("PATCH", f"{PODS}/p/status", status, content_type=MERGE)[0] == 200


def test_logs_come_from_the_kubelet(web: Web) -> None:
    run_pod(web)
    answer = web.call("GET", f"{PODS}/p/log?follow=true&tailLines=5")
    assert (answer.status_code, answer.text) == (200, "one\ntwo\n")
    assert web.logs.asked == [("p", "c", True, False, 5)]
    assert web.call("GET", f"{PODS}/p/log?limitBytes=5").text == "one\nt"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("sinceSeconds=5", "sinceSeconds"),
        ("sinceTime=2024-05-06T11:55:00Z&timestamps=1", "sinceTime, timestamps"),
    ],
)
def test_logs_by_the_times_of_lines_are_refused(web: Web, query: str, names: str) -> None:
    run_pod(web)
    code, body = web.json("GET", f"{PODS}/p/log?{query}")
    assert (code, body["reason"]) == (400, "BadRequest")
    assert body["message"] == (
        f"{names}: the embedded cluster keeps no times of the lines of logs; leave out --since, "
        "--since-time and --timestamps"
    )
    assert web.call("GET", f"{PODS}/p/log?timestamps=false").text == "one\ntwo\n"


def test_logs_of_several_containers_need_a_name(web: Web) -> None:
    run_pod(web, "a", "b")
    code, body = web.json("GET", f"{PODS}/p/log")
    assert (code, body["reason"]) == (400, "BadRequest")
    assert "choose one of: [a b]" in body["message"]
    assert web.call("GET", f"{PODS}/p/log?container=b").text == "one\ntwo\n"
    assert web.json("GET", f"{PODS}/p/log?container=b&previous=true")[0] == 400


@pytest.mark.parametrize("plural", ["selfsubjectaccessreviews", "subjectaccessreviews"])
def test_everything_is_allowed(web: Web, plural: str) -> None:
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "X", "spec": {}}
    code, review = web.json("POST", f"/apis/authorization.k8s.io/v1/{plural}", body)
    assert (code, review["status"]["allowed"]) == (201, True)


def test_a_collection_is_deleted(web: Web) -> None:
    for name in ("p", "q"):
        web.json("POST", PODS, pod_body(name))
    code, body = web.json("DELETE", f"{PODS}?fieldSelector=metadata.name=q")
    assert (code, [each["metadata"]["name"] for each in body["items"]]) == (200, ["q"])
    assert web.json("GET", f"{PODS}/p")[0] == 200


def test_a_body_that_is_too_large_is_refused(web: Web) -> None:
    body = {"metadata": {"name": "c"}, "data": {"a": "x" * (3 * 1024 * 1024)}}
    code, status = web.json("POST", "/api/v1/namespaces/default/configmaps", body)
    assert (code, status["kind"], status["code"]) == (413, "Status", 413)


def test_a_failure_of_the_server_is_a_status_too(
    web: Web, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("devcluster.apiserver.views.objects.list_answer", fail)
    code, body = web.json("GET", PODS)
    assert (code, body["reason"]) == (500, "InternalError")
    assert body["message"] == "Internal error occurred: ZeroDivisionError: oops"
    assert "Request failed" in caplog.text
