"""An embedded cluster as a process of its own, for tests that need a whole one."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.contract import FAKE
from api.objects import ClaimUID
from devcluster.config import ClusterConfig
from devcluster.nodeoption import node_text
from dra.devicestate.cdi import claim_file
from ops.communication import Communication
from testing.waiting import until
from tests.support.anycluster import ROOT, Access, Cluster, plugin_of

START_SECONDS = 30.0


@dataclass(frozen=True)
class Embedded(Cluster):
    """A cluster that runs, with its programs and files at hand."""

    config: ClusterConfig

    def demo(self, name: str) -> Path:
        return ROOT / "demo" / f"fake-{name}.yaml"

    def cdi_entries(self, node: str) -> list[str]:
        return sorted(path.name for path in self._cdi(node).iterdir())

    def block(self, node: str, claim: ClaimUID) -> None:
        path = self._cdi(node) / claim_file(FAKE, claim)
        path.unlink(missing_ok=True)
        path.mkdir()

    def unblock(self, node: str, claim: ClaimUID) -> None:
        (self._cdi(node) / claim_file(FAKE, claim)).rmdir()

    def pid(self, program: str) -> int:
        """Return the process id of `controller` or of `plugin-<node>`."""
        path = self.config.state_dir / "run" / f"{program}.pid"
        return int(path.read_text(encoding="ascii"))

    def kill(self, program: str) -> int:
        """SIGKILL a program; the cluster starts it again. Returns the pid that it had."""
        pid = self.pid(program)
        os.kill(pid, signal.SIGKILL)
        return pid

    def has_restarted(self, program: str, killed: object) -> bool:
        return self.pid(program) != killed

    @contextmanager
    def frozen(self, node: str) -> Iterator[None]:
        pid = self.pid(plugin_of(node))
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def whole_log(self, program: str) -> str:
        path = self.config.logs / f"{program}.log"
        return path.read_text(encoding="utf-8", errors="replace")

    def _cdi(self, node: str) -> Path:
        return self.config.node_root(node) / "cdi"


@contextmanager
def embedded(state_dir: Path, **settings: object) -> Iterator[Embedded]:
    """Run a cluster, with `settings` as for ClusterConfig."""
    config = ClusterConfig(state_dir, **settings)  # type: ignore[arg-type]
    with running(config):
        access = Access.by(config.kubeconfig, config.contract)
        try:
            access.session.nodes_ready(len(config.node_names)) if config.driver else None
            yield Embedded(access, config, nodes=config.node_names)
        finally:
            access.client.close()


@contextmanager
def communicating(how: Communication, **settings: object) -> Iterator[Embedded]:
    """Run a cluster whose programs are told how to communicate."""
    # pytest's own temporary directories make socket paths too long
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(prefix="dra-") as path,
    ):
        patch.setenv("COMMUNICATION", how)
        with embedded(Path(path), **settings) as cluster:
            yield cluster


@contextmanager
def running(config: ClusterConfig) -> Iterator[None]:
    """Run the program of a cluster until it can be used."""
    state_dir = config.state_dir
    command = [sys.executable, "-m", "devcluster", "up", "--state-dir", str(state_dir)]
    options = ["--nodes", str(config.nodes)] if config.nodes else []
    options += [part for node in config.named for part in ("--node", node_text(node))]
    options += ["--num-devices", str(config.num_devices)]
    options += ["--kubernetes", config.kubernetes]
    options += ["--controllers", str(config.controllers)]
    options += ["--driver-name", config.contract.driver_name]
    options += [] if config.driver else ["--without-driver"]
    with subprocess.Popen([*command, *options], cwd=ROOT) as process:
        try:
            until("kubeconfig of the cluster", config.kubeconfig.exists, START_SECONDS)
            yield
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert process.returncode == 0, f"the cluster ended with {process.returncode}"
