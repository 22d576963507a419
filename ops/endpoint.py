"""Where a program listens."""

from dataclasses import dataclass

from ops.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to listen; an empty host is every address of the machine, port 0 any free port."""

    host: str
    port: int


def parse_endpoint(text: str) -> Endpoint:
    """Read `host:port`, `:port` or `[IPv6]:port`.

    Raises:
        ConfigError: naming the flag, its environment variable, and the forms.
    """
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    bracketed = bare != host
    decimal = port.isascii() and port.isdigit() and len(port) <= 5
    host_ok = bare.isprintable() and not set(bare) & set("[]/@ ") and (":" in bare) == bracketed
    if not (colon and host_ok and decimal and int(port) < 2**16):
        raise ConfigError(
            f"--http-endpoint (env HTTP_ENDPOINT): {text!r} is no address to listen on; "
            'give ":8080", "127.0.0.1:8080", "[::1]:8080", or nothing to switch HTTP off'
        )
    return Endpoint(bare, int(port))
