"""The command: what it finds, what it repairs, what it says, and how it exits."""

import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import fsck.command as program
from api.contract import FAKE
from api.invariants import Fault
from api.names import WRITER_ANNOTATION
from api.objects import JSON, NodeName
from api.resources import DRA_V1ALPHA2, NODES, STATES, Resource
from cli.__main__ import main
from fsck.command import Options, inspect
from fsck.report import Finding
from kube.client import ListPage
from kube.errors import ConnectFailed, Forbidden
from ops.config import namespace_of
from tests.support.build import (
    allocated,
    claim,
    deleted,
    finalized,
    holding,
    nas,
    node,
    told,
)
from tests.support.fsckserver import Server

MADE = finalized(allocated(claim()))
LOOK = Options(repair=False, dry_run=False, settle=2.0)
REPAIR = Options(repair=True, dry_run=False, settle=2.0)
DRY = Options(repair=True, dry_run=True, settle=2.0)


def findings(
    server: Server, options: Options = LOOK, files: Mapping[NodeName, Any] | None = None
) -> list[Finding]:
    client: Any = server
    return inspect(
        client, "fake-system", lambda: files or {}, options, FAKE, sleep=lambda _: None
    ).findings


def kinds(found: list[Finding]) -> list[tuple[Fault, str]]:
    return [(each.violation.kind, each.repair.partition(":")[0]) for each in found]


ORPHANS = holding(holding(nas(), "uid-x", 0), "uid-y", 1)


def test_a_clean_cluster() -> None:
    server = Server(holding(nas(), "uid-claim", 0), MADE)
    assert findings(server) == []


def clients(*promises: int) -> list[JSON]:
    """Return a node whose first device has a client for each promise, and their claims."""
    state, claims = nas(), []
    for number, most in enumerate(promises):
        state = holding(state, f"uid-c{number}", 0, share=(number, most))
        claims.append(finalized(allocated(claim(f"c{number}"))))
    return [state, *claims]


def test_a_device_that_claims_share_as_promised() -> None:
    assert findings(Server(*clients(3, 2))) == []


def test_an_orphan_among_those_who_share_a_device() -> None:
    server = Server(*clients(2, 2)[:-1])
    assert kinds(findings(server, REPAIR)) == [(Fault.ORPHANED, "repaired")]
    state = server.find(STATES, "node-1", "fake-system")
    assert [*state["spec"]["allocatedClaims"]] == ["uid-c0"]
    assert state["summary"]["shared"] == [{"uuid": "node-1-0", "clients": 1, "maxClients": 2}]


def test_orphans_of_one_node_are_all_repaired() -> None:
    server = Server(ORPHANS)
    assert kinds(findings(server, REPAIR)) == [(Fault.ORPHANED, "repaired")] * 2
    assert "allocatedClaims" not in server.find(STATES, "node-1", "fake-system")["spec"]
    assert findings(server) == []


def test_a_repaired_state_still_says_that_it_does_not_tell_of_all_claims() -> None:
    state = holding(nas(), "uid-x", 0)
    state["metadata"]["annotations"] = {WRITER_ANNOTATION: "controller.1"}
    server = Server(state, finalized(told(claim(), "node-1-1")))
    assert kinds(findings(server, REPAIR)) == [(Fault.ORPHANED, "repaired")]
    found = server.find(STATES, "node-1", "fake-system")
    assert found["metadata"]["annotations"] == {WRITER_ANNOTATION: "controller.1"}
    assert "free" not in found["summary"]


def test_a_finalizer_is_given_back() -> None:
    server = Server(holding(nas(), "uid-claim", 0), allocated(claim()))
    assert kinds(findings(server, REPAIR)) == [(Fault.UNPROTECTED, "repaired")]
    assert server.find(DRA_V1ALPHA2.claims, "claim", "default")["metadata"]["finalizers"] == [
        FAKE.finalizer
    ]


@pytest.mark.parametrize(("options", "result"), [(LOOK, ""), (DRY, "would be repaired")])
def test_nothing_is_written_unless_it_is_asked_for(options: Options, result: str) -> None:
    server = Server(ORPHANS)
    assert kinds(findings(server, options)) == [(Fault.ORPHANED, result)] * 2
    assert server.writes() == []


