"""Whether the driver may go is told rightly, and what it made goes after its plugins."""

from typing import Any

import pytest
from click.testing import CliRunner, Result

import fsck.uninstall as command
from api.contract import FAKE
from api.errors import MalformedState
from api.nas import new_nas
from api.objects import JSON, NodeName
from api.resources import DRA_V1ALPHA2, PODS, STATES, Resource
from cli.__main__ import main
from fsck.uninstall import (
    Patience,
    PluginsRemain,
    StillInUse,
    await_plugins,
    check_unused,
    remove_states,
)
from kube.errors import KubeError, NotFound, ServerError
from testing.apiserver import MemoryApi
from tests.support.build import NAMESPACE, SYSTEM, claim, pod

LABELS = {"app": "fake", "component": "plugin"}
SELECTOR = "app=fake,component=plugin"


class Api(MemoryApi):
    """A cluster in which the driver was."""

    def __init__(self) -> None:
        super().__init__()
        self.served = ["v1alpha2"]
        self.closed = False

    def versions(self, group: str) -> list[str]:
        return self.served

    def close(self) -> None:
        self.closed = True

    def state(self, node: str, namespace: str = SYSTEM, **spec: Any) -> None:
        self.put(STATES, _with_spec(new_nas(NodeName(node), namespace, f"uid-{node}"), spec))

    def protected(self, name: str, *finalizers: str) -> None:
        raw = claim(name)
        self.put(
            DRA_V1ALPHA2.claims,
            {**raw, "metadata": {**raw["metadata"], "finalizers": list(finalizers)}},
        )

    def plugin(self, name: str, namespace: str = SYSTEM, labels: JSON = LABELS) -> None:
        meta = {"name": name, "namespace": namespace, "labels": dict(labels), "uid": name}
        self.put(PODS, {**pod(name), "metadata": meta})

    def without(self, resource: Resource) -> None:
        """Serve this kind no more, as when its CRD is gone."""

        def fault(_verb: str, plural: str, _body: JSON | None) -> KubeError | None:
            gone = plural == resource.plural
            return NotFound(404, "NotFound", "no such resource", {}) if gone else None

        self.fault = fault


class Time:
    """A clock that only sleeping moves; something may happen while it sleeps."""

    def __init__(self, *events: Any) -> None:
        self.now = 0.0
        self.events = list(events)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.events:
            self.events.pop(0)()

    def patience(self, seconds: float) -> Patience:
        return Patience(seconds, clock=lambda: self.now, sleep=self.sleep)


@pytest.fixture
def api() -> Api:
    return Api()


def _with_spec(nas: JSON, spec: JSON) -> JSON:
    return {**nas, "metadata": {**nas["metadata"], "uid": "uid"}, "spec": {**nas["spec"], **spec}}


def allocation(name: str) -> JSON:
    info = {"namespace": NAMESPACE, "name": name}
    return {f"uid-{name}": {"claimInfo": info, "fake": {"devices": [{"uuid": "d", "split": 0}]}}}


def prepared(name: str) -> JSON:
    return {f"uid-{name}": {"fake": {"devices": [{"uuid": "d", "parentUUID": None}]}}}


def test_unused_driver_may_go(api: Api) -> None:
    api.state("node-1", preparedDevices={}, allocatedClaims={})
    api.protected("another", "example.com/other")
    api.state("node-1", "elsewhere", allocatedClaims=allocation("theirs"))
    check_unused(api, SYSTEM, FAKE)
    assert api.writes() == []


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (lambda api: api.protected("a", FAKE.finalizer), "default/a;"),
        (lambda api: api.state("n", allocatedClaims=allocation("a")), "default/a;"),
        (lambda api: api.state("n", preparedDevices=prepared("a")), "uid uid-a on node n;"),
    ],
    ids=["finalizer", "allocated", "prepared"],
)
def test_claim_in_use_is_named(api: Api, given: Any, named: str) -> None:
    given(api)
    with pytest.raises(StillInUse, match=named) as raised:
        check_unused(api, SYSTEM, FAKE)
    assert "delete the pods and claims first, or uninstall with --no-hooks" in str(raised.value)


def test_claim_is_named_once_and_by_its_name(api: Api) -> None:
    api.protected("a", FAKE.finalizer)
    api.state("n", allocatedClaims=allocation("a"), preparedDevices=prepared("a"))
    with pytest.raises(StillInUse, match="in use by default/a;"):
        check_unused(api, SYSTEM, FAKE)


def test_message_has_an_end(api: Api) -> None:
    for number in range(25):
        api.protected(f"c{number:02}", FAKE.finalizer)
    with pytest.raises(StillInUse, match=r"default/c00, .*default/c19 and 5 more; delete"):
        check_unused(api, SYSTEM, FAKE)


