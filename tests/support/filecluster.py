"""A real one-node Kubernetes of structured claims with the file driver on it."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.objects import JSON
from drivers.file.driver import FileDriver
from testing.waiting import until
from tests.e2e.cluster import kubelet, processes
from tests.e2e.cluster.cluster import NODE_NAME
from tests.e2e.cluster.cluster import Cluster as Machine
from tests.support.anycluster import KUBECTL, ROOT
from tests.support.kubectl import Kubectl
from tests.support.manifests import manifest
from tests.support.realcluster import POD_LOGS

CONTRACT: Final = FileDriver.contract
NAME: Final = "dra-file-driver"
IMAGE: Final = f"{NAME}:0.1.0"
"""As deploy/driver.yaml names it."""

SYSTEM: Final = "dra-system"
CLASS: Final = "file-resource"
NODE: Final = NODE_NAME
DIRECTORY: Final = Path("/etc/dra")
"""On the node, which is this machine, and in containers."""

FILES: Final = 4
FOLDER: Final = ROOT / "drivers" / "file"
REGISTERED: Final = "Registered by the kubelet"
RETRY_SECONDS: Final = 150.0
"""Enough for the kubelet's longest pause between two tries."""

STAY: Final = "trap 'exit 0' TERM; sleep infinity & wait"
_SECONDS = 200.0


@dataclass(frozen=True, slots=True)
class FileCluster:
    """The cluster, and what tests do with it in the namespace default.

    Attributes:
        machine: the node and the control plane.
        kubectl: the real one.
    """

    machine: Machine
    kubectl: Kubectl

    @classmethod
    def on(cls, machine: Machine) -> "FileCluster":
        """Return the cluster of a machine."""
        return cls(machine, Kubectl(KUBECTL, machine.kubeconfig, timeout=_SECONDS))

    @property
    def minor(self) -> int:
        """Of Kubernetes 1."""
        return self.machine.version.minor

    def install(self) -> None:
        """Install the driver, and wait until the node offers all files."""
        self.kubectl.apply(installation())
        self.rolled_out(f"daemonset/{NAME}", SYSTEM)
        self.offered()

    def uninstall(self) -> None:
        """Remove the driver if it is there, and wait until nothing of it runs."""
        gone = ("--ignore-not-found", "--cascade=foreground")
        self.kubectl.run("delete", "-n", SYSTEM, f"daemonset/{NAME}", *gone)
        self.kubectl.run("delete", "--filename=-", "--ignore-not-found", input=installation())

    def rolled_out(self, target: str, namespace: str = "default") -> None:
        """Wait until all pods of a workload are new and ready."""
        self.kubectl.run("rollout", "status", "-n", namespace, target, "--timeout=120s")

    def apply(self, *objects: JSON) -> None:
        """Apply objects."""
        self.kubectl.apply(manifest(*objects))

    def delete(self, *targets: str, seconds: float = 120) -> None:
        """Delete objects, as `kind/name`, and wait until they are gone."""
        self.kubectl.run("delete", "--ignore-not-found", f"--timeout={seconds:.0f}s", *targets)

    def ready(self, *pods: str, seconds: float = 60) -> None:
        """Wait until pods are Ready."""
        targets = [f"pod/{name}" for name in pods]
        self.kubectl.run("wait", "--for=condition=Ready", f"--timeout={seconds:.0f}s", *targets)

    def succeeded(self, pod: str, seconds: float = 60) -> None:
        """Wait until a pod has succeeded."""
        done = "--for=jsonpath={.status.phase}=Succeeded"
        self.kubectl.run("wait", done, f"--timeout={seconds:.0f}s", f"pod/{pod}")

    def phase(self, pod: str) -> str:
        """Return the phase of a pod."""
        return str((self.kubectl.get(f"pod/{pod}").get("status") or {}).get("phase"))

    def container(self, pod: str) -> JSON:
        """Return the status of the container of a pod."""
        (status,) = self.kubectl.get(f"pod/{pod}")["status"]["containerStatuses"]
        return dict(status)

    def events(self, pod: str, reason: str) -> list[str]:
        """Return the messages of the events of a pod."""
        chosen = f"--field-selector=involvedObject.name={pod},reason={reason}"
        return [str(event["message"]) for event in self.kubectl.get("events", chosen)["items"]]

    def cannot_prepare(self, pod: str) -> list[str]:
        """Return what the kubelet says about failed prepares."""
        return self.events(pod, "FailedPrepareDynamicResources")

    def seen_in(self, pod: str) -> dict[str, list[str]]:
        """Return the files in a container, with their lines."""
        shown = self.kubectl.run("exec", pod, "--", "grep", "-r", "", str(DIRECTORY))
        found: dict[str, list[str]] = {}
        for line in shown.splitlines():
            path, _, text = line.partition(":")
            found.setdefault(Path(path).name, []).append(text)
        return found

    def files(self) -> dict[str, list[str]]:
        """Return the files on the node that are not empty, with their lines."""
        lines = {
            path.name: path.read_text(encoding="utf-8").splitlines()
            for path in DIRECTORY.iterdir()
            if path.is_file()
        }
        return {name: found for name, found in lines.items() if found}

    def file_of(self, pod: str) -> str:
        """Return the name of the file in which a pod's name is."""
        (found,) = [name for name, lines in self.files().items() if pod in lines]
        return found

    def emptied(self, seconds: float = 60) -> None:
        """Wait until no name is in a file, and no CDI file of a claim is left."""
        until("empty files", lambda: not self.files(), seconds)
        until("no CDI file of a claim", lambda: not self.cdi_files(), seconds)

    def cdi_files(self) -> list[str]:
        """Return the names of the driver's CDI files."""
        prefix = CONTRACT.cdi_file_prefix
        return sorted(p.name for p in self.machine.cdi_dir.iterdir() if p.name.startswith(prefix))

    def slices(self) -> list[JSON]:
        """Return the driver's ResourceSlices."""
        chosen = f"--field-selector=spec.driver={CONTRACT.driver_name}"
        return list(self.kubectl.get("resourceslices", chosen)["items"])

    def devices(self) -> list[str]:
        """Return the names of the devices in the slices."""
        return sorted(each["name"] for s in self.slices() for each in s["spec"].get("devices", ()))

    def offered(self, seconds: float = 60) -> None:
        """Wait until the node offers exactly its files."""
        until("all files in slices", lambda: self.devices() == file_names(), seconds)

    def driver_pods(self) -> list[JSON]:
        """Return the driver's pods that are not leaving."""
        found = self.kubectl.get("pods", "-n", SYSTEM, "-l", f"app={NAME}")["items"]
        return [dict(pod) for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def pids(self) -> list[int]:
        """Return the processes of the driver."""
        return [p.pid for p in processes.table() if "driver:FileDriver" in p.words]

    def log(self) -> str:
        """Return what the driver's pods of this node have written, the oldest first."""
        files = sorted(POD_LOGS.glob(f"{SYSTEM}_*/**/*.log"), key=lambda it: it.stat().st_mtime)
        return "".join(path.read_text(encoding="utf-8") for path in files)

    def more(self, text: str, before: int, seconds: float = RETRY_SECONDS) -> None:
        """Wait until the driver has written a text more often than before."""
        until(f"one more {text!r}", lambda: self.log().count(text) > before, seconds)

    @contextmanager
    def kubelet_down(self) -> Iterator[None]:
        """Have no kubelet for a while."""
        self.machine.stop(kubelet.NAME)
        try:
            yield
        finally:
            self.machine.start(kubelet.NAME)

    @contextmanager
    def blocked(self, *names: str) -> Iterator[None]:
        """Put directories in the place of files, so that names can neither come nor go."""
        for name in names or file_names():
            (DIRECTORY / name).rename(DIRECTORY / f".{name}")
            (DIRECTORY / name).mkdir()
        try:
            yield
        finally:
            for name in names or file_names():
                (DIRECTORY / name).rmdir()
                (DIRECTORY / f".{name}").rename(DIRECTORY / name)


def file_names() -> list[str]:
    """Return the names of the node's files."""
    return [f"file{number}" for number in range(1, FILES + 1)]


def installation() -> str:
    """Return what `dra manifests` prints for the file driver with more than one file."""
    options = {"image": IMAGE, "name": NAME, "class": CLASS, "host-path": DIRECTORY}
    flags = [f"--{name}={value}" for name, value in options.items()]
    target = ["driver:FileDriver", "--rolling-update", f"--set=FILES={FILES}"]
    command = [sys.executable, "-m", "dra", "manifests", *target, *flags]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=True)
    return done.stdout


