"""A WebSocket on the connection under a request; wsproto knows the protocol, here is the I/O."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event, Message, Ping
from wsproto.events import Request as Opening
from wsproto.utilities import RemoteProtocolError

from devcluster.apiserver.errors import BadRequest

_BLOCK: Final = 64 * 1024
_NORMAL: Final = 1000


class WebSocket:
    """Not thread-safe; `fileno` is for a selector, `receive` after it became readable."""

    def __init__(
        self, connection: socket.socket, environ: Mapping[str, Any], subprotocols: Sequence[str]
    ) -> None:
        """Answer the opening handshake.

        Args:
            connection: of the client.
            environ: of the request.
            subprotocols: one of which the client has to speak.

        Raises:
            BadRequest: it does not, or the request is not a handshake.
        """
        self._connection = connection
        self._protocol = WSConnection(ConnectionType.SERVER)
        self._part = b""
        offered = self._opening(environ).subprotocols
        chosen = next((each for each in offered if each in subprotocols), None)
        if chosen is None:
            raise BadRequest(f"unable to upgrade: speak one of {', '.join(subprotocols)}")
        self._send(AcceptConnection(subprotocol=chosen))

    def fileno(self) -> int:
        """Return the file descriptor of the connection."""
        return self._connection.fileno()

    def receive(self) -> list[bytes]:
        """Return the messages that are complete by now, and answer pings.

        Raises:
            ConnectionError: the client has gone.
        """
        try:
            self._protocol.receive_data(self._connection.recv(_BLOCK) or None)
            return list(self._messages())
        except RemoteProtocolError as error:
            raise ConnectionError(f"not a WebSocket: {error}") from error

    def send(self, data: bytes) -> None:
        """Send a message; ConnectionError if the client has gone."""
        self._send(Message(data=data))

    def close(self) -> None:
        """Tell the client that this was all."""
        self._send(CloseConnection(_NORMAL))

    def _opening(self, environ: Mapping[str, Any]) -> Opening:
        headers = [
            (key.removeprefix("HTTP_").replace("_", "-").lower().encode(), str(value).encode())
            for key, value in environ.items()
            if key.startswith("HTTP_")
        ]
        try:
            self._protocol.initiate_upgrade_connection(headers, environ["PATH_INFO"])
            opening = next(self._protocol.events(), None)
        except RemoteProtocolError as error:
            raise BadRequest(f"unable to upgrade: {error}") from error
        if not isinstance(opening, Opening):
            raise BadRequest("unable to upgrade: not the handshake of a WebSocket")
        return opening

    def _messages(self) -> Iterator[bytes]:
        for event in self._protocol.events():
            if isinstance(event, CloseConnection):
                raise ConnectionError("the client has closed the WebSocket")
            if isinstance(event, Ping):
                self._send(event.response())
            if isinstance(event, Message):
                data = event.data if isinstance(event, BytesMessage) else event.data.encode()
                self._part += bytes(data)
                if event.message_finished:
                    yield self._part
                    self._part = b""

    def _send(self, event: Event) -> None:
        self._connection.sendall(self._protocol.send(event))