def test_state_that_cannot_be_read_is_no_reason_to_go(api: Api) -> None:
    api.state("n", allocatedClaims="?")
    with pytest.raises(MalformedState):
        check_unused(api, SYSTEM, FAKE)


def test_finalizers_count_without_the_crd(api: Api) -> None:
    api.without(STATES)
    check_unused(api, SYSTEM, FAKE)
    api.protected("a", FAKE.finalizer)
    with pytest.raises(StillInUse):
        check_unused(api, SYSTEM, FAKE)


def test_cluster_without_classic_claims_uses_nothing(api: Api) -> None:
    api.served = []
    api.without(DRA_V1ALPHA2.claims)
    check_unused(api, SYSTEM, FAKE)


def test_states_wait_for_the_last_plugin(api: Api) -> None:
    api.plugin("one")
    api.plugin("two")
    time = Time(
        lambda: api.delete(PODS, "one", SYSTEM),
        lambda: None,
        lambda: api.delete(PODS, "two", SYSTEM),
    )
    await_plugins(api, SYSTEM, SELECTOR, time.patience(60))
    assert time.now == 3


def test_only_plugins_of_the_namespace_are_waited_for(api: Api) -> None:
    api.plugin("controller", labels={"app": "fake", "component": "controller"})
    api.plugin("theirs", namespace="elsewhere")
    time = Time()
    await_plugins(api, SYSTEM, SELECTOR, time.patience(60))
    assert time.now == 0


@pytest.mark.parametrize("seconds", [0, 5])
def test_plugin_that_stays_is_named(api: Api, seconds: int) -> None:
    api.plugin("stuck")
    time = Time()
    with pytest.raises(PluginsRemain, match=rf"after {seconds} s: stuck; delete"):
        await_plugins(api, SYSTEM, SELECTOR, time.patience(seconds))
    assert time.now == seconds


def test_states_of_the_namespace_are_removed(api: Api) -> None:
    api.state("node-1", allocatedClaims=allocation("a"))
    api.state("node-2")
    api.state("node-1", "elsewhere")
    remove_states(api, SYSTEM)
    assert [o["metadata"]["namespace"] for o in api.all(STATES)] == ["elsewhere"]
    writes = api.writes()
    remove_states(api, SYSTEM)
    assert api.writes() == writes


def test_nothing_to_remove_without_the_crd(api: Api) -> None:
    api.without(STATES)
    remove_states(api, SYSTEM)


def test_state_that_others_remove_meanwhile_is_fine(api: Api) -> None:
    api.state("node-1")
    api.state("node-2")
    gone = NotFound(404, "NotFound", "gone", {})
    first = iter([gone])
    api.fault = lambda verb, _plural, _body: next(first, None) if verb == "delete" else None
    remove_states(api, SYSTEM)
    assert [o["metadata"]["name"] for o in api.all(STATES)] == ["node-1"]


def test_state_that_cannot_be_deleted_is_an_error(api: Api) -> None:
    api.state("node-1")
    refused = ServerError(500, "InternalError", "no", {})
    api.fault = lambda verb, _plural, _body: refused if verb == "delete" else None
    with pytest.raises(ServerError):
        remove_states(api, SYSTEM)


@pytest.fixture
def invoked(api: Api, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command as the hooks do."""
    monkeypatch.setattr(command.Client, "from_kubeconfig", lambda *_, **__: api)
    monkeypatch.setattr(command, "configure", lambda *_: None)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["uninstall", *arguments], env={"POD_NAMESPACE": SYSTEM})

    return invoke


def test_check_refuses_with_one_line(api: Api, invoked: Any) -> None:
    api.state("node-1")
    api.protected("a", FAKE.finalizer)
    result = invoked("--check")
    assert result.exit_code == 1
    assert result.output.startswith("Error: the driver is in use by default/a; delete the pods")
    assert result.output.count("\n") == 1
    assert api.writes() == []
    assert api.closed


def test_command_removes_the_states(api: Api, invoked: Any) -> None:
    api.state("node-1")
    assert invoked("--check").exit_code == 0
    assert api.all(STATES)
    for _ in range(2):
        assert invoked("--plugin-selector", SELECTOR).exit_code == 0
        assert api.all(STATES) == []


def test_command_keeps_the_states_while_a_plugin_runs(api: Api, invoked: Any) -> None:
    api.state("node-1")
    api.plugin("stuck")
    result = invoked("--plugin-selector", SELECTOR, "--timeout", "0")
    assert (result.exit_code, len(api.all(STATES))) == (1, 1)
    assert "stuck" in result.output


@pytest.mark.parametrize("wrong", ["-1", "3601", "soon"])
def test_wrong_timeout_is_one_line_and_exit_code_2(invoked: Any, wrong: str) -> None:
    result = invoked("--timeout", wrong)
    assert result.exit_code == 2
    assert "--timeout (env UNINSTALL_TIMEOUT)" in result.output
