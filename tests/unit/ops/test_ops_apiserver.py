import io
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.resources import PODS
from devcluster.cluster import kubeconfig
from kube.errors import BrokenAnswer, ConnectFailed, KubeError, WatchSilent, WentBack, api_error
from ops.apiserver import watch_failures
from ops.logs import configure, get_logger
from ops.metrics import Metrics


@pytest.mark.parametrize(
    "error",
    [
        WentBack("back"),
        WatchSilent("silent"),
        BrokenAnswer("reset"),
        ConnectFailed("refused"),
        api_error(410, {}, call="watch pods"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.usefixtures("kept_logging")
def test_failure_is_logged_and_counted(error: KubeError) -> None:
    log, metrics = io.StringIO(), Metrics()
    configure("text", 0, log)
    name, labels = "fake_dra_watch_failures_total", {"error": type(error).__name__}
    assert metrics.registry.get_sample_value(name, labels) == 0
    watch_failures(get_logger("controller"), PODS, metrics)(error)
    assert metrics.registry.get_sample_value(name, labels) == 1
    said = f'controller] "watch failed, trying again" resource="pods" error="{error}"\n'
    assert log.getvalue().endswith(said)


@pytest.mark.usefixtures("kept_logging")
def test_program_without_metrics_just_logs() -> None:
    log = io.StringIO()
    configure("text", 0, log)
    watch_failures(get_logger("scheduler"), PODS)(WentBack("back"))
    assert 'resource="pods" error="back"' in log.getvalue()


PROGRAMS = {
    "controller": ["-m", "controller"],
    "plugin": ["-m", "plugin"],
    "set-nas-status": ["-m", "plugin.classic.set_nas_status", "--status=Ready"],
    "fsck": ["-m", "cli", "fsck"],
    "uninstall": ["-m", "cli", "uninstall"],
}


@pytest.fixture
def mute() -> Iterator[str]:
    """The URL of something that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield "http://{}:{}".format(*listener.getsockname())


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory whose path leaves room for the names of sockets."""
    with tempfile.TemporaryDirectory(prefix="p") as name:
        yield Path(name)


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_says_that_it_waits(program: str, mute: str, directory: Path) -> None:
    path = directory / "kubeconfig"
    path.write_text(json.dumps(kubeconfig(mute)))
    settings = {
        "KUBECONFIG": str(path),
        "POD_NAMESPACE": "fake-system",
        "NODE_NAME": "n",
        "HTTP_ENDPOINT": "127.0.0.1:0",
        "LOGGING_FORMAT": "json",
        "CDI_ROOT": str(directory),
        "KUBELET_REGISTRAR_DIRECTORY_PATH": str(directory),
        "KUBELET_PLUGINS_DIRECTORY_PATH": str(directory),
    }
    with subprocess.Popen(
        [sys.executable, *PROGRAMS[program]],
        env={**os.environ, **settings},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        # gRPC writes lines of its own
        lines = (json.loads(line) for line in process.stderr if line.startswith("{"))
        said = next(line for line in lines if line["level"] == "warning")
        process.kill()
    assert said["msg"] == "API server has not answered yet"
    assert said["error"] == f"no answer of {mute} so far"
