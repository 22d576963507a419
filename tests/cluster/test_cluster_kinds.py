"""The controller's program while its control plane is upgraded from 1.31 to 1.32 and taken back.

As a pod would run it: a process that is started again whenever it ends. The API server is in the
process of the test, since the embedded cluster has classic claims only.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import pytest

from api.classes import CLASSES
from api.resources import STATES
from bench.procfs import usage
from testing.apiserver import MemoryApi
from testing.waiting import until
from testing.web import serving, write_kubeconfig
from tests.support.build import nas
from tests.support.listening import listeners
from tests.support.upgrade import Upgradable, upgraded

NAME: Final = "fake.3-shake.com"
SMALL_MIB: Final = 80
"""It took 57 MiB, most of them for Python and the client of the API server."""

QUICKLY: Final = """
from ops import discovery
discovery.PERIOD_SECONDS = 0.5
from controller.__main__ import main
main()
"""
"""The program, but that it looks for another kind more often than each half minute."""


class Pod:
    """A process that is started again by `start`."""

    def __init__(self, kubeconfig: Path, log: Path) -> None:
        self._log = log
        self._env = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "POD_NAMESPACE": "fake-system",
            "HTTP_ENDPOINT": "127.0.0.1:0",
            "LEADER_ELECTION": "false",
        }
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", QUICKLY], env=self._env, stderr=log
            )

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def ready(self) -> bool:
        """Tell whether /readyz says so."""
        found = listeners(self.process.pid)
        for _, port in found:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@contextmanager
def controller(api: MemoryApi, path: Path) -> Iterator[tuple[Upgradable, Pod]]:
    web: Any = Upgradable(api)
    with serving(web) as url:
        pod = Pod(write_kubeconfig(url, path / "kubeconfig"), path / "log")
        try:
            yield web, pod
        finally:
            pod.stop()
            web.api.end_watches()


@pytest.mark.embedded
@pytest.mark.timeout(90)
def test_controller_follows_its_control_plane(tmp_path: Path) -> None:
    old = MemoryApi("v1alpha3")
    with controller(old, tmp_path) as (web, pod):
        old.wait_for(CLASSES["v1alpha3"], NAME, lambda obj: obj)
        until("a controller that is ready", pod.ready)
        old.put(STATES, nas(status="NotReady"))
        new = upgraded(old)
        web.become(new)
        assert pod.process.wait(30) == 0
        assert '"restarting as structured"' in pod.log()
        pod.start()
        new.wait_for(CLASSES["v1beta1"], f"split.{NAME}", lambda obj: obj)
        new.wait_for(STATES, "fake-system/node-1", lambda obj: obj is None)
        until("a controller that is ready", pod.ready)
        assert usage(pod.process.pid).rss_mib < SMALL_MIB
        back = MemoryApi("v1alpha3", over=new)
        web.become(back)
        assert pod.process.wait(30) == 0
        assert '"restarting as classic"' in pod.log()
