"""Where a program listens."""

import errno
import socket
from dataclasses import dataclass
from typing import Final

from ops.errors import ConfigError

HTTP_ENDPOINT: Final = "--http-endpoint (env HTTP_ENDPOINT)"

_REMEDIES: Final = {
    errno.EADDRINUSE: "another program listens there; choose another port, or stop that program",
    errno.EACCES: "this user may not listen there; choose a port above 1023",
    errno.EADDRNOTAVAIL: "no interface of this machine has the address; choose another, or none",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to listen; an empty host is every address of the machine, port 0 any free port."""

    host: str
    port: int


def parse_endpoint(text: str, setting: str = HTTP_ENDPOINT) -> Endpoint:
    """Read `host:port`, `:port` or `[IPv6]:port`.

    Raises:
        ConfigError: naming the flag and its environment variable, `setting`, and the forms.
    """
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    bracketed = bare != host
    decimal = port.isascii() and port.isdigit() and len(port) <= 5
    host_ok = bare.isprintable() and not set(bare) & set("[]/@ ") and (":" in bare) == bracketed
    if not (colon and host_ok and decimal and int(port) < 2**16):
        off = ", or nothing to switch HTTP off" if setting == HTTP_ENDPOINT else ""
        raise ConfigError(
            f"{setting}: {text!r} is no address to listen on; "
            f'give ":8080", "127.0.0.1:8080", "[::1]:8080"{off}'
        )
    return Endpoint(bare, int(port))


def listen(text: str, setting: str = HTTP_ENDPOINT) -> socket.socket:
    """Return a socket that listens at `text`, see `parse_endpoint`.

    Raises:
        ConfigError: it is malformed, taken, forbidden or not of this machine.
    """
    address = parse_endpoint(text, setting)
    try:
        if not address.host and socket.has_dualstack_ipv6():
            at = ("", address.port)
            return socket.create_server(at, family=socket.AF_INET6, dualstack_ipv6=True)
        host = address.host or "0.0.0.0"  # noqa: S104
        found = socket.getaddrinfo(host, address.port, type=socket.SOCK_STREAM)
        family, _, _, _, place = found[0]
        return socket.create_server(place[:2], family=family)
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "choose another address")
        raise ConfigError(
            f"{setting}: cannot listen on {text!r}: {error.strerror or error}; {remedy}"
        ) from error
