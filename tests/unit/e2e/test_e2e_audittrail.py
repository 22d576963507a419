"""The audit log of a real API server is read as it is written."""

import json
from pathlib import Path

import pytest

from api.objects import JSON
from tests.e2e.cluster import audit
from tests.e2e.cluster.layout import Layout
from tests.support.audittrail import asked, refused, request_of, used
from tests.support.rbac import Permission, Request
from tests.support.tables import cases

CONTROLLER = "fake-dra-driver-controller"
ROLES = ("clusterroles", "clusterrolebindings", "roles", "rolebindings")


def event(second: int, verb: str, ref: JSON | None, user: str, code: int = 200) -> JSON:
    """Return an event of level Metadata, as kube-apiserver 1.30 writes it."""
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": "b5c5fd6a",
        "stage": "ResponseComplete",
        "requestURI": "/",
        "verb": verb,
        "user": {"username": user, "groups": ["system:authenticated"]},
        "sourceIPs": ["10.244.0.5"],
        **({"objectRef": ref} if ref else {}),
        "responseStatus": {"metadata": {}, "code": code},
        "requestReceivedTimestamp": f"2026-01-01T00:00:{second:02}.000000Z",
        "stageTimestamp": f"2026-01-01T00:00:{second:02}.100000Z",
        "annotations": {"authorization.k8s.io/decision": "forbid" if code == 403 else "allow"},
    }


def by_driver(second: int, verb: str, ref: JSON | None, code: int = 200) -> JSON:
    return event(second, verb, ref, f"system:serviceaccount:fake-system:{CONTROLLER}", code)


def rights(second: int, verb: str) -> list[JSON]:
    """Return how Helm makes or takes the roles of the controller."""
    group = "rbac.authorization.k8s.io"
    refs = [{"resource": kind, "apiGroup": group, "name": CONTROLLER} for kind in ROLES]
    return [event(second, verb, ref, "admin") for ref in refs]


PODS = {"resource": "pods", "apiVersion": "v1"}


@cases(
    ("ref", "expected"),
    {
        "no resource": (None, Request("get")),
        "core": (PODS, Request("get", "/pods")),
        "subresource": (
            {
                "resource": "resourceclaims",
                "namespace": "ns",
                "name": "c",
                "apiGroup": "resource.k8s.io",
                "apiVersion": "v1alpha2",
                "subresource": "status",
            },
            Request("get", "resource.k8s.io/resourceclaims/status", "c", "ns"),
        ),
    },
)
def test_event_tells_what_an_authorizer_was_asked(ref: JSON | None, expected: Request) -> None:
    assert request_of(by_driver(1, "get", ref)) == expected


@cases(
    ("when", "told"),
    {
        "before its role has settled": (3, False),
        "with rights": (8, True),
        "taken": (30, False),
        "gone": (33, False),
        "given again": (50, True),
    },
)
def test_refused_is_what_was_forbidden_while_there_were_rights(when: int, told: bool) -> None:
    history = [*rights(1, "create"), *rights(30, "delete"), *rights(40, "create")]
    found = refused([*history, by_driver(when, "list", PODS, 403)], "fake-system")
    assert [each.request for each in found] == ([Request("list", "/pods")] if told else [])


@pytest.mark.parametrize(("when", "told"), [(9, True), (20, False), (59, False)])
def test_a_role_that_was_changed_settles_when_its_program_was_replaced(
    when: int, told: bool
) -> None:
    history = [*rights(1, "create"), rights(10, "patch")[0]]
    found = refused([*history, by_driver(when, "list", PODS, 403)], "fake-system")
    assert bool(found) == told


def test_one_role_that_is_missing_takes_the_rights() -> None:
    history = [*rights(1, "create"), rights(9, "delete")[0]]
    assert refused([*history, by_driver(20, "list", PODS, 403)], "fake-system") == []


def test_what_an_admission_plugin_forbids_is_no_refusal() -> None:
    """As a new event in a namespace that is being deleted."""
    answer = by_driver(20, "create", {"resource": "events", "namespace": "ns"}, 403)
    answer["annotations"] = {"authorization.k8s.io/decision": "allow"}
    assert refused([*rights(1, "create"), answer], "fake-system") == []


def test_others_are_not_the_driver() -> None:
    others = [
        "admin",
        "system:serviceaccount:kube-system:x",
        "system:serviceaccount:fake-system2:x",
    ]
    assert asked([event(1, "get", PODS, user) for user in others], "fake-system") == []


def test_used_are_the_permissions_of_the_component_that_asked() -> None:
    own, other = (Permission(c, "list", "/pods") for c in ("controller", "uninstall"))
    requests = asked([by_driver(1, "list", PODS)], "fake-system")
    assert used({own, other}, requests) == {own}


def test_events_are_read_in_order_from_all_files_but_for_a_line_under_way(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "cache", tmp_path / "state")
    layout.state.mkdir()
    audit.write_policy(layout)
    first, second = (by_driver(number, "list", PODS) for number in (1, 2))
    older = layout.audit_log.with_name("audit-2026-01-01T00-00-00.000.log")
    older.write_text(f"{json.dumps(first)}\n", encoding="utf-8")
    layout.audit_log.write_text(f'{json.dumps(second)}\n{{"ki', encoding="utf-8")
    assert audit.events(layout) == [first, second]


def test_api_server_is_told_of_policy_and_log(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "cache", tmp_path / "state")
    layout.state.mkdir()
    audit.write_policy(layout)
    flags = dict(flag.lstrip("-").split("=") for flag in audit.flags(layout))
    policy = json.loads(Path(flags["audit-policy-file"]).read_text(encoding="utf-8"))
    assert policy["rules"][0]["userGroups"] == [
        "system:serviceaccounts:fake-system",
        "system:serviceaccounts:dra-system",
    ]
    assert policy["rules"][-1] == {"level": "None"}
    assert Path(flags["audit-log-path"]).parent.is_dir()