@pytest.mark.parametrize(
    ("objects", "kind"),
    [
        ([nas(), MADE], Fault.LOST),
        ([holding(nas(), "uid-claim", 0), finalized(claim())], Fault.ABANDONED),
        (
            [holding(nas(), "uid-claim", 0), deleted(finalized(allocated(claim()), "other"))],
            Fault.UNPROTECTED,
        ),
        ([nas(allocatedClaims={"u": 3})], Fault.MALFORMED),
        (clients(3, 2, 3), Fault.DEVICE_SHARED),
    ],
    ids=["lost", "abandoned", "deleted without our finalizer", "malformed", "too many clients"],
)
def test_what_others_have_to_repair_is_left_to_them(objects: list[JSON], kind: Fault) -> None:
    server = Server(*objects)
    assert kinds(findings(server, REPAIR)) == [(kind, "")]
    assert server.writes() == []


def test_a_repair_that_somebody_else_was_faster_than_is_none() -> None:
    server = Server(holding(nas(), "uid-x", 0))

    def interfere(verb: str, _plural: str, _body: JSON | None) -> None:
        if verb == "patch":
            server.rewrite(server.find(STATES, "node-1", "fake-system"))

    server.fault = interfere  # type: ignore[assignment]
    assert kinds(findings(server, REPAIR)) == [(Fault.ORPHANED, "not repaired")]


def test_what_only_one_look_sees_was_on_its_way() -> None:
    server = Server(holding(nas(), "uid-claim", 0))
    client: Any = server
    found = inspect(
        client,
        "fake-system",
        dict,
        LOOK,
        FAKE,
        sleep=lambda _: server.put(DRA_V1ALPHA2.claims, MADE) and None,
    )
    assert found.findings == []


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(program.Client, "from_kubeconfig", lambda *_, **__: made)
    return made


