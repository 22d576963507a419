"""The program of the page as a process."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from testing.apiserver import MemoryApi
from testing.web import serving, write_kubeconfig
from tests.support.anycluster import ROOT

HOST: Final = "127.0.0.1"


class Page:
    """A process of the page."""

    def __init__(self, kubeconfig: Path, *flags: str) -> None:
        command = [sys.executable, "-m", "cli", "ui", "--listen", f"{HOST}:0"]
        command += ["--kubeconfig", str(kubeconfig), *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self.process.stdout is not None
        told = self.process.stdout.readline()
        assert told.startswith(f"Devices are shown at http://{HOST}:"), told
        self.port = int(told.rstrip("/\n").rpartition(":")[2])

    @property
    def url(self) -> str:
        """Of the page."""
        return f"http://{HOST}:{self.port}/"

    def ends(self, number: int) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(20)

    def worker(self) -> int:
        """Return the id of the process with the watches."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(children.read_text(encoding="utf-8").split()[0])


@contextmanager
def opened(kubeconfig: Path, *flags: str) -> Iterator[Page]:
    """Run the page of a cluster."""
    page = Page(kubeconfig, *flags)
    try:
        yield page
    finally:
        page.process.terminate()
        page.process.wait(30)
        assert page.process.stdout is not None
        page.process.stdout.close()


@contextmanager
def shown(api: MemoryApi, directory: Path, *flags: str) -> Iterator[Page]:
    """Run the page of a cluster in this process."""
    with serving(api.app) as url:
        with opened(write_kubeconfig(url, directory / "kubeconfig"), *flags) as page:
            yield page
        api.end_watches()
