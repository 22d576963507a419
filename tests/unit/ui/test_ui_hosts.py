"""Which requests are answered: those for our own names, from our own page."""

from collections.abc import Sequence

from tests.support.tables import cases
from ui.hosts import Hosts

LOCAL: Sequence[str] = ()


@cases(
    ("listening", "allowed", "host", "answered"),
    {
        "localhost": ("127.0.0.1", LOCAL, "localhost:8770", True),
        "loopback": ("127.0.0.1", LOCAL, "127.0.0.1:8770", True),
        "loopback-v6": ("127.0.0.1", LOCAL, "[::1]:8770", True),
        "upper-case": ("127.0.0.1", LOCAL, "LOCALHOST:8770", True),
        "rebound": ("127.0.0.1", LOCAL, "evil.example.com:8770", False),
        "rebound-suffix": ("127.0.0.1", LOCAL, "localhost.evil.example.com", False),
        "user-part": ("127.0.0.1", LOCAL, "localhost@evil.example.com", False),
        "none": ("127.0.0.1", LOCAL, "", False),
        "malformed": ("127.0.0.1", LOCAL, "[::1", False),
        "other-address": ("127.0.0.1", LOCAL, "10.0.0.7:8770", False),
        "all-addresses": ("", LOCAL, "10.0.0.7:8770", True),
        "all-addresses-rebound": ("", LOCAL, "evil.example.com", False),
        "own-address": ("10.0.0.7", LOCAL, "10.0.0.7:8770", True),
        "allowed": ("", ["dra.example.com"], "dra.example.com", True),
        "allowed-upper-case": ("", ["DRA.example.com"], "dra.example.com:443", True),
        "subdomain": ("", ["dra.example.com"], "x.dra.example.com", False),
    },
)
def test_hosts(listening: str, allowed: Sequence[str], host: str, answered: bool) -> None:
    assert (Hosts.of(listening, allowed).refusal(host, None) == "") is answered


@cases(
    ("origin", "answered"),
    {
        "own": ("http://localhost:8770", True),
        "behind-tls": ("https://localhost:8770", True),
        "other-port": ("http://localhost:3000", False),
        "other-host": ("http://evil.example.com", False),
        "opaque": ("null", False),
        "empty": ("", False),
    },
)
def test_origins(origin: str, answered: bool) -> None:
    hosts = Hosts.of("127.0.0.1", ())
    assert (hosts.refusal("localhost:8770", origin) == "") is answered


def test_a_refusal_says_what_to_do() -> None:
    told = Hosts.of("127.0.0.1", ()).refusal("dra.example.com:8770", None)
    assert told == (
        "host 'dra.example.com' is not allowed; start with --allowed-host dra.example.com"
    )
