"""A relay of TCP connections that can forget those that are open, as a load balancer may.

A connection that is forgotten stays open on both sides, and nothing passes any more. New ones work.
"""

import selectors
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass

_CHUNK = 1 << 16


@dataclass(eq=False)
class _Connection:
    """Both ends of a connection; a thread carries what comes from one to the other."""

    client: socket.socket
    server: socket.socket
    forgotten: bool = False

    def carry(self) -> None:
        # of ends that were closed before they are waited for: ValueError
        with selectors.DefaultSelector() as waiting, suppress(OSError, ValueError):
            waiting.register(self.client, selectors.EVENT_READ, self.server)
            waiting.register(self.server, selectors.EVENT_READ, self.client)
            while self._pass_on(waiting):
                pass
        if not self.forgotten:
            self.close()

    def _pass_on(self, waiting: selectors.BaseSelector) -> bool:
        for key, _ in waiting.select():
            source: socket.socket = key.fileobj  # type: ignore[assignment]
            data = source.recv(_CHUNK)
            if self.forgotten or not data:
                return False
            key.data.sendall(data)
        return True

    def close(self) -> None:
        for end in (self.client, self.server):
            with suppress(OSError):
                # wakes the thread
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Relay:
    """Listens from the beginning; `close` ends everything.

    Attributes:
        address: where it listens.
    """

    def __init__(
        self, upstream: tuple[str, int], host: str = "127.0.0.1", *, port: int = 0
    ) -> None:
        """Pass connections on to `upstream`; 0 is any free port of `host`."""
        self._upstream = upstream
        self._connections: list[_Connection] = []
        self._listener = socket.create_server((host, port), backlog=128)
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def forget(self) -> None:
        """Forget all connections that are open."""
        for connection in self._connections:
            connection.forgotten = True

    def close(self) -> None:
        """Stop listening, and close all connections."""
        with suppress(OSError):
            # nothing else wakes the thread that accepts
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self._connections:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with suppress(OSError):
                connection = _Connection(client, socket.create_connection(self._upstream))
                self._connections.append(connection)
                threading.Thread(target=connection.carry, daemon=True).start()
