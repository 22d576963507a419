from unittest.mock import create_autospec

import pytest
from click.testing import CliRunner

from api.nas import new_nas
from api.resources import NODES, STATES
from dra.errors import NodeUnknown
from kube.client import Client
from kube.errors import AlreadyExists, Forbidden, NotFound
from plugin.classic import set_nas_status
from plugin.classic.set_nas_status import ATTEMPTS, main, set_status
from testing.apiserver import MemoryApi
from tests.support.build import SYSTEM
from tests.support.pluginrig import NODE, PluginRig, node_object


@pytest.mark.parametrize("status", ["Ready", "NotReady"])
def test_missing_nas_is_made_with_its_owner(status: str) -> None:
    api = MemoryApi()
    api.put(NODES, node_object())
    set_status(api, NODE, SYSTEM, status)
    nas = api.find(STATES, NODE, SYSTEM)
    assert nas["status"] == status
    assert nas["metadata"]["ownerReferences"][0]["uid"] == "uid-node"


def test_nothing_else_of_a_nas_is_written(rig: PluginRig) -> None:
    rig.allocate("a", 0)
    before = rig.nas()
    set_status(rig.api, NODE, SYSTEM, "Ready")
    after = rig.nas()
    assert after["status"] == "Ready"
    assert after["spec"] == before["spec"]


def test_missing_node() -> None:
    with pytest.raises(NodeUnknown):
        set_status(MemoryApi(), NODE, SYSTEM, "Ready")


def client() -> Client:
    made: Client = create_autospec(Client, instance=True, spec_set=True)
    made.get.return_value = new_nas(NODE, SYSTEM, "u")  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize("error", [AlreadyExists, NotFound])
def test_race_with_the_plugin_is_tried_again(error: type[Exception]) -> None:
    api = client()
    api.patch.side_effect = [error(404), {}]  # type: ignore[attr-defined]
    set_status(api, NODE, SYSTEM, "Ready")
    assert api.patch.call_count == 2  # type: ignore[attr-defined]


def test_race_that_does_not_end_is_told() -> None:
    api = client()
    api.patch.side_effect = NotFound(404)  # type: ignore[attr-defined]
    with pytest.raises(NotFound):
        set_status(api, NODE, SYSTEM, "Ready")
    assert api.patch.call_count == ATTEMPTS  # type: ignore[attr-defined]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Client:
    made = client()
    factory = create_autospec(Client.from_kubeconfig, return_value=made)
    monkeypatch.setattr(set_nas_status.Client, "from_kubeconfig", factory)
    monkeypatch.setattr(set_nas_status, "configure", lambda *_: None)
    return made


@pytest.mark.parametrize(
    ("given", "written"), [("Ready", "Ready"), ("notready", "NotReady"), ("READY", "Ready")]
)
def test_program_writes_and_closes(api: Client, given: str, written: str) -> None:
    result = CliRunner().invoke(
        main, ["--status", given], env={"NODE_NAME": NODE, "POD_NAMESPACE": "ns"}
    )
    assert result.exit_code == 0, result.output
    api.patch.assert_called_once_with(STATES, NODE, {"status": written}, namespace="ns")  # type: ignore[attr-defined]
    api.close.assert_called_once_with()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param(["--status", "Up"], "--status (env STATUS)", id="unknown status"),
        pytest.param([], "--status (env STATUS) is not set", id="no status"),
        pytest.param(["--status", "Ready", "--node-name", ""], "NODE_NAME", id="empty node"),
    ],
)
def test_wrong_usage(api: Client, arguments: list[str], text: str) -> None:
    result = CliRunner().invoke(main, arguments, env={"NODE_NAME": NODE, "POD_NAMESPACE": "ns"})
    assert result.exit_code == 2
    assert text in result.output
    assert result.output.count("\n") == 1


def test_refusal_of_the_server_is_one_line(api: Client) -> None:
    api.patch.side_effect = Forbidden(403, "Forbidden", "no")  # type: ignore[attr-defined]
    result = CliRunner().invoke(
        main, ["--status", "Ready"], env={"NODE_NAME": NODE, "POD_NAMESPACE": "ns"}
    )
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    api.close.assert_called_once_with()  # type: ignore[attr-defined]
