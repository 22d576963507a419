import socket
from typing import Any

import pytest
from flask import Request
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from devcluster.apiserver.deletion import DeleteOptions
from devcluster.apiserver.errors import BadRequest, UnsupportedMediaType
from devcluster.apiserver.patch import JSON_PATCH, MERGE, STRATEGIC
from devcluster.apiserver.views import bodies, options
from devcluster.apiserver.views.accepting import accepted_form
from devcluster.apiserver.views.connection import client_socket, has_hung_up, send_at_once
from devcluster.apiserver.views.paths import Target, parse_path
from devcluster.apiserver.views.subresources import limited
from tests.support.apiserverrig import thing_kind
from tests.support.tables import cases

KIND = thing_kind()


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("pods", Target("pods")),
        ("nodes/n", Target("nodes", "", "n")),
        ("nodes/n/status", Target("nodes", "", "n", "status")),
        ("namespaces", Target("namespaces")),
        ("namespaces/", Target("namespaces")),
        ("namespaces/n", Target("namespaces", "", "n")),
        ("namespaces/n/status", Target("namespaces", "", "n", "status")),
        ("namespaces/n/finalize", Target("namespaces", "", "n", "finalize")),
        ("namespaces/n/pods", Target("pods", "n")),
        ("namespaces/n/pods/p", Target("pods", "n", "p")),
        ("namespaces/n/pods/p/log", Target("pods", "n", "p", "log")),
        ("namespaces/n/namespaces/p", Target("namespaces", "n", "p")),
        ("namespaces/n/pods/p/log/x", None),
        ("pods//status", None),
        ("", None),
    ],
)
def test_paths(path: str, target: Target | None) -> None:
    assert parse_path(path) == target


@given(st.text("ab/", max_size=12))
def test_any_path_is_read_or_refused(path: str) -> None:
    target = parse_path(path)
    assert target is None or target.plural


TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "object"),
        ("*/*", "object"),
        ("application/json", "object"),
        (f"{TABLE},application/json", "table"),
        ("application/json;as=Table; g=meta.k8s.io; v=v1", "table"),
        (f"application/json,{TABLE}", "object"),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", "object"),
        ("application/vnd.kubernetes.protobuf", "protobuf"),
        ("application/vnd.kubernetes.protobuf,application/json", "protobuf"),
        ("application/json, application/vnd.kubernetes.protobuf", "object"),
        (f"application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,{TABLE}", "table"),
        (DISCOVERY, "discovery"),
        (DISCOVERY.replace("v2", "v2beta1") + ",application/json", "object"),
        (f"application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,{TABLE}", "table"),
    ],
)
def test_forms_that_clients_accept(accept: str, form: str) -> None:
    assert accepted_form(accept) == form


def request(data: bytes | str, content_type: str = "application/json") -> Request:
    builder = EnvironBuilder(method="POST", data=data, content_type=content_type)
    return Request(builder.get_environ())


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        ('{"a": "2024-05-01"}', "application/json"),
        ('{"a": "2024-05-01"}', "application/json; charset=utf-8"),
        ("a: 2024-05-01", "application/yaml"),
    ],
)
def test_bodies_are_json_or_yaml(data: str, content_type: str) -> None:
    assert bodies.read_object(request(data, content_type)) == {"a": "2024-05-01"}


@cases(
    ("data", "content_type"),
    {
        "cut": (b"{", "application/json"),
        "no utf-8": (b"\xff", "application/json"),
        "list": (b"[]", "application/json"),
        "empty": (b"", "application/json"),
        "deep": (b"[" * 100_000, "application/json"),
        "cut yaml": (b"a: [", "application/yaml"),
        "yaml with odd keys": (b"{? [a] : 1}", "application/yaml"),
        "endless yaml": (b"&a [*a]", "application/yaml"),
    },
)
def test_bodies_that_are_no_object_are_400(data: bytes, content_type: str) -> None:
    with pytest.raises(BadRequest):
        bodies.read_object(request(data, content_type))


def test_other_formats_are_415() -> None:
    with pytest.raises(UnsupportedMediaType, match="application/json, application/yaml"):
        bodies.read_object(request(b"k8s\0", "application/vnd.kubernetes.protobuf"))


@pytest.mark.parametrize("media_type", [MERGE, JSON_PATCH, STRATEGIC])
def test_patches_keep_their_kind(media_type: str) -> None:
    patch = bodies.read_patch(request("{}", media_type), custom=False)
    assert (patch.media_type, patch.body) == (media_type, {})


@pytest.mark.parametrize(
    ("media_type", "said"),
    [
        (STRATEGIC, "application/json-patch\\+json, application/merge-patch\\+json"),
        ("application/json", "unknown format"),
        ("application/apply-patch+yaml", "server-side apply is not offered"),
    ],
)
def test_patches_that_are_not_offered_are_415(media_type: str, said: str) -> None:
    with pytest.raises(UnsupportedMediaType, match=said):
        bodies.read_patch(request("{}", media_type), custom=True)


