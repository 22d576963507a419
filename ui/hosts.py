"""Which requests are answered, by the names that they come for.

A page of somebody else that a user's browser shows can let its own name lead to this address (DNS
rebinding); then the header Host has that name. A name that nobody has allowed is refused, and so is
a request that a page of another origin makes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import urlsplit

_LOOPBACK: Final = "localhost"


@dataclass(frozen=True, slots=True)
class Hosts:
    """Names of this page.

    Attributes:
        names: that are allowed, in lower case and without port.
        addresses: whether any address of IP is, too, which no name leads to.
    """

    names: frozenset[str]
    addresses: bool

    @classmethod
    def of(cls, listening: str, allowed: Iterable[str]) -> Self:
        """Return the names of a page.

        Args:
            listening: host that is listened on; empty is all addresses.
            allowed: further names.
        """
        own = {listening} if listening else set()
        names = frozenset(each.lower().strip("[]") for each in {*own, *allowed, _LOOPBACK})
        return cls(names, not _is_loopback(listening))

    def refusal(self, host: str, origin: str | None) -> str:
        """Return why a request is not answered, empty if it is.

        Args:
            host: the header Host.
            origin: the header Origin, None if there is none.
        """
        name = _host_of(f"//{host}")
        if not self._knows(name):
            return f"host {name or host!r} is not allowed; start with --allowed-host {name or host}"
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return f"origin {origin!r} is another one than that of the page"
        return ""

    def _knows(self, name: str) -> bool:
        if name in self.names or _is_loopback(name):
            return True
        return self.addresses and _is_address(name)


def _host_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return name == _LOOPBACK or (_is_address(name) and ip_address(name).is_loopback)
