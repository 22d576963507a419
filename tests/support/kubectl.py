"""Runs the real kubectl against a cluster."""

import json
import shlex
import subprocess
from pathlib import Path

from api.objects import JSON


class KubectlFailed(AssertionError):
    """kubectl ended with another exit code than 0."""


class Kubectl:
    """One kubectl program with one kubeconfig."""

    def __init__(self, binary: Path | str, kubeconfig: Path | str, *, timeout: float = 60) -> None:
        """Use these files; a command that takes longer than `timeout` seconds fails."""
        self.kubeconfig = str(kubeconfig)
        self._prefix = [str(binary), f"--kubeconfig={kubeconfig}"]
        self._timeout = timeout

    @property
    def command(self) -> str:
        """How a shell runs it."""
        return shlex.join(self._prefix)

    def run(self, *args: str, input: str | None = None) -> str:  # noqa: A002 - subprocess has it
        """Run a command and return what it writes to standard output.

        Args:
            args: after `kubectl`.
            input: what it reads from standard input.

        Raises:
            KubectlFailed: with the command and all that it wrote.
        """
        ended = subprocess.run(
            [*self._prefix, *args],
            input=input if input is not None else "",
            capture_output=True,
            text=True,
            timeout=self._timeout,
            check=False,
        )
        if ended.returncode:
            shown = f"{ended.stdout}{ended.stderr}".strip()
            raise KubectlFailed(f"kubectl {' '.join(args)} ended with {ended.returncode}: {shown}")
        return ended.stdout

    def get(self, *args: str) -> JSON:
        """Run `kubectl get` and return the object or list as JSON."""
        found: JSON = json.loads(self.run("get", *args, "--output=json"))
        return found

    def apply(self, manifest: str) -> str:
        """Apply the documents of a manifest."""
        return self.run("apply", "--filename=-", input=manifest)
