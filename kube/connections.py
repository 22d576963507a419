"""The connections to one API server: TLS, proxy, and how long a silent peer is believed in.

Called by client.py; transport.py sends over what is made here. A connection is opened by urllib3;
what goes over it from then on, but for watches, by exchange.py.
Source: kubernetes client/rest.py and utils/keepalive.py, for what a kubeconfig may ask for.
"""

import os
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ClosedPoolError, HTTPError, ProtocolError, ReadTimeoutError

from kube.access import Access
from kube.errors import ConfigError
from kube.exchange import Answer, BrokenExchange, Request, exchange
from kube.proxies import proxy_for

T = TypeVar("T")

CONNECT_SECONDS: Final = 3.05

_IDLE_SECONDS: Final = 30
_INTERVAL_SECONDS: Final = 15
_PROBES: Final = 9
_DEAD_PEER_MS: Final = 30_000


class _Pool(urllib3.HTTPConnectionPool):
    """Connections that urllib3 opens, and that are used without it once they are open."""

    def reuse(self, request: Request, seconds: float) -> Answer | None:
        """Send a request over an open connection; None if nothing was sent.

        Raises:
            urllib3.exceptions.HTTPError: there is no answer.
        """
        connection, keep = self._get_conn(), False
        try:
            head, sock = request.head(self._authority()), getattr(connection, "sock", None)
            # a proxy that does not tunnel wants headers of its own
            tunnels = self.proxy is None or self.scheme == "https"
            if head is None or not tunnels or not isinstance(sock, socket.socket):
                keep = True
                return None
            answer = exchange(sock, head + (request.body or b""), seconds)
            keep = answer.reusable
            return answer
        except TimeoutError as error:
            raise ReadTimeoutError(self, request.path, f"silent for {seconds:g} s") from error
        except (OSError, BrokenExchange) as error:
            raise ProtocolError("Connection aborted.", error) from error
        finally:
            if not keep:
                connection.close()
            self._put_conn(connection)

    def _authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class _TlsPool(_Pool, urllib3.HTTPSConnectionPool):
    pass


class Connections:
    """A pool of connections; thread-safe.

    Nothing is repeated: one policy of ours decides about retries, and urllib3's would send a PUT
    again without a word. No redirect is followed, so that no other server gets the token.
    """

    def __init__(self, make_pool: Callable[[], urllib3.HTTPConnectionPool], base: str) -> None:
        """Send over a pool; `base` goes before each path."""
        self._make_pool = make_pool
        self._pool = make_pool()
        self._base = base
        self._lock = threading.Lock()

    def request(self, request: Request, seconds: float) -> Answer:
        """Send a request and return the whole answer.

        Args:
            request: without what goes before its path.
            seconds: longest silence of the server.

        Raises:
            urllib3.exceptions.HTTPError: there is no answer.
        """

        def send(pool: urllib3.HTTPConnectionPool) -> Answer:
            found = pool.reuse(based, seconds) if isinstance(pool, _Pool) else None
            return _whole(_opened(pool, based, seconds)) if found is None else found

        based = replace(request, path=self._base + request.path)
        return self._over_pool(send)

    def stream(self, request: Request, seconds: float) -> urllib3.BaseHTTPResponse:
        """Send a request like `request`, and return the answer while its body comes in."""
        based = replace(request, path=self._base + request.path)
        return self._over_pool(lambda pool: _opened(pool, based, seconds))

    def _over_pool(self, send: Callable[[urllib3.HTTPConnectionPool], T]) -> T:
        try:
            return send(self._pool)
        except ClosedPoolError:
            # by `drop_idle` in another thread, before anything was sent
            return send(self._pool)

    def drop_idle(self) -> None:
        """Send nothing any more over the connections that are open now.

        For when one of them has gone silent: what forgot it on the way, such as a load balancer,
        has most likely forgotten the others, too. Answers that are coming in are read to their end.
        """
        with self._lock:
            suspect, self._pool = self._pool, self._make_pool()
        suspect.close()

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()


def _opened(
    pool: urllib3.HTTPConnectionPool, request: Request, seconds: float
) -> urllib3.BaseHTTPResponse:
    """Send a request by urllib3, over a new connection if need be; its body is still to be read."""
    return pool.urlopen(
        request.method,
        request.path,
        request.body,
        request.headers,
        retries=False,
        redirect=False,
        assert_same_host=False,
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=seconds),
        preload_content=False,
    )


def _whole(response: urllib3.BaseHTTPResponse) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, response.data)


def open_connections(
    access: Access, *, size: int, environ: Mapping[str, str] = os.environ
) -> Connections:
    """Return a pool that connects when it has something to send.

    Files of certificates are read for each new connection, so that they may be renewed.

    Args:
        access: where to.
        size: connections that stay open; at least watches plus workers.
        environ: environment variables, for proxies.

    Raises:
        ConfigError: the URL of the server or of the proxy is unusable.
    """
    options = {**_tls(access), "socket_options": _socket_options(), "maxsize": size}
    server = urlsplit(access.host)
    try:
        proxy = proxy_for(access.host, access.proxy, environ)
        # a proxy that does not tunnel has to be told the server
        base = access.host if proxy and server.scheme == "http" else server.path
        return Connections(lambda: _manager(proxy, options).connection_from_url(access.host), base)
    except (HTTPError, ValueError, ImportError) as error:
        raise ConfigError(
            f"no way to the API server {access.host}: {error}; correct the server of the "
            "kubeconfig, or its proxy-url, HTTPS_PROXY and NO_PROXY"
        ) from error


def _manager(proxy: str | None, options: Mapping[str, Any]) -> urllib3.PoolManager:
    if proxy is not None and proxy.lower().startswith("socks"):
        # Here and not above, since it needs a package that only these proxies need.
        from urllib3.contrib.socks import SOCKSProxyManager

        return SOCKSProxyManager(proxy, **options)
    manager = (
        urllib3.PoolManager(**options) if proxy is None else urllib3.ProxyManager(proxy, **options)
    )
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager


def _tls(access: Access) -> dict[str, Any]:
    given = {
        "cert_reqs": ssl.CERT_REQUIRED if access.verify else ssl.CERT_NONE,
        "ca_certs": access.ca_file,
        "cert_file": access.cert_file,
        "key_file": access.key_file,
        "server_hostname": access.server_name,
    }
    return {name: value for name, value in given.items() if value is not None}


def _socket_options() -> list[tuple[int, int, int]]:
    """Find out within a minute that the peer of an idle watch or an unanswered request is gone."""
    tcp = socket.IPPROTO_TCP
    options = [
        *HTTPConnection.default_socket_options,
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (tcp, socket.TCP_KEEPINTVL, _INTERVAL_SECONDS),
        (tcp, socket.TCP_KEEPCNT, _PROBES),
    ]
    if hasattr(socket, "TCP_KEEPIDLE"):
        options.append((tcp, socket.TCP_KEEPIDLE, _IDLE_SECONDS))
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        options.append((tcp, socket.TCP_USER_TIMEOUT, _DEAD_PEER_MS))
    return options
