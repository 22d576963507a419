import pytest

from api.resources import DRA_V1ALPHA2, NODES, PODS
from kube import calls
from kube.calls import Call, Scope

SOME = Scope("a", label_selector="app=x", field_selector="spec.nodeName=n")
POD = {"metadata": {"name": "b", "namespace": "a", "resourceVersion": "7"}}


def test_list_selects_and_pages() -> None:
    call = calls.list_objects(PODS, SOME)
    assert (call.method, call.path) == ("GET", "/api/v1/namespaces/a/pods")
    selected = {"labelSelector": "app=x", "fieldSelector": "spec.nodeName=n"}
    assert call.query == selected
    assert calls.page(call, 5, "").query == {**selected, "limit": "5"}
    assert calls.page(call, 5, "t").query == {**selected, "limit": "5", "continue": "t"}


def test_watch_asks_for_bookmarks() -> None:
    call = calls.watch_objects(PODS, Scope(), "42", 300)
    assert call.path == "/api/v1/pods"
    assert call.query == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": "42",
        "timeoutSeconds": "300",
    }


@pytest.mark.parametrize(
    ("call", "method", "path", "content_type"),
    [
        pytest.param(
            calls.get_object(PODS, "b", "a"),
            "GET",
            "/api/v1/namespaces/a/pods/b",
            "application/json",
            id="get",
        ),
        pytest.param(
            calls.get_path("/version"), "GET", "/version", "application/json", id="get-path"
        ),
        pytest.param(
            calls.create_object(PODS, POD, None),
            "POST",
            "/api/v1/namespaces/a/pods",
            "application/json",
            id="create",
        ),
        pytest.param(
            calls.create_object(PODS, {"metadata": {"name": "b"}}, "z"),
            "POST",
            "/api/v1/namespaces/z/pods",
            "application/json",
            id="create-in-given-namespace",
        ),
        pytest.param(
            calls.update_object(DRA_V1ALPHA2.claims, POD, "status"),
            "PUT",
            "/apis/resource.k8s.io/v1alpha2/namespaces/a/resourceclaims/b/status",
            "application/json",
            id="update-status",
        ),
        pytest.param(
            calls.patch_object(NODES, "n", {}, None, None),
            "PATCH",
            "/api/v1/nodes/n",
            "application/merge-patch+json",
            id="merge-patch",
        ),
        pytest.param(
            calls.patch_object(NODES, "n", [], None, "status"),
            "PATCH",
            "/api/v1/nodes/n/status",
            "application/json-patch+json",
            id="json-patch",
        ),
        pytest.param(
            calls.delete_object(PODS, "b", "a", None, None),
            "DELETE",
            "/api/v1/namespaces/a/pods/b",
            "application/json",
            id="delete",
        ),
        pytest.param(
            calls.pod_log("a", "b", "c"),
            "GET",
            "/api/v1/namespaces/a/pods/b/log",
            "application/json",
            id="log",
        ),
    ],
)
def test_address(call: Call, method: str, path: str, content_type: str) -> None:
    assert (call.method, call.path, call.content_type) == (method, path, content_type)


@pytest.mark.parametrize(
    ("options", "extra"),
    [
        pytest.param((None, None), {}, id="plain"),
        pytest.param(("u", None), {"preconditions": {"uid": "u"}}, id="uid"),
        pytest.param(
            ("u", None, "7"),
            {"preconditions": {"uid": "u", "resourceVersion": "7"}},
            id="resource-version",
        ),
        pytest.param((None, 0), {"gracePeriodSeconds": 0}, id="at-once"),
    ],
)
def test_delete_options(options: tuple[str | None, int | None], extra: dict) -> None:
    body = calls.delete_object(PODS, "b", "a", *options).body
    assert body == {"apiVersion": "v1", "kind": "DeleteOptions", **extra}


GUARD = {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}


@pytest.mark.parametrize(
    ("call", "repeatable"),
    [
        pytest.param(calls.list_objects(PODS, Scope()), True, id="list"),
        pytest.param(calls.watch_objects(PODS, Scope(), "1", 9), False, id="watch"),
        pytest.param(calls.get_object(NODES, "n", None), True, id="get"),
        pytest.param(calls.pod_log("a", "b", "c"), True, id="log"),
        pytest.param(calls.create_object(PODS, POD, None), False, id="create"),
        pytest.param(calls.update_object(PODS, POD, None), True, id="update"),
        pytest.param(calls.delete_object(PODS, "b", "a", None, None), True, id="delete"),
        pytest.param(
            calls.patch_object(PODS, "b", {"metadata": {"labels": {}}}, "a", None),
            False,
            id="free-merge-patch",
        ),
        pytest.param(
            calls.patch_object(PODS, "b", {"metadata": {"resourceVersion": "7"}}, "a", None),
            True,
            id="guarded-merge-patch",
        ),
        pytest.param(
            calls.patch_object(PODS, "b", [{"op": "remove", "path": "/x"}], "a", None),
            False,
            id="free-json-patch",
        ),
        pytest.param(
            calls.patch_object(PODS, "b", [GUARD], "a", None), True, id="guarded-json-patch"
        ),
        pytest.param(
            calls.patch_object(PODS, "b", [{**GUARD, "op": "replace"}], "a", None),
            True,
            id="json-patch-of-a-revision",
        ),
    ],
)
def test_which_calls_can_be_sent_twice(call: Call, repeatable: bool) -> None:
    assert call.repeatable is repeatable


@pytest.mark.parametrize(
    ("call", "text"),
    [
        pytest.param(calls.list_objects(PODS, Scope()), "list pods", id="everywhere"),
        pytest.param(calls.list_objects(PODS, SOME), "list pods in namespace a", id="namespace"),
        pytest.param(calls.update_object(PODS, POD, "status"), "update pods a/b/status", id="part"),
        pytest.param(
            calls.create_object(PODS, {"metadata": {"generateName": "b-"}}, "a"),
            "create pods a/b-",
            id="generated-name",
        ),
    ],
)
def test_text_for_errors(call: Call, text: str) -> None:
    assert str(call) == text