def test_options_of_a_delete_come_from_the_body_or_the_query() -> None:
    body = {
        "preconditions": {"uid": "u", "resourceVersion": "5"},
        "gracePeriodSeconds": 0,
        "propagationPolicy": "Foreground",
        "dryRun": ["All"],
    }
    full = DeleteOptions("u", "5", 0, "Foreground", dry_run=True)
    assert options.delete_options({"gracePeriodSeconds": "7"}, body) == full
    query = {"gracePeriodSeconds": "7", "propagationPolicy": "Orphan", "dryRun": "All"}
    assert options.delete_options(query, {}) == DeleteOptions("", "", 7, "Orphan", dry_run=True)
    assert options.delete_options({}, {}) == DeleteOptions()


def test_orphan_dependents_is_the_old_name_of_a_policy() -> None:
    assert options.delete_options({}, {"orphanDependents": True}).propagation == "Orphan"
    assert options.delete_options({"orphanDependents": "true"}, {}).propagation == "Orphan"


def test_options_of_a_watch() -> None:
    query = {"resourceVersion": "7", "timeoutSeconds": "9", "allowWatchBookmarks": "true"}
    chosen = options.watch_options(KIND, {**query, "labelSelector": "a"})
    assert (chosen.revision, chosen.seconds, chosen.bookmarks) == ("7", 9, True)
    assert chosen.selector is not None
    assert 1800 <= options.watch_options(KIND, {}).seconds <= 3600


def test_options_of_a_list() -> None:
    query = {"limit": "5", "continue": "t", "resourceVersion": "7", "resourceVersionMatch": "Exact"}
    chosen = options.list_options(KIND, query)
    assert (chosen.limit, chosen.token, chosen.revision, chosen.match) == (5, "t", "7", "Exact")
    assert chosen.selector is None


@pytest.mark.parametrize(
    ("call", "query"),
    [
        (options.list_options, {"limit": "x"}),
        (options.list_options, {"limit": "9" * 30}),
        (options.list_options, {"labelSelector": "a b"}),
        (options.list_options, {"fieldSelector": "spec.no=1"}),
        (options.list_options, {"resourceVersionMatch": "Exact"}),
        (options.list_options, {"resourceVersionMatch": "Exact", "resourceVersion": "0"}),
        (options.list_options, {"resourceVersionMatch": "About", "resourceVersion": "1"}),
        (options.watch_options, {"timeoutSeconds": "soon"}),
        (options.watch_options, {"sendInitialEvents": "true"}),
    ],
)
def test_queries_that_make_no_sense_are_400(call: Any, query: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        call(KIND, query)


@pytest.mark.parametrize(
    "query", [{"dryRun": "Some"}, {"propagationPolicy": "Later"}, {"gracePeriodSeconds": "1.5"}]
)
def test_deletes_that_make_no_sense_are_400(query: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        options.delete_options(query, {})


def test_options_of_a_write() -> None:
    warnings: list[str] = []
    chosen = options.write_options({"dryRun": "All", "fieldValidation": "Strict"}, warnings.append)
    assert (chosen.dry_run, chosen.field_validation) == (True, "Strict")
    assert options.write_options({}, warnings.append).field_validation == "Warn"
    with pytest.raises(BadRequest, match='"Ignore", "Warn", "Strict"'):
        options.write_options({"fieldValidation": "Loose"}, warnings.append)


@pytest.mark.parametrize(
    ("text", "flag"),
    [(None, False), ("", True), ("1", True), ("true", True), ("0", False), ("False", False)],
)
def test_flags(text: str | None, *, flag: bool) -> None:
    assert options.is_true(text) is flag


def test_a_hang_up_is_seen_without_reading() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        assert not has_hung_up(ours)
        theirs.send(b"x")
        assert not has_hung_up(ours)
        assert ours.recv(1) == b"x"
        theirs.close()
        assert has_hung_up(ours)
    assert has_hung_up(ours)
    assert not has_hung_up(None)


@pytest.mark.parametrize("key", ["werkzeug.socket", "gunicorn.socket"])
def test_servers_tell_their_socket(key: str) -> None:
    with socket.socket() as connection:
        found = client_socket({key: connection})
        assert found is connection
        send_at_once(found)
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert client_socket({}) is None
    send_at_once(None)


@pytest.mark.parametrize(
    ("limit", "body"), [(None, b"abcdef"), (0, b""), (3, b"abc"), (4, b"abcd"), (9, b"abcdef")]
)
def test_logs_up_to_a_limit(limit: int | None, body: bytes) -> None:
    assert b"".join(limited(iter([b"abc", b"", b"def"]), limit)) == body
