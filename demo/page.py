"""The page of `fake-dra ui` beside the demos."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from demo.session import DemoFailed


@dataclass(frozen=True, slots=True)
class Page:
    """A page that is served until it is closed.

    Attributes:
        told: what it says of itself, with its address.
        process: that serves it.
    """

    told: str
    process: "subprocess.Popen[str]"

    @classmethod
    def open(cls, state: Path) -> Self:
        """Serve the page of the cluster whose files are in a directory, at any free port.

        Raises:
            DemoFailed: it did not start.
        """
        command = [sys.executable, "-m", "cli", "ui", "--listen", "127.0.0.1:0"]
        with (state / "logs" / "ui.log").open("a", encoding="utf-8") as log:
            # a session of its own: a Ctrl-C in the terminal is the demo's to answer
            process = subprocess.Popen(
                [*command, "--kubeconfig", str(state / "kubeconfig")],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        told = process.stdout.readline().strip() if process.stdout is not None else ""
        if not told:
            with process:  # waits, and closes the pipe
                pass
            raise DemoFailed(f"the page did not start, see {state / 'logs' / 'ui.log'}")
        return cls(told, process)

    def close(self) -> None:
        """Serve it no more."""
        self.process.terminate()
        with self.process:  # waits, and closes the pipe
            pass
