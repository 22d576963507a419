"""Commands in running containers: the port to the kubelet, and the messages of `kubectl exec`.

A message begins with a byte that says which stream it belongs to; v5 adds one that ends a stream.
The last message is a Status with the exit code.
Source: apimachinery pkg/util/remotecommand, kubernetes pkg/kubelet/cri/streaming, KEP-4006.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from api.objects import JSON
from devcluster.apiserver.errors import BadRequest, NotFound
from devcluster.apiserver.logs import status_of

SUBPROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
CLOSE: Final = 255


@dataclass(frozen=True, slots=True)
class Command:
    """What to execute.

    Attributes:
        tty: whether on a terminal, where error output is not apart.
        streams: STDIN, STDOUT and STDERR, as far as the client wants them.
    """

    argv: Sequence[str]
    tty: bool
    streams: frozenset[int]


class Execution(Protocol):
    """A command that runs, with file descriptors that somebody else polls."""

    @property
    def stdin(self) -> int | None:
        """Takes the input without blocking; None if there is none, or no more."""

    @property
    def outputs(self) -> Mapping[int, int]:
        """Streams by file descriptor."""

    @property
    def ended(self) -> int:
        """Becomes readable when the command has ended."""

    @property
    def exit_code(self) -> int:
        """How it ended."""

    def close_stdin(self) -> None:
        """Let the command see the end of its input."""

    def resize(self, width: int, height: int) -> None:
        """Tell the size of the client's terminal."""

    def close(self) -> None:
        """End the command if it still runs, and close all file descriptors."""


class CommandSource(Protocol):
    """Where commands run: the kubelet of the pod's node."""

    def execute(self, pod: JSON, container: str, command: Command) -> Execution:
        """Start a command with the environment and directory of a container.

        Raises:
            DriverError: the container does not run, or there is no such command.
        """


def check_running(pod: JSON, container: str) -> None:
    """Raise if no command can run in a container, as far as the pod's status tells."""
    if not pod["spec"].get("nodeName"):
        raise BadRequest(f"pod {pod['metadata']['name']} does not have a host assigned")
    if "running" not in (status_of(pod, container).get("state") or {}):
        raise NotFound(f'container not found ("{container}")', {})


def message(stream: int, data: bytes) -> bytes:
    """Return a message with what a stream has."""
    return bytes([stream]) + data


def result(code: int) -> bytes:
    """Return the message with an exit code."""
    if not code:
        return message(ERROR, json.dumps({"metadata": {}, "status": "Success"}).encode())
    text = f"command terminated with non-zero exit code: exit status {code}"
    cause = {"reason": "ExitCode", "message": str(code)}
    return _failure("NonZeroExitCode", text, {"details": {"causes": [cause]}})


def not_started(error: Exception) -> bytes:
    """Return the message about a command that cannot be executed."""
    text = f"Internal error occurred: error executing command in container: {error}"
    return _failure("InternalError", text, {"code": 500})


def _failure(reason: str, text: str, more: JSON) -> bytes:
    status = {"metadata": {}, "status": "Failure", "message": text, "reason": reason, **more}
    return message(ERROR, json.dumps(status).encode())
