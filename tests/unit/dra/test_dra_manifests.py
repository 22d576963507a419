"""What `dra manifests` prints: valid for every minor, and allows what a driver does, not more."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner
from flask import Flask, request, request_started

from api.objects import JSON
from api.resources import STRUCTURED_VERSIONS
from devcluster.apiserver.resourceapi import structured
from dra.cli import main
from dra.driver import PreparedDevice, PreparingClaim
from drivers.file.driver import FileDriver
from testing.kubelet import PrepareFailed
from testing.node import Node
from testing.waiting import until
from tests.support.apiserverweb import Web
from tests.support.rbac import Request, permissions
from tests.support.switchedfiles import SwitchedFiles

SLICES = STRUCTURED_VERSIONS["v1"].slices
NAME = FileDriver.contract.driver_name
VERSIONS = [("1.32", "v1beta1"), ("1.33", "v1beta2"), ("1.34", "v1"), ("1.37", "v1")]
ALL = ("--rolling-update", "--publish-status", "--host-path", "/etc/dra", "--set", "FILES=3")


FILES = "drivers.file.driver:FileDriver"
SWITCHED = "tests.support.switchedfiles:SwitchedFiles"


def printed(*options: str, target: str = FILES) -> list[JSON]:
    result = CliRunner().invoke(main, ["manifests", target, "--image", "file-driver:1", *options])
    assert result.exit_code == 0, result.output
    return list(yaml.safe_load_all(result.stdout))


@pytest.mark.parametrize("options", [(), ALL], ids=["default", "all"])
@pytest.mark.parametrize(("minor", "version"), VERSIONS, ids=[minor for minor, _ in VERSIONS])
def test_the_objects_are_those_of_the_minor(
    minor: str, version: str, options: tuple[str, ...]
) -> None:
    for each in printed(*options, "--api-version", version):
        kubernetes_validate.validate(each, minor, strict=True)


@pytest.mark.parametrize(
    ("minor", "version"), [(32, "v1beta1"), (33, "v1beta2"), (34, "v1"), (37, "v1")]
)
def test_an_api_server_stores_the_class_as_it_is(minor: int, version: str) -> None:
    wanted = next(o for o in printed("--api-version", version) if o["kind"] == "DeviceClass")
    path = f"/apis/resource.k8s.io/{version}/deviceclasses?fieldValidation=Strict"
    status, stored = Web(api=structured(minor)).json("POST", path, wanted)
    assert (status, stored.get("spec")) == (201, wanted["spec"]), stored


def test_a_version_that_no_minor_has_is_refused() -> None:
    options = ["--image", "x", "--api-version", "v1alpha3"]
    result = CliRunner().invoke(main, ["manifests", FILES, *options])
    assert result.exit_code == 2
    assert "'v1alpha3' is not one of 'v1', 'v1beta2', 'v1beta1'" in result.output


REFUSED = {
    "setting-misspelt": (
        ["--set", "FILE=3"],
        "the driver has no setting FILE; it has FILES, DIREC",
    ),
    "setting-of-a-wrong-type": (
        ["--set", "FILES=many"],
        "'many' is not a valid integer; give a wh",
    ),
    "setting-twice": (["--set", "FILES=1", "--set", "FILES=2"], "FILES is given twice"),
    "setting-of-the-manifest": (["--set", "CDI_ROOT=/x"], "CDI_ROOT is set by the manifests"),
    "namespace": (["--namespace", "My_NS"], "--namespace: 'My_NS': a lowercase RFC 1123 label"),
    "name": (["--name", "My_Driver"], "--name: 'My_Driver': a lowercase RFC 1123 label"),
    "class": (["--class", "My_Class"], "--class: 'My_Class': a lowercase RFC 1123 subdomain"),
    "no-image": (["--image", ""], "--image: is empty"),
    "host-path": (["--host-path", "etc/dra"], "--host-path: 'etc/dra' is no absolute path"),
    "host-path-up": (["--host-path", "/etc/../x"], "--host-path: '/etc/../x' is no absolute path"),
    "host-path-twice": (["--host-path", "/a", "--host-path", "/a/"], "'/a' is there already"),
    "host-path-of-cdi": (["--host-path", "/var/run/cdi"], "'/var/run/cdi' is there already"),
}


@pytest.mark.parametrize(("options", "text"), REFUSED.values(), ids=REFUSED)
def test_what_no_cluster_or_no_driver_takes_is_not_printed(options: list[str], text: str) -> None:
    result = CliRunner().invoke(main, ["manifests", FILES, "--image", "file-driver:1", *options])
    assert (result.exit_code, result.stdout) == (2, "")
    assert text in " ".join(result.stderr.split())


def test_a_setting_that_the_driver_needs_has_to_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTS", "/of/this/shell")
    options = ["--image", "x", "--set", "V=4"]
    result = CliRunner().invoke(main, ["manifests", f"{__name__}:Needy", *options])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--set PORTS=… is missing; give a path" in result.stderr


def test_settings_of_all_drivers_can_be_given() -> None:
    daemon_set = printed("--set", "V=4", "--set", "DIRECTORY=/etc/dra", "--set", "FILES=")[-1]
    env = daemon_set["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "V", "value": "4"} in env
    assert {"name": "FILES", "value": ""} in env


def test_the_help_shows_one_object_in_a_line() -> None:
    lines = CliRunner().invoke(main, ["manifests", "--help"]).stdout.splitlines()
    kinds = [
        "Namespace",
        "ServiceAccount,",
        "ValidatingAdmissionPolicy",
        "DeviceClass",
        "DaemonSet",
    ]
    assert [line.split()[0] for line in lines[4:9]] == kinds


class Needy(FileDriver):
    """Lend ports."""

    def __init__(self, ports: Path) -> None:
        super().__init__(directory=ports)


class Changing(FileDriver):
    """Shows the state of its devices, fails once, and has fewer devices when told so."""

    broken = True

    def start(self, publish: Callable[[], None]) -> None:
        self._publish = publish

    def keep(self, devices: int) -> None:
        self._devices = self._devices[:devices]
        self._publish()

    def prepare(self, claim: PreparingClaim) -> Sequence[PreparedDevice]:
        if self.broken:
            self.broken = False
            raise RuntimeError("no paper")
        for result in claim.results:
            claim.publish_status(result, data={"lent": True})
        return super().prepare(claim)


@pytest.fixture
def requests(dra_node: Node) -> Iterator[set[tuple[str, str]]]:
    """Verb and resource of each request of programs of the node."""
    found: set[tuple[str, str]] = set()

    def note(_app: Flask, **_fields: object) -> None:
        if NAME in request.headers.get("User-Agent", ""):
            seen = Request.of(request.method, request.path, request.args)
            found.update({(seen.verb, seen.resource)} if seen.resource else ())

    with request_started.connected_to(note, dra_node.api.app):
        yield found


def granted(*options: str, target: str = FILES) -> set[tuple[str, str]]:
    return {(each.verb, each.resource) for each in permissions(printed(*options, target=target))}


NOT_ASKED_FOR_HERE = {
    # of a slice that is there already: the answer to its creation was lost
    ("get", "resource.k8s.io/resourceslices"),
    # of events that come again and again
    ("patch", "/events"),
    # of claims whose parameters were sent with spaces
    ("update", "resource.k8s.io/resourceclaims/status"),
    # no request: asked by the API server from 1.36 on
    ("associated-node:update", "resource.k8s.io/resourceclaims/driver"),
    ("associated-node:patch", "resource.k8s.io/resourceclaims/driver"),
}


def test_the_role_allows_what_a_driver_asks_for_and_nothing_else(
    dra_node: Node, requests: set[tuple[str, str]], tmp_path: Path
) -> None:
    driver = Changing(files=65, directory=tmp_path)
    with dra_node.running(driver):
        claim = dra_node.allocate(NAME, "file1")
        with pytest.raises(PrepareFailed, match="no paper"):
            dra_node.kubelet.prepare(claim)
        dra_node.kubelet.prepare(claim)
        dra_node.kubelet.unprepare(claim)
        driver.keep(64)
        until("one slice", lambda: len(dra_node.api.all(SLICES)) == 1)
        driver.keep(1)
        until("the update", lambda: ("update", "resource.k8s.io/resourceslices") in requests)
        until("the event", lambda: ("create", "/events") in requests)
    assert granted("--publish-status") == requests | NOT_ASKED_FOR_HERE


def test_only_a_driver_that_shows_the_state_of_devices_may_write_it() -> None:
    assert {resource for _, resource in granted("--publish-status") - granted()} == {
        "resource.k8s.io/resourceclaims/status",
        "resource.k8s.io/resourceclaims/driver",
    }


def test_only_a_driver_that_reads_its_node_may_watch_nodes(
    dra_node: Node, requests: set[tuple[str, str]], tmp_path: Path
) -> None:
    with dra_node.running(SwitchedFiles(2, tmp_path)):
        until("the watch", lambda: ("watch", "/nodes") in requests)
    asked = {each for each in requests if each[1] == "/nodes"}
    allowed = granted(target=SWITCHED)
    assert asked == {each for each in allowed if each[1] == "/nodes"}
    assert allowed - granted() == {("list", "/nodes"), ("watch", "/nodes")}
