"""The service account of a pod: where its API server is, and a token that the kubelet renews.

Called by config.py inside of pods. Read by hand, see ADR 8.
Source: client-go rest/config.go InClusterConfig, transport/token_source.go.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kube.access import Access
from kube.errors import ConfigError

DIRECTORY: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
HOST: Final = "KUBERNETES_SERVICE_HOST"

_PORT: Final = "KUBERNETES_SERVICE_PORT"
_TOKEN_SECONDS: Final = 60.0


def service_account(
    environ: Mapping[str, str],
    *,
    directory: Path = DIRECTORY,
    clock: Callable[[], float] = time.monotonic,
) -> Access:
    """Return the access that Kubernetes gives to this pod.

    Args:
        environ: environment variables.
        directory: with the files `token` and `ca.crt`.
        clock: seconds, monotonic.

    Raises:
        ConfigError: a variable or a file is missing or empty.
    """
    host, port = environ.get(HOST, ""), environ.get(_PORT, "")
    if not (host and port):
        raise _unusable(f"{HOST} and {_PORT} have to be set")
    token, certificates = Token(directory / "token", clock), directory / "ca.crt"
    token()
    _read(certificates)
    shown = f"[{host}]" if ":" in host else host
    return Access(f"https://{shown}:{port}", token, ca_file=str(certificates))


@dataclass(frozen=True, slots=True)
class _Reading:
    text: str
    at: float


class Token:
    """The token as an Authorization header; the file is read again once a minute.

    Two threads may both read it, which does no harm.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        """Read nothing yet."""
        self._path = path
        self._clock = clock
        self._last: _Reading | None = None

    def __call__(self) -> str:
        """Return the header.

        Raises:
            ConfigError: the file is missing, unreadable or empty.
        """
        last, now = self._last, self._clock()
        if last is None or now - last.at >= _TOKEN_SECONDS:
            last = self._last = _Reading(f"Bearer {_read(self._path)}", now)
        return last.text


def _read(path: Path) -> str:
    try:
        content = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(str(error)) from error
    if not content:
        raise _unusable(f"{path} is empty")
    return content


def _unusable(why: str) -> ConfigError:
    return ConfigError(
        f"service account of the pod: {why}; "
        "set automountServiceAccountToken or give a kubeconfig with --kubeconfig"
    )
