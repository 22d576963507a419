"""Starts a program under test as in a pod: it finds a service account and no kubeconfig.

That matters for memory and start, since a kubeconfig takes a package that knows all that may stand
in one. The files lie where pods have them, in a mount namespace that only the program sees, which
takes root and Linux. Without those, or on a server without TLS, it gets KUBECONFIG.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.programs import Program

_FILES: Final = "/run/secrets/kubernetes.io/serviceaccount"
_SCRIPT: Final = (
    'mount -t tmpfs none /run && mkdir -p "$0" && cp "$1"/ca.crt "$1"/token "$0" && shift '
    '&& exec "$@"'
)
_UNSHARE: Final = ("unshare", "--mount", "--propagation", "private")


@dataclass(frozen=True, slots=True)
class Account:
    """What a pod knows of its API server.

    Attributes:
        host: address.
        port: of TLS.
        files: directory with `token` and `ca.crt`.
    """

    host: str
    port: int
    files: Path


@dataclass(frozen=True, slots=True)
class Way:
    """How a program under test finds the API server.

    Attributes:
        kubeconfig: of an administrator.
        account: likewise as in a pod; None if the server has no TLS.
    """

    kubeconfig: Path
    account: Account | None = None

    def __str__(self) -> str:
        return "KUBECONFIG" if self._pod() is None else "a service account"

    def program(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]
    ) -> Program:
        """Return a program under test, not yet running."""
        account = self._pod()
        if account is None:
            return Program(name, command, log, {**environment, "KUBECONFIG": str(self.kubeconfig)})
        server = {
            "KUBERNETES_SERVICE_HOST": account.host,
            "KUBERNETES_SERVICE_PORT": str(account.port),
            "KUBECONFIG": "",
        }
        prefix = (*_UNSHARE, "sh", "-c", _SCRIPT, _FILES, str(account.files))
        return Program(name, [*prefix, *command], log, {**environment, **server})

    def _pod(self) -> Account | None:
        return self.account if self.account is not None and _may_mount() else None


def _may_mount() -> bool:
    if os.geteuid() != 0 or shutil.which(_UNSHARE[0]) is None:
        return False
    tried = [*_UNSHARE, "mount", "-t", "tmpfs", "none", "/run"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0  # noqa: S603
