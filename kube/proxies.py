"""Which proxy leads to the API server; pure.

urllib3 looks at no environment variables, and the standard library's rules know no networks, so
that NO_PROXY with the cluster's service network would lead every pod to the proxy. They also lead
to this machine by way of the proxy, which kubectl never does.
Source: kubernetes client/rest.py should_bypass_proxies; golang.org/x/net/http/httpproxy.
"""

import ipaddress
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit


def proxy_for(host: str, proxy: str | None, environ: Mapping[str, str]) -> str | None:
    """Return the URL of the proxy to a server, None for a direct connection.

    Args:
        host: URL of the server.
        proxy: the configured one; None leaves it to `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY`,
            which do not count for localhost and loopback addresses.
        environ: environment variables; names in lower case come first. `NO_PROXY` counts for every
            proxy.
    """
    server = urlsplit(host)
    found = proxy or _of_environment(server, environ)
    if not found or _excepted(server, _variable(environ, "no_proxy")):
        return None
    return found if "://" in found else f"http://{found}"


def _of_environment(server: SplitResult, environ: Mapping[str, str]) -> str:
    if _is_loopback(server.hostname or ""):
        return ""
    return _variable(environ, f"{server.scheme}_proxy") or _variable(environ, "all_proxy")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, environ.get(name.upper(), ""))


def _excepted(server: SplitResult, no_proxy: str) -> bool:
    entries = (entry.strip().lower() for entry in no_proxy.split(","))
    return any(_matches(server, entry) for entry in entries if entry)


def _matches(server: SplitResult, entry: str) -> bool:
    host = server.hostname or ""
    if entry == "*" or _in_network(host, entry):
        return True
    domain = entry.lstrip(".")
    return any(f".{name}".endswith(f".{domain}") for name in (host, server.netloc.lower()))


def _in_network(host: str, entry: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
