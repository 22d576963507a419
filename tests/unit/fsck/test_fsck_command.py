"""The command: what it finds, what it repairs, what it says, and how it exits."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import fsck.__main__ as program
from api.invariants import Fault
from api.names import DRIVER_NAME, FINALIZER
from api.objects import JSON, NodeName
from controller.caches import STATES
from controller.wiring import VERSIONS
from fsck.__main__ import Wish, inspect
from fsck.report import Finding
from kube.client import ListPage
from kube.errors import ConnectFailed
from kube.resources import Resource
from plugin.checkpoint import FILE_NAME
from tests.support.build import (
    allocated,
    claim,
    deleted,
    finalized,
    holding,
    nas,
    preparing,
)
from tests.support.memoryapi import MemoryApi

CLAIMS = VERSIONS["v1alpha2"].resources.claims
MADE = finalized(allocated(claim()))
LOOK = Wish(repair=False, dry_run=False, settle=2.0)
REPAIR = Wish(repair=True, dry_run=False, settle=2.0)
DRY = Wish(repair=True, dry_run=True, settle=2.0)


class Server(MemoryApi):
    """A MemoryApi as the command sees it."""

    def __init__(self, *objects: JSON, served: str = "v1alpha2") -> None:
        super().__init__()
        self.served = [served]
        for obj in objects:
            self.put(STATES if obj["kind"] == STATES.kind else CLAIMS, obj)

    def versions(self, group: str) -> list[str]:
        return self.served

    def list(self, resource: Resource, *, namespace: str | None = None) -> ListPage:
        return super().list(resource)

    def close(self) -> None:
        """Do nothing, as there are no connections."""


def findings(
    server: Server, wish: Wish = LOOK, files: Mapping[NodeName, Any] | None = None
) -> list[Finding]:
    client: Any = server
    return inspect(client, "fake-system", lambda: files or {}, wish, sleep=lambda _: None)


def kinds(found: list[Finding]) -> list[tuple[Fault, str]]:
    return [(each.violation.kind, each.repair.partition(":")[0]) for each in found]


ORPHANS = holding(holding(nas(), "uid-x", 0), "uid-y", 1)


def test_a_clean_cluster() -> None:
    server = Server(holding(nas(), "uid-claim", 0), MADE)
    assert findings(server) == []


def test_orphans_of_one_node_are_all_repaired() -> None:
    server = Server(ORPHANS)
    assert kinds(findings(server, REPAIR)) == [(Fault.ORPHANED, "repaired")] * 2
    assert "allocatedClaims" not in server.find(STATES, "node-1", "fake-system")["spec"]
    assert findings(server) == []


def test_a_finalizer_is_given_back() -> None:
    server = Server(holding(nas(), "uid-claim", 0), allocated(claim()))
    assert kinds(findings(server, REPAIR)) == [(Fault.UNPROTECTED, "repaired")]
    assert server.find(CLAIMS, "claim", "default")["metadata"]["finalizers"] == [FINALIZER]


@pytest.mark.parametrize(("wish", "told"), [(LOOK, ""), (DRY, "would be repaired")])
def test_nothing_is_written_unless_it_is_wished(wish: Wish, told: str) -> None:
    server = Server(ORPHANS)
    assert kinds(findings(server, wish)) == [(Fault.ORPHANED, told)] * 2
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
    ],
    ids=["lost", "abandoned", "deleted without our finalizer", "malformed"],
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
        client, "fake-system", dict, LOOK, sleep=lambda _: server.put(CLAIMS, MADE) and None
    )
    assert found == []


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(program.Client, "from_kubeconfig", lambda *_, **__: made)
    return made


def run(*arguments: str) -> Result:
    options = ["--namespace", "fake-system", "--settle", "0", *arguments]
    return CliRunner().invoke(program.main, ["fsck", *options])


def test_exit_code_and_text_of_a_clean_cluster(server: Server) -> None:
    result = run()
    assert (result.exit_code, result.output) == (0, "no violations\n")


def test_a_line_for_each_violation(server: Server) -> None:
    server.put(STATES, ORPHANS)
    result = run()
    heading, *lines = result.output.splitlines()
    assert result.exit_code == 1
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
    first, _ = json.loads(result.output)
    assert first["kind"] == "OrphanedAllocation"
    assert (first["node"], first["claim"], first["repair"]) == ("node-1", "uid-x", "repaired")


@pytest.mark.parametrize(
    "arguments", [["--node-files"], ["--settle", "-1"], ["-o", "yaml"]], ids=str
)
def test_wrong_usage(server: Server, arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_server_that_does_not_answer(server: Server) -> None:
    server.fault = lambda *_: ConnectFailed("away")
    result = run()
    assert result.exit_code == 2
    assert "away" in result.output


def test_a_server_without_classic_claims(server: Server) -> None:
    server.served = ["v1"]
    result = run()
    assert result.exit_code == 2
    assert "1.27 to 1.31" in result.output


def test_files_of_the_node(server: Server, tmp_path: Path) -> None:
    server.put(STATES, holding(preparing(nas(), "uid-claim", 0), "uid-claim", 0))
    server.put(CLAIMS, MADE)
    plugin = tmp_path / DRIVER_NAME
    plugin.mkdir()
    options = ["--node-files", "--node-name", "node-1", "--cdi-root", str(tmp_path / "cdi")]
    options += ["--kubelet-plugins-directory-path", str(tmp_path)]
    assert "PreparedDiffers" in run(*options).output
    (plugin / FILE_NAME).write_bytes(b"{")
    result = run(*options)
    assert (result.exit_code, "CheckpointCorrupt" in result.output) == (1, True)
    assert [path.name for path in plugin.iterdir()] == [FILE_NAME]