def claim(name: str, *classes: str) -> JSON:
    """Return a claim for one device of each class, by default for a file."""
    requests = [
        {"name": f"r{number}", "exactly": {"deviceClassName": each}}
        for number, each in enumerate(classes or (CLASS,))
    ]
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": name},
        "spec": {"devices": {"requests": requests}},
    }


def pod(name: str, *claims: str, command: str = STAY, restart: str = "Always") -> JSON:
    """Return a pod that uses claims, under their own names."""
    container: JSON = {
        "name": "main",
        "image": "busybox:1.36",
        "command": ["sh", "-c", command],
        "resources": {"claims": [{"name": each} for each in claims]},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "restartPolicy": restart,
            "resourceClaims": [{"name": each, "resourceClaimName": each} for each in claims],
            "containers": [container],
        },
    }


def ending(name: str, claims: Sequence[str], seconds: int = 0) -> JSON:
    """Return a pod that ends after it found its name in its file."""
    command = f'grep -rqx "$HOSTNAME" {DIRECTORY} && sleep {seconds}'
    return pod(name, *claims, command=command, restart="Never")


def make(cluster: FileCluster, target: str) -> str:
    """Run a target of the driver's Makefile, and return what it prints."""
    command = ["make", "-C", str(FOLDER), target, f"KUBECTL={cluster.kubectl.command}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def sockets(cluster: FileCluster) -> list[Path]:
    """Return the driver's sockets below the kubelet's directory."""
    root, name = cluster.machine.kubelet_root, CONTRACT.driver_name
    own, registry = (root / "plugins" / name).glob("*"), (root / "plugins_registry").glob("*")
    found = [*own, *(path for path in registry if name in path.name)]
    return sorted(path for path in found if path.is_socket())
