"""A cluster of somebody's own, on which Helm has installed the driver into fake-system."""

import os
import shlex
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from api.contract import FAKE
from api.objects import JSON, ClaimUID, NodeName
from demo.session import SYSTEM
from dra.devicestate.cdi import claim_file
from tests.e2e.cluster import processes
from tests.e2e.cluster.cluster import Cluster as Machine
from tests.support.anycluster import CONTROLLER, ROOT, Access, Cluster, plugin_of

CDI_ROOT: Final = "/var/run/cdi"
"""The chart's default."""

POD_LOGS: Final = Path("/var/log/pods")

_COMPONENT = "app.kubernetes.io/component"
_PLUGIN_PROGRAM = "fake-dra-kubeletplugin"


@dataclass(frozen=True)
class RealCluster(Cluster):
    """A cluster whose nodes are reached through the pods of the driver."""

    def demo(self, name: str) -> Path:
        folder = ROOT / "demo"
        return (folder / "1.31" if self.minor >= 31 else folder) / f"fake-{name}.yaml"

    def cdi_entries(self, node: str) -> list[str]:
        return [
            name for name in self._on(node, "ls", CDI_ROOT) if name.startswith(FAKE.cdi_file_prefix)
        ]

    def block(self, node: str, claim: ClaimUID) -> None:
        path = shlex.quote(f"{CDI_ROOT}/{claim_file(FAKE, claim)}")
        self._on(node, "sh", "-c", f"rm -f {path} && mkdir {path}")

    def unblock(self, node: str, claim: ClaimUID) -> None:
        self._on(node, "rmdir", f"{CDI_ROOT}/{claim_file(FAKE, claim)}")

    def kill(self, program: str) -> str:
        """Delete the program's pod without grace; returns the uid that it had."""
        pod = self.pod(program)
        name = str(pod["metadata"]["name"])
        self.kubectl.run("delete", "pod", "-n", SYSTEM, name, "--force", "--grace-period=0")
        return str(pod["metadata"]["uid"])

    def has_restarted(self, program: str, killed: object) -> bool:
        pod = self.pod(program)
        ready = [c["ready"] for c in (pod.get("status") or {}).get("containerStatuses") or []]
        return pod["metadata"]["uid"] != killed and ready == [True]

    def frozen(self, node: str) -> AbstractContextManager[None]:
        pytest.skip(f"the processes of {node} are out of reach")

    def whole_log(self, program: str) -> str:
        return self.kubectl.run("logs", "-n", SYSTEM, str(self.pod(program)["metadata"]["name"]))

    def pod(self, program: str) -> JSON:
        """Return the pod of `controller` or of `plugin-<node>`.

        Raises:
            LookupError: there is none, or an old one is still leaving.
        """
        component = CONTROLLER if program == CONTROLLER else "kubeletplugin"
        found = self.kubectl.get("pods", "-n", SYSTEM, "-l", f"{_COMPONENT}={component}")
        for pod in found["items"]:
            on = str(pod["spec"].get("nodeName"))
            if (
                program in (CONTROLLER, plugin_of(on))
                and "deletionTimestamp" not in pod["metadata"]
            ):
                return dict(pod)
        raise LookupError(f"no pod of {program}")

    def _on(self, node: str, *command: str) -> list[str]:
        """Run a command in the plugin's pod on a node; return its lines."""
        name = str(self.pod(plugin_of(node))["metadata"]["name"])
        return self.kubectl.run("exec", "-n", SYSTEM, name, "--", *command).splitlines()


@dataclass(frozen=True)
class RaisedCluster(RealCluster):
    """The cluster of tests.e2e.cluster, whose one node is this machine."""

    machine: Machine

    def cdi_entries(self, node: str) -> list[str]:
        found = sorted(path.name for path in self.machine.cdi_dir.iterdir())
        return [name for name in found if name.startswith(FAKE.cdi_file_prefix)]

    def block(self, node: str, claim: ClaimUID) -> None:
        path = self.machine.cdi_dir / claim_file(FAKE, claim)
        path.unlink(missing_ok=True)
        path.mkdir()

    def unblock(self, node: str, claim: ClaimUID) -> None:
        (self.machine.cdi_dir / claim_file(FAKE, claim)).rmdir()

    def whole_log(self, program: str) -> str:
        meta = self.pod(program)["metadata"]
        folder = POD_LOGS / f"{SYSTEM}_{meta['name']}_{meta['uid']}"
        files = sorted(folder.rglob("*.log"), key=lambda path: path.stat().st_mtime)
        return "".join(path.read_text(encoding="utf-8") for path in files)

    def plugin_sockets(self) -> list[Path]:
        """Return the driver's sockets below the kubelet's directory."""
        places = (self.machine.kubelet_root / name for name in ("plugins", "plugins_registry"))
        found = [path for place in places for path in place.rglob("*fake.resource.3-shake.com*")]
        inner = [path for found_dir in found for path in found_dir.rglob("*.sock")]
        return sorted({path for path in (*found, *inner) if path.is_socket()})

    def plugin_pids(self) -> list[int]:
        """Return the processes of the kubelet plugin."""
        return [p.pid for p in processes.table() if is_plugin(p)]

    @contextmanager
    def frozen(self, node: str) -> Iterator[None]:
        pids = self.plugin_pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


def is_plugin(process: processes.Process) -> bool:
    """Tell whether a process is a kubelet plugin, by the program that its Python runs."""
    return any(Path(word).name == _PLUGIN_PROGRAM for word in process.words[:2])


def nodes_of(access: Access) -> list[NodeName]:
    """Return the nodes with a NodeAllocationState, in order."""
    return [state.node for state in access.session.states()]
