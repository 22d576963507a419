"""Measures the admission webhook: reviews at a steady rate, beside pings of the same server.

Requests are due at fixed times, whether those before were answered or not, so that a wait of one
counts for all that it holds up. The webhook has one core.
"""

import http.client
import json
import socket
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from api.contract import FAKE
from bench.concurrency import concurrently
from bench.errors import NotSeen
from bench.figures import Webhook
from bench.procfs import usage
from bench.programs import Program
from bench.settings import Amount
from bench.statistics import Latency
from testing.objects import claim_body
from webhook import certificates
from webhook.configuration import PATH

RATE: Final = 200
"""Requests a second."""

_CONNECTIONS: Final = 8
_HOST: Final = "localhost"
_START_SECONDS: Final = 30.0
_HEADERS: Final[Mapping[str, str]] = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class _Server:
    port: int
    trust: ssl.SSLContext

    def connect(self) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection(_HOST, self.port, context=self.trust, timeout=10)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def measure(amount: Amount, directory: Path) -> Webhook:
    """Return how long reviews and pings take at the same rate.

    Raises:
        NotSeen: the webhook does not answer, or not what it should.
    """
    directory.mkdir(parents=True)
    pair = certificates.make((_HOST,), datetime.now(UTC), timedelta(days=1))
    (directory / "tls.crt").write_text(pair.certificate, encoding="utf-8")
    (directory / "tls.key").write_text(pair.key, encoding="utf-8")
    server = _Server(_free_port(), ssl.create_default_context(cadata=pair.authority))
    settings = {
        "HTTPS_ENDPOINT": f"127.0.0.1:{server.port}",
        "TLS_CERT_FILE": str(directory / "tls.crt"),
        "TLS_PRIVATE_KEY_FILE": str(directory / "tls.key"),
        "SHUTDOWN_DELAY": "0",
        # as in production, where denials are few
        "V": "1",
    }
    command = ("taskset", "1", sys.executable, "-P", "-m", "webhook")
    log = directory / "webhook.log"
    with Program("webhook", command, log, settings) as program:
        _await(server, program)
        _rate(server, _ping, amount.reviews // 4)
        ping = _rate(server, _ping, amount.reviews)
        before = _cpu_seconds(program.pid)
        review = _rate(server, _review, amount.reviews)
        cpu_ms = 1000 * (_cpu_seconds(program.pid) - before) / amount.reviews
        return Webhook(RATE, review, ping, cpu_ms)


def _rate(
    server: _Server, ask: Callable[[http.client.HTTPSConnection], None], count: int
) -> Latency:
    began = time.monotonic() + 0.2
    due: SimpleQueue[float] = SimpleQueue()
    for number in range(count):
        due.put(began + number / RATE)
    each = concurrently(partial(_client, server, ask), [due] * _CONNECTIONS, _CONNECTIONS)
    return Latency.of(seconds for found in each for seconds in found)


def _client(
    server: _Server,
    ask: Callable[[http.client.HTTPSConnection], None],
    due: SimpleQueue[float],
) -> list[float]:
    found: list[float] = []
    with closing(server.connect()) as connection:
        while True:
            try:
                at = due.get_nowait()
            except Empty:
                return found
            time.sleep(max(at - time.monotonic(), 0.0))
            ask(connection)
            found.append(time.monotonic() - at)


def _ping(connection: http.client.HTTPSConnection) -> None:
    connection.request("GET", "/healthz")
    if connection.getresponse().read() != b"ok":
        raise NotSeen("the webhook is not healthy; see webhook.log")


def _review(connection: http.client.HTTPSConnection) -> None:
    connection.request("POST", PATH, _REVIEW, _HEADERS)
    response = json.loads(connection.getresponse().read())["response"]
    if response["status"]["code"] != 422:
        raise NotSeen(f"the webhook answered {response}")


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of the one worker process of gunicorn."""
    (worker,) = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return usage(int(worker)).cpu_seconds


def _await(server: _Server, program: Program) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        program.check()
        try:
            with closing(server.connect()) as connection:
                return _ping(connection)
        except OSError as error:
            if time.monotonic() > end:
                raise NotSeen(f"the webhook does not answer: {error}") from error
            time.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _body() -> bytes:
    """Return a review that is refused, which takes longer than to let one pass."""
    driver = FAKE.driver_name
    claim = claim_body("bench", parameters={"kind": "FakeClaimParameters"}, driver=driver)
    request = {
        "uid": "bench",
        "operation": "CREATE",
        "kind": {"kind": "ResourceClaim"},
        "resource": {"group": "resource.k8s.io", "version": "v1", "resource": "resourceclaims"},
        "object": claim,
    }
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return json.dumps(review).encode()


_REVIEW: Final = _body()
