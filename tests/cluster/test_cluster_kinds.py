"""The programs while their control plane is upgraded from 1.31 to 1.32 and taken back.

As pods would run them: processes that are started again whenever they end. The API server is in the
process of the test, since the embedded cluster has classic claims only.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import pytest

from api.classes import CLASSES
from api.resources import NODES, STATES, STRUCTURED_VERSIONS
from bench.procfs import usage
from testing.apiserver import MemoryApi
from testing.waiting import until
from testing.web import serving, write_kubeconfig
from tests.support.build import SYSTEM, nas, node
from tests.support.listening import listeners
from tests.support.upgrade import Upgradable, upgraded

NAME: Final = "fake.3-shake.com"
SMALL_MIB: Final = 80
"""It took 57 MiB, most of them for Python and the client of the API server."""

QUICKLY: Final = """
import sys
from importlib import import_module
from ops import discovery
discovery.PERIOD_SECONDS = 0.5
import_module(sys.argv.pop(1)).main()
"""
"""A program, but that it looks for another kind more often than each half minute."""


class Pod:
    """A process that is started again by `start`."""

    def __init__(self, module: str, path: Path, **env: str) -> None:
        self._module, self._log = module, path / "log"
        common = {"KUBECONFIG": str(path / "kubeconfig"), "POD_NAMESPACE": SYSTEM}
        self._env = {**os.environ, **common, "HTTP_ENDPOINT": "127.0.0.1:0", **env}
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", QUICKLY, self._module], env=self._env, stderr=log
            )

    def restarts_as(self, kind: str) -> None:
        """Wait for the end of the process, and start another one."""
        assert self.process.wait(30) == 0
        assert f'"restarting as {kind}"' in self._log.read_text(encoding="utf-8")
        self.start()

    def ready(self) -> bool:
        """Tell whether /readyz says so."""
        for _, port in listeners(self.process.pid):
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory in which sockets have short paths."""
    with tempfile.TemporaryDirectory(prefix="dra-") as path:
        yield Path(path)


@contextmanager
def running(
    api: MemoryApi, module: str, path: Path, **env: str
) -> Iterator[tuple[Upgradable, Pod]]:
    web: Any = Upgradable(api)
    with serving(web) as url:
        write_kubeconfig(url, path / "kubeconfig")
        pod = Pod(module, path, **env)
        try:
            yield web, pod
        finally:
            pod.stop()
            web.api.end_watches()


@pytest.mark.embedded
@pytest.mark.timeout(90)
def test_controller_follows_its_control_plane(short: Path) -> None:
    old = MemoryApi("v1alpha3")
    with running(old, "controller.__main__", short, LEADER_ELECTION="false") as (web, pod):
        old.wait_for(CLASSES["v1alpha3"], NAME, lambda obj: obj)
        until("a controller that is ready", pod.ready)
        old.put(STATES, nas(status="NotReady"))
        new = upgraded(old)
        web.become(new)
        pod.restarts_as("structured")
        new.wait_for(CLASSES["v1beta1"], f"split.{NAME}", lambda obj: obj)
        new.wait_for(STATES, f"{SYSTEM}/node-1", lambda obj: obj is None)
        until("a controller that is ready", pod.ready)
        assert usage(pod.process.pid).rss_mib < SMALL_MIB
        back = MemoryApi("v1alpha3", over=new)
        web.become(back)
        pod.restarts_as("classic")
        back.wait_for(CLASSES["v1alpha3"], f"split.{NAME}", lambda obj: obj is None)


@pytest.mark.embedded
@pytest.mark.timeout(90)
def test_plugin_follows_its_control_plane(short: Path) -> None:
    places = {"CDI_ROOT": "cdi", "KUBELET_REGISTRAR_DIRECTORY_PATH": "registry"}
    places["KUBELET_PLUGINS_DIRECTORY_PATH"] = "plugins"
    env = {"NODE_NAME": "node-1", **{name: str(short / at) for name, at in places.items()}}
    (short / "registry").mkdir()
    old = MemoryApi("v1alpha3")
    old.put(NODES, node())
    with running(old, "plugin.__main__", short, **env) as (web, pod):
        old.wait_for(STATES, f"{SYSTEM}/node-1", lambda obj: obj and obj["status"] == "Ready")
        new = upgraded(old)
        web.become(new)
        pod.restarts_as("structured")
        slices = STRUCTURED_VERSIONS["v1beta1"].slices
        until("slices", lambda: new.all(slices))
        assert new.find(STATES, "node-1", SYSTEM)["status"] == "NotReady"
