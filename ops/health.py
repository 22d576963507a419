"""What a program tells over HTTP: alive, ready, metrics, and what its threads do.

Pages by path on a threaded server of the standard library inside the process; gunicorn would fork,
and a fork has neither the threads nor the caches that the answers are about, and flask would add a
tenth to the memory of a plugin. The endpoints are those of every Kubernetes component, for the
kubelet's probes, Prometheus and curl. No TLS and no authentication: they tell nothing secret, and
they change nothing.
"""

import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs, urlsplit

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from ops.checks import Check, run_checks
from ops.endpoint import listen, parse_endpoint
from ops.logs import get_logger
from ops.stacks import Sampler, dump

LONGEST_PROFILE: Final = 60
"""Seconds."""

_TEXT: Final = "text/plain; charset=utf-8"

_CLIENT_SECONDS: Final = 30
_POLL_SECONDS: Final = 0.1

_log = get_logger("health")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request.

    Attributes:
        query: values by name; of several the first, an empty one for a name alone.
        accept: the header.
    """

    query: Mapping[str, str]
    accept: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    body: bytes
    status: int = 200
    content_type: str = _TEXT


Page: TypeAlias = Callable[[Asked], Answer]


class Pages:
    """Pages by path; any other path is answered with a list of them."""

    def __init__(self, pages: Mapping[str, Page]) -> None:
        """Serve `pages`."""
        self._pages = pages

    def answer(self, target: str, accept: str = "") -> Answer:
        """Answer a request of a path with its query."""
        url = urlsplit(target)
        page = self._pages.get(url.path)
        if page is None:
            return _text("".join(f"{path}\n" for path in self._pages), 404)
        query = parse_qs(url.query, keep_blank_values=True)
        return page(Asked({name: values[0] for name, values in query.items()}, accept))


def create_pages(
    *,
    live: Mapping[str, Check],
    ready: Mapping[str, Check],
    registry: CollectorRegistry,
    metrics_path: str = "/metrics",
    pprof_path: str = "",
    sampler: Sampler | None = None,
) -> Pages:
    """Make the pages of a program.

    Args:
        live: checks of /healthz by name; the kubelet restarts the container when one fails.
        ready: checks of /readyz by name.
        registry: what the metrics path shows.
        metrics_path: URL path with its slash.
        pprof_path: URL path of the threads' stacks; empty is off.
        sampler: profiles for `?seconds=`.

    Returns:
        Pages that answer 200, or 503 with the names and reasons of the failing checks; `?verbose`
        lists all of them.
    """
    pages: dict[str, Page] = {
        "/healthz": lambda asked: _checked("healthz", live, asked),
        "/readyz": lambda asked: _checked("readyz", ready, asked),
        metrics_path: lambda asked: _metrics(registry, asked),
    }
    if pprof_path:
        used = sampler or Sampler()
        pages[pprof_path] = lambda asked: _stacks(used, asked)
    return Pages(pages)


def _checked(endpoint: str, checks: Mapping[str, Check], asked: Asked) -> Answer:
    results = run_checks(checks)
    failing = {name: why for name, why in results.items() if why is not None}
    if failing:
        _log.debug("Check failed", endpoint=endpoint, **failing)
    if not failing and "verbose" not in asked.query:
        return _text("ok")
    lines = _report(results if "verbose" in asked.query else failing)
    verdict = f"{endpoint} check {'failed' if failing else 'passed'}\n"
    return _text("".join([*lines, verdict]), 503 if failing else 200)


def _report(results: Mapping[str, str | None]) -> Iterable[str]:
    """The lines of kube-apiserver: `[+]name ok`, `[-]name failed: reason`."""
    for name, why in results.items():
        yield f"[+]{name} ok\n" if why is None else f"[-]{name} failed: {why}\n"


def _metrics(registry: CollectorRegistry, asked: Asked) -> Answer:
    encode, content_type = choose_encoder(asked.accept)
    return Answer(encode(registry), content_type=content_type)


def _stacks(sampler: Sampler, asked: Asked) -> Answer:
    wanted = asked.query.get("seconds")
    if wanted is None:
        return _text(dump())
    decimal = wanted.isascii() and wanted.isdigit() and len(wanted) <= len(str(LONGEST_PROFILE))
    if not (decimal and 1 <= int(wanted) <= LONGEST_PROFILE):
        return _text(f"seconds must be a whole number from 1 to {LONGEST_PROFILE}\n", 400)
    stacks = sampler.collapsed(int(wanted))
    if stacks is None:
        return _text("another profile is being taken, try again when it is done\n", 429)
    return _text(stacks)


def _text(body: str, status: int = 200) -> Answer:
    return Answer(body.encode(), status)


class HttpServer:
    """Serves pages on a thread of its own, one more thread for each request."""

    def __init__(self, endpoint: str, pages: Pages) -> None:
        """Make a server that does not listen yet.

        Args:
            endpoint: `host:port`, `:port` for every address, or `[IPv6]:port`; port 0 is any.
            pages: what answers.

        Raises:
            ConfigError: the endpoint is malformed.
        """
        self._endpoint = endpoint
        self._address = parse_endpoint(endpoint)
        self._pages = pages
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that the server listens on, which `start` chooses for port 0."""
        return self._address.port if self._server is None else self._server.server_port

    def start(self) -> None:
        """Listen, and answer from now on.

        Raises:
            ConfigError: the address is taken, forbidden or not of this machine.
        """
        self._server = _Server(listen(self._endpoint), self._pages)
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
            self._server.server_close()
            self._thread = None


class _Server(ThreadingHTTPServer):
    # whoever is being answered when the program ends is not waited for
    block_on_close = False

    def __init__(self, bound: socket.socket, pages: Pages) -> None:
        super().__init__(bound.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = bound
        self.server_port = bound.getsockname()[1]
        self.pages = pages

    def handle_error(self, _request: Any, client_address: Any) -> None:
        """Log what went wrong with a connection."""
        _log.debug("HTTP connection failed", peer=client_address[0])


class _Handler(BaseHTTPRequestHandler):
    # one request for each connection: no thread waits for a client that is silent
    protocol_version = "HTTP/1.0"
    timeout = _CLIENT_SECONDS
    server: _Server

    def do_GET(self) -> None:
        """Answer with a page."""
        answer = self.server.pages.answer(self.path, self.headers.get("Accept", ""))
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_HEAD = do_GET  # noqa: N815 - likewise

    def do_POST(self) -> None:
        """Refuse, since nothing can be changed."""
        self.send_error(405)

    do_PUT = do_PATCH = do_DELETE = do_POST  # noqa: N815 - likewise

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: probes come every few seconds."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Log what went wrong with a connection."""
        _log.debug("HTTP connection", peer=self.address_string(), what=format % args)
