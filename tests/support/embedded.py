"""An embedded cluster as a process of its own, for tests that need a whole one."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.nas import NodeAllocationState
from demo.session import Session
from devcluster.config import ClusterConfig
from kube.client import Client
from tests.support.kubectl import Kubectl
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
KUBECTL = ROOT / ".bin" / "kubectl"
START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Embedded:
    """A cluster that runs, and the ways to look at it."""

    config: ClusterConfig
    client: Client
    session: Session
    kubectl: Kubectl

    def cdi_files(self) -> list[str]:
        """Return the CDI files of claims on all nodes."""
        found = [
            path
            for node in self.config.node_names
            for path in (self.config.node_root(node) / "cdi").iterdir()
        ]
        return sorted(p.name for p in found if not p.name.endswith("_common.json"))

    def pid(self, program: str) -> int:
        """Return the process id of `controller` or of `plugin-<node>`."""
        path = self.config.state_dir / "run" / f"{program}.pid"
        return int(path.read_text(encoding="ascii"))

    def kill(self, program: str) -> int:
        """SIGKILL a program; the cluster starts it again. Returns the pid that it had."""
        pid = self.pid(program)
        os.kill(pid, signal.SIGKILL)
        return pid

    def state(self, node: str) -> NodeAllocationState:
        """Return one node's state."""
        (found,) = [state for state in self.session.states() if state.node == node]
        return found

    def settled(self) -> list[NodeAllocationState]:
        """Wait until nodes hold nothing and have no CDI file of a claim; return their states."""
        states = self.session.released([])
        until("no CDI file of a claim is left", lambda: not self.cdi_files())
        return states


@contextmanager
def embedded(state_dir: Path, **settings: object) -> Iterator[Embedded]:
    """Run a cluster, with `settings` as for ClusterConfig."""
    config = ClusterConfig(state_dir, **settings)  # type: ignore[arg-type]
    command = [sys.executable, "-m", "devcluster", "up", "--state-dir", str(state_dir)]
    options = ["--nodes", str(config.nodes), "--num-devices", str(config.num_devices)]
    versions = ["--kubelet-version", config.kubelet_version]
    with subprocess.Popen([*command, *options, *versions], cwd=ROOT) as process:
        try:
            until("kubeconfig of the cluster", config.kubeconfig.exists, START_SECONDS)
            client = Client.from_kubeconfig(
                str(config.kubeconfig), qps=1000, burst=1000, user_agent="tests"
            )
            try:
                session = Session(client)
                session.nodes_ready(config.nodes)
                yield Embedded(config, client, session, Kubectl(KUBECTL, config.kubeconfig))
            finally:
                client.close()
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert process.returncode == 0, f"the cluster ended with {process.returncode}"
