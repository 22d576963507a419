import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
from click.testing import CliRunner, Result

import plugin.__main__ as program
from dra.errors import CannotServe
from dra.settings import NodeConfig
from kube.errors import ConfigError
from ops.lifecycle import Lifecycle
from plugin.__main__ import PluginConfig, main, run
from testing.waiting import until
from testing.web import write_kubeconfig
from tests.support.pages import free_port, page
from tests.support.settings import DEFAULTS

ENV = {"NODE_NAME": "node-1", "POD_NAMESPACE": "ns", "KUBECONFIG": "/none"}


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Let the program end as soon as its settings are known."""
    found: list[dict[str, Any]] = []

    def note(_life: Lifecycle, on: NodeConfig, config: PluginConfig, _common: Any) -> int:
        found.append(asdict(on) | asdict(config))
        return 0

    monkeypatch.setattr(program, "run", note)
    monkeypatch.setattr(program, "configure", lambda *_: None)
    monkeypatch.setattr(program, "Lifecycle", create_autospec(Lifecycle, spec_set=True))
    return found


def invoke(*arguments: str, **env: str) -> Result:
    return CliRunner().invoke(main, arguments, env={**ENV, **env})


def test_defaults_are_those_of_a_node(ran: list[dict[str, Any]]) -> None:
    assert invoke().exit_code == 0
    assert ran == [
        {
            "node_name": "node-1",
            "num_devices": 8,
            "device_model": "LATEST-FAKE-MODEL",
            "cdi_root": "/etc/cdi",
            "kubelet_registrar_directory_path": "/var/lib/kubelet/plugins_registry",
            "kubelet_plugins_directory_path": "/var/lib/kubelet/plugins",
            "rolling_update": "",
            "heartbeat_period": 60.0,
            "kind": "auto",
            "division": {"splits": (2, 4, 8, 16), "static": ((2, 4),), "shared": False},
            "health_file": None,
            "communication": "nas",
        }
    ]


@pytest.mark.parametrize(
    ("flag", "env", "value", "field", "read"),
    [
        ("--node-name", "NODE_NAME", "n", "node_name", "n"),
        ("--num-devices", "NUM_DEVICES", "128", "num_devices", 128),
        ("--device-model", "DEVICE_MODEL", "M", "device_model", "M"),
        ("--cdi-root", "CDI_ROOT", "/c", "cdi_root", "/c"),
        ("--health-file", "HEALTH_FILE", "/h", "health_file", Path("/h")),
        ("--heartbeat-period", "HEARTBEAT_PERIOD", "7.5", "heartbeat_period", 7.5),
        ("--communication", "COMMUNICATION", "handle", "communication", "handle"),
        (
            "--kubelet-registrar-directory-path",
            "KUBELET_REGISTRAR_DIRECTORY_PATH",
            "/r",
            "kubelet_registrar_directory_path",
            "/r",
        ),
        (
            "--kubelet-plugins-directory-path",
            "KUBELET_PLUGINS_DIRECTORY_PATH",
            "/p",
            "kubelet_plugins_directory_path",
            "/p",
        ),
    ],
)
def test_flag_and_variable_set_the_same(
    ran: list[dict[str, Any]], flag: str, env: str, value: str, field: str, read: object
) -> None:
    assert invoke(flag, value).exit_code == 0
    assert invoke(**{env: value}).exit_code == 0
    assert [config[field] for config in ran] == [read, read]


@pytest.mark.parametrize(
    "model",
    [
        pytest.param("GA102 [GeForce RTX 3090]", id="brackets"),
        pytest.param("M" * 63, id="longest"),
        pytest.param("\N{GREEK CAPITAL LETTER OMEGA}" * 32, id="longest-of-two-bytes-each"),
        pytest.param("*", id="what-is-special-in-a-glob"),
    ],
)
def test_every_model_that_selectors_can_name_is_offered(
    ran: list[dict[str, Any]], model: str
) -> None:
    assert invoke("--device-model", model).exit_code == 0
    assert [config["device_model"] for config in ran] == [model]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--node-name", ""], "--node-name (env NODE_NAME) is empty"),
        (["--num-devices", "129"], "--num-devices (env NUM_DEVICES)"),
        (["--num-devices", "-1"], "--num-devices (env NUM_DEVICES)"),
        (["--device-model", "M" * 64], "--device-model (env DEVICE_MODEL): it has 64 characters,"),
        (["--device-model", "M" * 64], "selectors take 63 at most; give the name of a model of 1"),
        (["--device-model", "\N{GREEK CAPITAL LETTER OMEGA}" * 33], "it has 66 bytes, attributes"),
        (["--device-model", ""], "--device-model (env DEVICE_MODEL): it is empty"),
        (["--device-model", "A\nB"], r"--device-model (env DEVICE_MODEL): 'A\nB' has characters"),
        (["--device-model", "A\x7f"], "that cannot be printed; give the name of a model"),
        (["--device-model", "A\udc80"], "that cannot be printed; give the name of a model"),
        (["--splits", "3"], "--splits (env SPLITS): '3' is none of 2, 4, 8, 16; give some of"),
        (["--splits", "2,,4"], "'' is none of 2, 4, 8, 16"),
        (["--splits", "2,4,2"], "--splits (env SPLITS): 2 is there more than once"),
        (["--static-splits", "2"], "--static-splits (env STATIC_SPLITS): '2' has no number of"),
        (
            ["--static-splits", "2=129"],
            "no number of devices from 0 to 128; give sizes",
        ),
        (["--static-splits", "2=-1"], "'2=-1' has no number of devices"),
        (["--static-splits", "5=1"], "'5' is none of 2, 4, 8, 16"),
        (["--static-splits", "2=1,2=2"], "2 is there more than once"),
        (["--shares", "2"], "--shares (env SHARES)"),
        (["--num-devices", "many"], "give a whole number from 0 to 128"),
        (["--heartbeat-period", "0.5"], "give a number of seconds from 1 to 3600"),
        (["--nodename", "x"], "see fake-dra-kubeletplugin --help"),
    ],
)
def test_wrong_setting_is_one_line_and_exit_code_2(
    ran: list[dict[str, Any]], arguments: list[str], text: str
) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert text in result.output
    assert result.output.count("\n") == 1
    assert ran == []


@pytest.mark.parametrize(
    ("flag", "env", "value", "field", "read"),
    [
        ("--splits", "SPLITS", "", "splits", ()),
        ("--splits", "SPLITS", " 4, 16 ", "splits", (4, 16)),
        ("--static-splits", "STATIC_SPLITS", "", "static", ()),
        ("--static-splits", "STATIC_SPLITS", "2=4, 16 = 128", "static", ((2, 4), (16, 128))),
        ("--shares", "SHARES", "true", "shared", True),
    ],
)
def test_division_of_devices(
    ran: list[dict[str, Any]], flag: str, env: str, value: str, field: str, read: object
) -> None:
    """An empty variable means that there is none, as an empty value of the chart does."""
    assert invoke(flag, value).exit_code == 0
    assert invoke(**{env: value}).exit_code == 0
    assert [config["division"][field] for config in ran] == [read, read]


def test_help_names_every_variable() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    for name in ("NODE_NAME", "CDI_ROOT", "NUM_DEVICES", "DEVICE_MODEL", "HTTP_ENDPOINT"):
        assert f"env var: {name}" in " ".join(text.split())


def directories(root: Path) -> NodeConfig:
    return NodeConfig("node-1", *(str(root / name) for name in ("cdi", "registry", "plugins")))


def start(root: Path) -> None:
    """Run the program with directories below `root`, and without an API server."""
    on = directories(root)
    common = replace(DEFAULTS, kubeconfig="/none/kubeconfig", namespace="ns")
    with Lifecycle() as life:
        run(life, on, PluginConfig(1, "M", 60.0, "auto"), common)


def test_alive_and_not_ready_while_the_api_server_is_away(short_path: Path) -> None:
    """Or the kubelet would kill it again and again."""
    (short_path / "registry").mkdir()
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        kubeconfig = write_kubeconfig(
            f"http://127.0.0.1:{unheard.getsockname()[1]}", short_path / "kubeconfig"
        )
        port = free_port()
        life = Lifecycle()
        common = replace(DEFAULTS, kubeconfig=str(kubeconfig), http_endpoint=f"127.0.0.1:{port}")
        with ThreadPoolExecutor(1) as pool, life:
            code = pool.submit(
                run, life, directories(short_path), PluginConfig(1, "M", 60.0, "auto"), common
            )
            try:
                until("/healthz", lambda: page(port, "/healthz") == (200, "ok") or None)
                status, text = page(port, "/readyz")
            finally:
                life.stop.set()
            assert (status, code.result(15)) == (503, 0)
            assert "[-]kind failed: the API server has not told yet" in text


def test_machine_is_looked_at_before_the_api_server(short_path: Path) -> None:
    """A wrong directory is told even where there is no kubeconfig."""
    with pytest.raises(CannotServe):
        start(short_path)


def test_lock_is_released_when_the_program_cannot_run(short_path: Path) -> None:
    (short_path / "registry").mkdir()
    for _ in range(2):
        with pytest.raises(ConfigError, match="kubeconfig"):
            start(short_path)
