"""`kubectl exec`: carries the streams of a command over a WebSocket, in the thread of its request.

kubectl asks by WebSocket first from 1.30 on; SPDY, to which older ones are bound, is not spoken.
"""

import json
import os
import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from flask import Request, Response

from api.errors import DriverError
from api.objects import JSON
from devcluster.apiserver import remotecommand
from devcluster.apiserver.errors import BadRequest
from devcluster.apiserver.remotecommand import Command, CommandSource, Execution
from devcluster.apiserver.views.connection import client_socket
from devcluster.apiserver.views.options import is_true
from devcluster.apiserver.views.websocket import WebSocket

_BLOCK: Final = 32 * 1024
_MOST_INPUT: Final = 1024 * 1024
"""Bytes that wait for the command to read them before the client is kept waiting."""

_LAST_OUTPUT_SECONDS: Final = 0.5
"""After the end of a command, for what its descendants still write."""


def exec_answer(request: Request, commands: CommandSource, pod: JSON, container: str) -> Response:
    """Run the command of a request; the answer is what remains to be said when it has ended.

    Raises:
        BadRequest: the client asks for no command, or by no WebSocket.
        NotFound: the container does not run.
    """
    command, connection = _command(request), client_socket(request.environ)
    remotecommand.check_running(pod, container)
    if request.headers.get("Upgrade", "").lower() != "websocket" or connection is None:
        raise BadRequest(
            "this API server speaks WebSocket for exec, not SPDY; use kubectl 1.30 or newer, or "
            "1.29 with KUBECTL_REMOTE_COMMAND_WEBSOCKETS=true"
        )
    web = WebSocket(connection, request.environ, remotecommand.SUBPROTOCOLS)
    with suppress(OSError):  # the client has gone
        _carry(web, commands, pod, container, command)
    with suppress(OSError):
        # this answer is for the server's books only: the client got its last frame
        connection.shutdown(socket.SHUT_WR)
    return Response(status=101)


def _command(request: Request) -> Command:
    argv, query = request.args.getlist("command"), request.args
    names = ("stdin", "stdout", "stderr")
    asked = frozenset(n for n, name in enumerate(names) if is_true(query.get(name)))
    if not argv:
        raise BadRequest("you must specify a command")
    if not asked:
        raise BadRequest("you must specify at least one of stdin, stdout, stderr")
    return Command(argv, is_true(query.get("tty")), asked)


def _carry(
    web: WebSocket, commands: CommandSource, pod: JSON, container: str, command: Command
) -> None:
    try:
        execution = commands.execute(pod, container, command)
    except DriverError as error:
        web.send(remotecommand.not_started(error))
    else:
        try:
            Session(web, execution).run()
        finally:
            execution.close()
    web.close()


class Session:
    """The streams of one command, carried by one loop that waits for all of them."""

    def __init__(self, web: WebSocket, execution: Execution) -> None:
        """Begin with everything open; `run` once."""
        self._web = web
        self._execution = execution
        self._selector = selectors.DefaultSelector()
        self._input = bytearray()
        self._input_ends = False
        self._outputs = set(execution.outputs)
        self._running = True

    def run(self) -> None:
        """Carry until the command has ended, then tell how.

        Raises:
            ConnectionError: the client has gone.
        """
        with self._selector:
            self._watch(self._web.fileno(), self._receive)
            self._watch(self._execution.ended, self._end)
            for fd, stream in self._execution.outputs.items():
                self._watch(fd, partial(self._relay, fd, stream))
            while self._running or self._outputs:
                ready = self._selector.select(None if self._running else _LAST_OUTPUT_SECONDS)
                if not ready and not self._running:
                    break
                for key, _ in ready:
                    key.data()
        self._web.send(remotecommand.result(self._execution.exit_code))

    def _watch(self, fd: int, act: Callable[[], None], event: int = selectors.EVENT_READ) -> None:
        if fd not in self._selector.get_map():
            self._selector.register(fd, event, act)

    def _ignore(self, fd: int) -> None:
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    def _end(self) -> None:
        self._running = False
        self._ignore(self._execution.ended)

    def _relay(self, fd: int, stream: int) -> None:
        try:
            data = os.read(fd, _BLOCK)
        except BlockingIOError:
            # a terminal is not blocking either way
            return
        except OSError:
            # how Linux tells that nobody has the terminal open any more
            data = b""
        if data:
            self._web.send(remotecommand.message(stream, data))
        else:
            self._outputs.discard(fd)
            self._ignore(fd)

    def _receive(self) -> None:
        for data in self._web.receive():
            stream, content = data[0] if data else -1, data[1:]
            if stream == remotecommand.STDIN:
                self._input += content
            elif stream == remotecommand.CLOSE:
                self._input_ends |= content[:1] == bytes([remotecommand.STDIN])
            elif stream == remotecommand.RESIZE:
                self._resize(content)
        self._turn_input()

    def _resize(self, content: bytes) -> None:
        try:
            size = json.loads(content)
            self._execution.resize(int(size["Width"]), int(size["Height"]))
        except (ValueError, KeyError, TypeError):
            return

    def _turn_input(self) -> None:
        """Wait for what the input needs next: the command, the client, or its end."""
        stdin = self._execution.stdin
        if stdin is None:
            self._input.clear()
        elif self._input:
            self._watch(stdin, self._feed, selectors.EVENT_WRITE)
        elif self._input_ends:
            self._drop_input()
        else:
            self._ignore(stdin)
        if len(self._input) > _MOST_INPUT:
            self._ignore(self._web.fileno())
        else:
            self._watch(self._web.fileno(), self._receive)

    def _feed(self) -> None:
        stdin = self._execution.stdin
        try:
            written = os.write(stdin, self._input[:_BLOCK]) if stdin is not None else 0
        except BlockingIOError:
            return
        except OSError:
            self._drop_input()
            return
        del self._input[:written]
        self._turn_input()

    def _drop_input(self) -> None:
        if self._execution.stdin is not None:
            self._ignore(self._execution.stdin)
        self._input.clear()
        self._execution.close_stdin()
