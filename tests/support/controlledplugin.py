"""The process of a ControlledDriver on the node of a raised cluster, and what tests tell it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from api.objects import JSON
from testing.waiting import until
from tests.support.anycluster import ROOT
from tests.support.controlleddriver import DEVICES, ControlledDriver
from tests.support.filecluster import REGISTERED, RETRY_SECONDS, FileCluster, claim
from tests.support.structuredcluster import NODE, pod

CLASS: Final = "controlled"
CONTRACT: Final = ControlledDriver.contract
_TARGET: Final = "tests.support.controlleddriver:ControlledDriver"


@dataclass(slots=True)
class ControlledPlugin:
    """A driver whose answers tests forge.

    Attributes:
        cluster: whose node it is on.
        directory: of its files.
    """

    cluster: FileCluster
    directory: Path
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def start(self) -> None:
        """Start it, and wait until the kubelet and the scheduler know it."""
        before = self.log().count(REGISTERED)
        machine = self.cluster.machine
        settings = {
            "node-name": NODE,
            "directory": self.directory,
            "kubeconfig": machine.kubeconfig,
            "cdi-root": machine.cdi_dir,
            "kubelet-plugins-directory-path": machine.kubelet_root / "plugins",
            "kubelet-registrar-directory-path": machine.kubelet_root / "plugins_registry",
        }
        flags = [f"--{name}={value}" for name, value in settings.items()]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dra", "run", _TARGET, *flags],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={**os.environ, "NO_PROXY": "*"},
            )
        until("registered", lambda: self.registrations() > before, 60)
        until("its devices in slices", lambda: self.devices() == list(DEVICES), 60)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it, and wait for its end."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def registrations(self) -> int:
        """Count how often the kubelet has registered it."""
        return self.log().count(REGISTERED)

    def log(self) -> str:
        """Return what it has written."""
        path = self.directory / "log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def slices(self) -> list[JSON]:
        """Return its ResourceSlices."""
        chosen = f"--field-selector=spec.driver={CONTRACT.driver_name}"
        return list(self.cluster.kubectl.get("resourceslices", chosen)["items"])

    def devices(self) -> list[str]:
        """Return the names of the devices in the slices."""
        return sorted(each["name"] for s in self.slices() for each in s["spec"].get("devices", ()))

    def say(self, about: str, what: str) -> None:
        """Write a file that it obeys, in one step."""
        new = self.directory / f".{about}"
        new.write_text(what, encoding="utf-8")
        new.replace(self.directory / about)

    @contextmanager
    def told(self, about: str, what: str) -> Iterator[None]:
        """Have it obey for a while."""
        self.say(about, what)
        try:
            yield
        finally:
            self.say(about, "")

    def calls(self, line: str) -> int:
        """Count what it did, such as `prepare c done`."""
        path = self.directory / "calls"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return lines.count(line)

    def did(self, line: str, more_than: int = 0, seconds: float = RETRY_SECONDS) -> None:
        """Wait until it did something."""
        until(f"call {line!r}", lambda: self.calls(line) > more_than, seconds)


def device_class() -> JSON:
    """Return the class of its devices."""
    expression = f"device.driver == '{CONTRACT.driver_name}'"
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "DeviceClass",
        "metadata": {"name": CLASS},
        "spec": {"selectors": [{"cel": {"expression": expression}}]},
    }


def stays(files: FileCluster, *classes: str) -> None:
    """Apply a pod that stays, with a claim `c`."""
    files.apply(claim("c", *(classes or (CLASS,))), pod("pod", "c"))
