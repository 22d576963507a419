"""What a program tells over HTTP: alive, ready, metrics, and what its threads do.

A flask application on a threaded server inside the process; gunicorn would fork, and a fork has
neither the threads nor the caches that the answers are about. The endpoints are those of every
Kubernetes component, for the kubelet's probes, Prometheus and curl. No TLS and no authentication:
they tell nothing secret, and they change nothing.
"""

import errno
import socket
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Final

from flask import Flask, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from ops.checks import Check, run_checks
from ops.endpoint import parse_endpoint
from ops.errors import ConfigError
from ops.logs import get_logger
from ops.stacks import Sampler, dump

LONGEST_PROFILE: Final = 60
"""Seconds."""

_TEXT: Final = "text/plain; charset=utf-8"

_CLIENT_SECONDS: Final = 30
_POLL_SECONDS: Final = 0.1
_REMEDIES: Final = {
    errno.EADDRINUSE: "another program listens there; choose another port, or stop that program",
    errno.EACCES: "this user may not listen there; choose a port above 1023",
    errno.EADDRNOTAVAIL: "no interface of this machine has the address; choose another, or none",
}

_log = get_logger("health")


def create_app(
    *,
    live: Mapping[str, Check],
    ready: Mapping[str, Check],
    registry: CollectorRegistry,
    metrics_path: str = "/metrics",
    pprof_path: str = "",
    sampler: Sampler | None = None,
) -> Flask:
    """Make the application.

    Args:
        live: checks of /healthz by name; the kubelet restarts the container when one fails.
        ready: checks of /readyz by name.
        registry: what the metrics path shows.
        metrics_path: URL path with its slash.
        pprof_path: URL path of the threads' stacks; empty is off.
        sampler: profiles for `?seconds=`.

    Returns:
        An application that answers 200, or 503 with the names and reasons of the failing checks;
        `?verbose` lists all of them.
    """
    app = Flask("ops.health", static_folder=None)
    app.add_url_rule("/healthz", "healthz", lambda: _answer("healthz", live))
    app.add_url_rule("/readyz", "readyz", lambda: _answer("readyz", ready))
    app.add_url_rule(metrics_path, "metrics", lambda: _metrics(registry))
    paths = ["/healthz", "/readyz", metrics_path]
    if pprof_path:
        used = sampler or Sampler()
        app.add_url_rule(pprof_path, "stacks", lambda: _stacks(used))
        paths.append(pprof_path)
    app.register_error_handler(404, lambda _: _text("".join(f"{p}\n" for p in paths), 404))
    return app


def _answer(endpoint: str, checks: Mapping[str, Check]) -> Response:
    results = run_checks(checks)
    failing = {name: why for name, why in results.items() if why is not None}
    if failing:
        _log.debug("Check failed", endpoint=endpoint, **failing)
    if not failing and "verbose" not in request.args:
        return _text("ok")
    lines = _report(results if "verbose" in request.args else failing)
    verdict = f"{endpoint} check {'failed' if failing else 'passed'}\n"
    return _text("".join([*lines, verdict]), 503 if failing else 200)


def _report(results: Mapping[str, str | None]) -> Iterable[str]:
    """The lines of kube-apiserver: `[+]name ok`, `[-]name failed: reason`."""
    for name, why in results.items():
        yield f"[+]{name} ok\n" if why is None else f"[-]{name} failed: {why}\n"


def _metrics(registry: CollectorRegistry) -> Response:
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(registry), content_type=content_type)


def _stacks(sampler: Sampler) -> Response:
    wanted = request.args.get("seconds")
    if wanted is None:
        return _text(dump())
    decimal = wanted.isascii() and wanted.isdigit() and len(wanted) <= len(str(LONGEST_PROFILE))
    if not (decimal and 1 <= int(wanted) <= LONGEST_PROFILE):
        return _text(f"seconds must be a whole number from 1 to {LONGEST_PROFILE}\n", 400)
    stacks = sampler.collapsed(int(wanted))
    if stacks is None:
        return _text("another profile is being taken, try again when it is done\n", 429)
    return _text(stacks)


def _text(body: str, status: int = 200) -> Response:
    return Response(body, status=status, content_type=_TEXT)


class HttpServer:
    """Serves an application on a thread of its own, one more thread for each request."""

    def __init__(self, endpoint: str, app: Flask) -> None:
        """Make a server that does not listen yet.

        Args:
            endpoint: `host:port`, `:port` for every address, or `[IPv6]:port`; port 0 is any.
            app: what answers.

        Raises:
            ConfigError: the endpoint is malformed.
        """
        self._endpoint = endpoint
        self._address = parse_endpoint(endpoint)
        self._app = app
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that the server listens on, which `start` chooses for port 0."""
        return self._address.port if self._server is None else self._server.port

    def start(self) -> None:
        """Listen, and answer from now on.

        Raises:
            ConfigError: the address is taken, forbidden or not of this machine.
        """
        # bound here, since werkzeug ends the process when an address is taken
        with self._bind() as bound:
            host, port = bound.getsockname()[:2]
            self._server = make_server(
                host, port, self._app, threaded=True, request_handler=_Handler, fd=bound.fileno()
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="http", daemon=True
        )
        self._thread.start()
        _log.info("Serving HTTP", endpoint=self._endpoint, port=self.port)

    def stop(self) -> None:
        """Stop listening; answers that are under way are left to end by themselves."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None

    def _bind(self) -> socket.socket:
        host, port = self._address.host, self._address.port
        try:
            if not host and socket.has_dualstack_ipv6():
                return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
            found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)  # noqa: S104
            family, _, _, _, address = found[0]
            return socket.create_server(address[:2], family=family)
        except OSError as error:
            remedy = _REMEDIES.get(error.errno or 0, "choose another address")
            raise ConfigError(
                f"--http-endpoint (env HTTP_ENDPOINT): cannot listen on {self._endpoint!r}: "
                f"{error.strerror or error}; {remedy}"
            ) from error


class _Handler(WSGIRequestHandler):
    # one request for each connection: no thread waits for a client that is silent
    protocol_version = "HTTP/1.0"
    timeout = _CLIENT_SECONDS

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: probes come every few seconds."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002, ARG002
        """Log what went wrong with a connection."""
        _log.debug("HTTP connection", peer=self.address_string(), what=message % args)