@pytest.fixture(autouse=True)
def namespace_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The namespace of the pod that the test runs in; there is none yet."""
    path = tmp_path / "namespace"
    monkeypatch.setattr(program, "namespace_of", partial(namespace_of, namespace_file=path))
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["fsck", "--settle", "0", *arguments])


def elsewhere(state: JSON, namespace: str) -> JSON:
    return {**state, "metadata": {**state["metadata"], "namespace": namespace}}


HELD = holding(nas(), "uid-claim", 0)
FOREIGN = claim("foreign")


def test_exit_code_and_text_of_a_clean_cluster(server: Server) -> None:
    for obj in (HELD, nas("node-2"), MADE, FOREIGN):
        server.put(STATES if obj["kind"] == STATES.kind else DRA_V1ALPHA2.claims, obj)
    result = run()
    looked = "looked at 2 nodes and 2 claims (1 of this driver) in namespace fake-system of "
    assert result.output == f"{looked}http://memory\nno violations\n"
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("options", "states", "told"),
    [
        (
            [],
            ["a", "b"],
            "in namespaces a (1 node) and b (1 node); name the driver's with ",
        ),
        (["--namespace", "wrong"], ["a"], "none in namespace wrong, but in a (1 node); "),
        (["--namespace", "wrong"], [], "no NodeAllocationState in any namespace"),
        ([], [], "no NodeAllocationState in any namespace"),
    ],
    ids=["several", "wrong one", "wrong one and nothing at all", "nothing at all"],
)
def test_a_namespace_that_cannot_be_told_is_no_clean_cluster(
    server: Server, options: list[str], states: list[str], told: str
) -> None:
    for namespace in states:
        server.put(STATES, elsewhere(HELD, namespace))
    if states:
        server.put(DRA_V1ALPHA2.claims, MADE)
    result = run(*options)
    assert (result.exit_code, told in result.output) == (2, True), result.output
    assert "http://memory" in result.output


@pytest.mark.parametrize("options", [[], ["--namespace", "fake-system"]], ids=["found", "given"])
def test_the_namespace_of_the_driver_is_found(server: Server, options: list[str]) -> None:
    server.put(STATES, HELD)
    server.put(DRA_V1ALPHA2.claims, MADE)
    result = run(*options)
    assert (result.exit_code, "in namespace fake-system of" in result.output) == (0, True)


def test_who_may_not_look_into_other_namespaces_uses_the_one_of_the_pod(
    server: Server, monkeypatch: pytest.MonkeyPatch, namespace_file: Path
) -> None:
    listing = server.list

    def limited(resource: Resource, *, namespace: str | None = None) -> ListPage:
        if resource == STATES and namespace is None:
            raise Forbidden(403, "Forbidden", "may not list", {})
        return listing(resource, namespace=namespace)

    monkeypatch.setattr(server, "list", limited)
    server.put(STATES, HELD)
    server.put(DRA_V1ALPHA2.claims, MADE)
    assert (run().exit_code, "--namespace (env" in run().output) == (2, True)
    namespace_file.write_text("fake-system", encoding="utf-8")
    assert run().exit_code == 0
    result = run("--namespace", "wrong")
    assert (result.exit_code, "in namespace wrong" in result.output) == (2, True)


def test_a_cluster_without_the_kind_is_told_what_to_install(server: Server) -> None:
    server.unserve(STATES)
    result = run()
    assert result.exit_code == 2
    assert result.output == (
        "Error: http://memory does not know NodeAllocationStates, so nothing to look at; see that "
        "--kubeconfig names the cluster of the driver, and install its definitions with kubectl "
        "apply -f deploy/helm/fake-dra-driver/crds\n"
    )


@pytest.mark.parametrize(
    ("others", "message", "remedy"),
    [
        ([], "is allocated, and its node is gone", "with kubectl delete pod --force"),
        ([node()], "and its node has no NodeAllocationState", "start the node's kubelet plugin"),
        ([node(), nas()], "and the node has no devices for it", "the controller enters them again"),
    ],
    ids=["node gone", "node state gone", "entry gone"],
)
def test_remedy_of_a_lost_allocation(
    server: Server, others: list[JSON], message: str, remedy: str
) -> None:
    server.put(DRA_V1ALPHA2.claims, MADE)
    for obj in others:
        server.put(STATES if obj["kind"] == STATES.kind else NODES, obj)
    result = run("-o", "json")
    (found,) = json.loads(result.stdout)
    assert (result.exit_code, found["kind"], found["node"]) == (1, "LostAllocation", "node-1")
    assert message in found["message"]
    assert remedy in found["remedy"]


def test_a_line_for_each_violation(server: Server) -> None:
    server.put(STATES, ORPHANS)
    result = run()
    looked, heading, *lines = result.output.splitlines()
    assert result.exit_code == 1
    assert looked.startswith("looked at 1 node and 0 claims")
    assert heading.split()[:3] == ["KIND", "NODE", "CLAIM"]
    assert [line.split()[:3] for line in lines] == [
        ["OrphanedAllocation", "node-1", "uid-x"],
        ["OrphanedAllocation", "node-1", "uid-y"],
    ]
    assert "takes the devices back" in lines[0]


def test_objects_for_programs(server: Server) -> None:
    server.put(STATES, ORPHANS)
    result = run("-o", "json", "--repair")
    assert result.exit_code == 0
    assert result.stderr.startswith("looked at 1 node and 0 claims")
    first, _ = json.loads(result.stdout)
    assert first["kind"] == "OrphanedAllocation"
    assert (first["node"], first["claim"], first["repair"]) == ("node-1", "uid-x", "repaired")


@pytest.mark.parametrize("arguments", [["--settle", "-1"], ["-o", "yaml"]], ids=str)
def test_wrong_usage(server: Server, arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_help_tells_the_exit_codes(server: Server) -> None:
    told = run("--help").output
    assert [line.split()[0] for line in told.splitlines() if re.match(r"\s+\d  ", line)] == [
        "0",
        "1",
        "2",
    ]


def test_a_server_that_does_not_answer(server: Server) -> None:
    server.fault = lambda *_: ConnectFailed("away")
    result = run()
    assert result.exit_code == 2
    assert "away" in result.output


def test_a_server_without_claims(server: Server) -> None:
    server.served = []
    result = run()
    assert result.exit_code == 2
    assert "serves resource.k8s.io in no version" in result.output
