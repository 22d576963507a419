"""Every permission that the chart gives is needed: without it the driver breaks a promise."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from api.objects import JSON
from tests.support.driverlife import Life
from tests.support.guardedapi import refusal
from tests.support.rbac import Permission, Request, permissions
from tests.support.structuredlife import StructuredLife
from tests.support.tables import cases

RESOURCE = "resource.k8s.io"
PARAMETERS = "fake.resource.3-shake.com"
STATES = "nas.fake.resource.3-shake.com/nodeallocationstates"
LEASES = "coordination.k8s.io/leases"
USER = "system:serviceaccount:fake-system:fake-dra-driver-controller"

AT_ONCE = "changes are seen at once"
"""Not with the next list, up to 30 s later; the program reports it."""

BROKEN = {
    f"controller: list {RESOURCE}/resourceclaims": "the cache of resourceclaims is filled",
    f"controller: watch {RESOURCE}/resourceclaims": AT_ONCE,
    f"controller: patch {RESOURCE}/resourceclaims": "a claim is allocated",
    f"controller: update {RESOURCE}/resourceclaims/status": "a claim is allocated",
    f"controller: list {RESOURCE}/podschedulingcontexts": (
        "the cache of podschedulingcontexts is filled"
    ),
    f"controller: watch {RESOURCE}/podschedulingcontexts": AT_ONCE,
    f"controller: update {RESOURCE}/podschedulingcontexts/status": "the scheduler gets an answer",
    f"controller: get {RESOURCE}/resourceclasses": "a claim is allocated",
    f"controller: list {RESOURCE}/resourceclasses": "the cache of resourceclasses is filled",
    f"controller: watch {RESOURCE}/resourceclasses": AT_ONCE,
    f"controller: get {RESOURCE}/deviceclasses": "a claim is allocated",
    f"controller: list {RESOURCE}/deviceclasses": "the cache of deviceclasses is filled",
    f"controller: watch {RESOURCE}/deviceclasses": AT_ONCE,
    f"controller: create {RESOURCE}/resourceclasses": "the driver has its class",
    f"controller: update {RESOURCE}/resourceclasses": "a former class is renewed",
    f"controller: delete {RESOURCE}/resourceclasses": "a class that is not wanted goes",
    f"controller: create {RESOURCE}/deviceclasses": "the driver has its class",
    f"controller: update {RESOURCE}/deviceclasses": "a former class is renewed",
    f"controller: delete {RESOURCE}/deviceclasses": "a class that is not wanted goes",
    f"controller: get {PARAMETERS}/deviceclassparameters": "a claim is allocated",
    f"controller: list {PARAMETERS}/deviceclassparameters": (
        "the cache of deviceclassparameters is filled"
    ),
    f"controller: watch {PARAMETERS}/deviceclassparameters": AT_ONCE,
    f"controller: get {PARAMETERS}/fakeclaimparameters": "a claim is allocated",
    f"controller: list {PARAMETERS}/fakeclaimparameters": (
        "the cache of fakeclaimparameters is filled"
    ),
    f"controller: watch {PARAMETERS}/fakeclaimparameters": AT_ONCE,
    "controller: get /pods": "a claim is allocated",
    "controller: list /pods": "the cache of pods is filled",
    "controller: watch /pods": AT_ONCE,
    "controller: list /nodes": "the cache of nodes is filled",
    "controller: watch /nodes": AT_ONCE,
    "controller: create /events": "the controller tells users",
    "controller: patch /events": "the controller counts what repeats",
    f"controller: get {STATES}": "a claim is allocated",
    f"controller: list {STATES}": "the cache of nodeallocationstates is filled",
    f"controller: watch {STATES}": AT_ONCE,
    f"controller: patch {STATES}": "a claim is allocated",
    f"controller: delete {STATES}": "a state of classic claims goes",
    f"controller: create {LEASES}": "a controller leads",
    f"controller: get {LEASES}": "a controller leads",
    f"controller: list {LEASES}": "others watch the lease",
    f"controller: watch {LEASES}": "others watch the lease",
    f"controller: update {LEASES}": "the lease is renewed",
    "kubeletplugin: get /nodes": "a node offers devices",
    f"kubeletplugin: get {RESOURCE}/resourceclaims": "a claim is prepared",
    "kubeletplugin: create /events": "the kubeletplugin tells users",
    "kubeletplugin: patch /events": "the kubeletplugin counts what repeats",
    f"kubeletplugin: get {STATES}": "a node offers devices",
    f"kubeletplugin: list {STATES}": "the plugin sees its state",
    f"kubeletplugin: watch {STATES}": AT_ONCE,
    f"kubeletplugin: create {STATES}": "a node offers devices",
    f"kubeletplugin: patch {STATES}": "a node is Ready",
    f"uninstall: list {RESOURCE}/resourceclaims": "the hook looks who uses the driver",
    f"uninstall: list {STATES}": "the hook removes the states",
    f"uninstall: delete {STATES}": "the hook removes the states",
    "uninstall: list /pods": "the hook waits for the plugins",
    f"uninstall: list {RESOURCE}/resourceclasses": "the hook removes the classes",
    f"uninstall: delete {RESOURCE}/resourceclasses": "the hook removes the classes",
    f"uninstall: list {RESOURCE}/deviceclasses": "the hook removes the classes",
    f"uninstall: delete {RESOURCE}/deviceclasses": "the hook removes the classes",
    f"uninstall: list {RESOURCE}/resourceslices": "the hook removes slices",
    f"uninstall: delete {RESOURCE}/resourceslices": "the hook removes slices",
}
"""What breaks without a permission."""

OF_THE_FRAMEWORK = {
    "kubeletplugin: list /nodes",
    "kubeletplugin: watch /nodes",
    f"kubeletplugin: list {RESOURCE}/resourceclaims",
    *(
        f"kubeletplugin: {verb} {RESOURCE}/resourceslices"
        for verb in ("get", "list", "watch", "create", "update", "delete")
    ),
}
"""What only a structured plugin needs; tests/unit/dra/test_dra_manifests.py shows that it does."""

IN_1_31 = {f"controller: {verb} {RESOURCE}/deviceclasses" for verb in ("get", "list", "watch")}
SINCE_1_32 = {
    f"controller: delete {STATES}",
    *(missing for missing in BROKEN if "deviceclasses" in missing or "slices" in missing),
} - IN_1_31


def lived(root: Path, granted: Iterable[Permission], version: str) -> Life | StructuredLife:
    """Return a life that is over, in a version of resource.k8s.io."""
    if version == "v1":
        structured = StructuredLife(granted)
        structured.live()
        return structured
    life = Life(root, granted, version=version)
    if version == "v1alpha3":
        life.live_on_1_31()
    else:
        life.live()
    return life


def version_of(missing: str) -> str:
    """Return in which version a permission is asked for."""
    if missing in IN_1_31:
        return "v1alpha3"
    return "v1" if missing in SINCE_1_32 else "v1alpha2"


def short(permission: Permission) -> str:
    return f"{permission.component}: {permission.verb} {permission.resource}"


@pytest.fixture(scope="session")
def granted(rendered: list[JSON]) -> dict[str, Permission]:
    """What the chart gives, by its short name."""
    return {short(permission): permission for permission in permissions(rendered)}


def test_the_driver_needs_all_permissions_and_no_others(
    granted: dict[str, Permission], tmp_path: Path
) -> None:
    used: set[Permission] = set()
    for version in ("v1alpha2", "v1alpha3", "v1"):
        root = tmp_path / version
        root.mkdir()
        life = lived(root, granted.values(), version)
        assert life.api.refused == []
        assert [promise for promise in life.made if promise not in life.kept] == []
        used |= life.api.used
    assert {short(each) for each in used} == set(granted) - OF_THE_FRAMEWORK


def test_every_permission_has_a_promise(granted: dict[str, Permission]) -> None:
    assert set(granted) == set(BROKEN) | OF_THE_FRAMEWORK


@pytest.mark.parametrize("missing", BROKEN)
def test_without_a_permission_a_promise_is_broken(
    granted: dict[str, Permission], tmp_path: Path, caplog: pytest.LogCaptureFixture, missing: str
) -> None:
    permission = granted[missing]
    left = set(granted.values()) - {permission}
    life = lived(tmp_path, left, version_of(missing))
    assert life.api.refused
    for component, request in life.api.refused:
        assert component == permission.component
        assert permission.allows(request)
    if BROKEN[missing] == AT_ONCE:
        assert refusal(*life.api.refused[0]) in reports(caplog, permission)
    else:
        assert BROKEN[missing] in set(life.made) - life.kept


def reports(caplog: pytest.LogCaptureFixture, permission: Permission) -> str:
    """Return what a program has logged about the watch of a resource."""
    plural = permission.resource.partition("/")[2]
    keys = [vars(record).get("keys") or {} for record in caplog.records]
    return "\n".join(str(each) for each in keys if each.get("resource") == plural)


@cases(
    ("path", "query", "expected"),
    {
        "version": ("/version", {}, Request("get")),
        "discovery": ("/apis/resource.k8s.io", {}, Request("get")),
        "object": ("/api/v1/nodes/n", {}, Request("get", "/nodes", "n")),
        "list": ("/api/v1/pods", {"fieldSelector": "spec.nodeName="}, Request("list", "/pods")),
        "watch of one": (
            "/apis/coordination.k8s.io/v1/namespaces/s/leases",
            {"watch": "true", "fieldSelector": "metadata.name=lease"},
            Request("watch", "coordination.k8s.io/leases", "lease", "s"),
        ),
        "subresource": (
            "/apis/resource.k8s.io/v1alpha2/namespaces/s/resourceclaims/c/status",
            {},
            Request("get", "resource.k8s.io/resourceclaims/status", "c", "s"),
        ),
    },
)
def test_a_request_is_understood_as_by_an_authorizer(
    path: str, query: dict[str, str], expected: Request
) -> None:
    assert Request.of("GET", path, query) == expected


@cases(
    ("request_", "allowed"),
    {
        "this": (Request("get", "/pods", "p", "here"), True),
        "namespace": (Request("get", "/pods", "p", "there"), False),
        "name": (Request("get", "/pods", "q", "here"), False),
        "verb": (Request("list", "/pods", "", "here"), False),
        "subresource": (Request("get", "/pods/status", "p", "here"), False),
    },
)
def test_a_permission_allows_nothing_else(request_: Request, allowed: bool) -> None:
    permission = Permission("controller", "get", "/pods", "p", "here")
    assert permission.allows(request_) is allowed


@cases(
    ("request_", "text"),
    {
        "cluster": (
            Request("list", "/pods"),
            (
                f'pods is forbidden: User "{USER}" cannot list resource "pods" '
                'in API group "" at the cluster scope'
            ),
        ),
        "namespace": (
            Request("update", "resource.k8s.io/resourceclaims/status", "c", "s"),
            (
                f'resourceclaims.resource.k8s.io "c" is forbidden: User "{USER}" cannot update '
                'resource "resourceclaims/status" in API group "resource.k8s.io" '
                'in the namespace "s"'
            ),
        ),
    },
)
def test_a_refusal_reads_as_that_of_kubernetes(request_: Request, text: str) -> None:
    assert refusal("controller", request_) == text
