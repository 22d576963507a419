"""A real one-node Kubernetes of structured claims with the file driver on it."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from api.objects import JSON
from drivers.file.driver import FileDriver
from testing.waiting import until
from tests.e2e.cluster import processes
from tests.support import structuredcluster
from tests.support.anycluster import ROOT
from tests.support.structuredcluster import StructuredCluster, pod, served_text

CONTRACT: Final = FileDriver.contract
NAME: Final = "dra-file-driver"
IMAGE: Final = f"{NAME}:0.1.0"
"""As deploy/driver.yaml names it."""

SYSTEM: Final = "dra-system"
CLASS: Final = "file-resource"
DIRECTORY: Final = Path("/etc/dra")
"""On the node, which is this machine, and in containers."""

FILES: Final = 4
FOLDER: Final = ROOT / "drivers" / "file"
REGISTERED: Final = "Registered by the kubelet"
V1_ONLY: Final = pytest.mark.since(34, "the manifests of the README are in v1")
RETRY_SECONDS: Final = 150.0
"""Enough for the kubelet's longest pause between two tries."""


@dataclass(frozen=True, slots=True)
class FileCluster(StructuredCluster):
    """The cluster, with what is particular to the file driver."""

    contract = CONTRACT
    system = SYSTEM

    def install(self) -> None:
        """Install the driver, and wait until the node offers all files."""
        self.kubectl.apply(served_text(self.minor, installation()))
        self.rolled_out(f"daemonset/{NAME}", SYSTEM)
        self.offered()

    def uninstall(self) -> None:
        """Remove the driver if it is there, and wait until nothing of it runs."""
        gone = ("--ignore-not-found", "--cascade=foreground")
        self.kubectl.run("delete", "-n", SYSTEM, f"daemonset/{NAME}", *gone)
        installed = served_text(self.minor, installation())
        self.kubectl.run("delete", "--filename=-", "--ignore-not-found", input=installed)

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

    def more(self, text: str, before: int, seconds: float = RETRY_SECONDS) -> None:
        """Wait until the driver has written a text more often than before."""
        until(f"one more {text!r}", lambda: self.log().count(text) > before, seconds)

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
    return structuredcluster.claim(name, *(classes or (CLASS,)))


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
