"""The real program: gunicorn, TLS, a Secret that it keeps, and an orderly end."""

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.contract import FAKE
from api.objects import JSON
from api.resources import SECRETS, VALIDATING_WEBHOOKS
from testing.apiserver import MemoryApi
from testing.waiting import until
from testing.web import serving, write_kubeconfig
from tests.support.gpulike import GpuLike
from tests.support.reviews import carrier, opaque, request_body, review_body
from webhook import certificates, configuration, secret
from webhook.__main__ import main
from webhook.server import THREADS

HOST = "hook.fake-system.svc"
NAMES = (HOST, f"{HOST}.cluster.local", "hook.fake-system")
GPU = GpuLike.contract.driver_name
WRONG = review_body(
    request_body("resourceclaims", carrier("resourceclaims", opaque(GPU, {"kind": "Gpu"})))
)


class Hook:
    """A process of the webhook, and clients that trust what API servers are told to trust."""

    def __init__(self, api: MemoryApi, kubeconfig: Path, directory: Path) -> None:
        self.api = api
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        listener.close()
        flags = {
            "--https-endpoint": f"127.0.0.1:{self.port}",
            "--kubeconfig": str(kubeconfig),
            "--namespace": "fake-system",
            "--service": "hook",
            "--webhook-configuration": "hook",
            "--driver": "tests.support.gpulike:GpuLike",
            "--shutdown-delay": "1",
            "--certificate-check-period": "0.1",
        }
        command = [sys.executable, "-m", "webhook", *(part for f in flags.items() for part in f)]
        self.log = (directory / "log").open("w+", encoding="utf-8")
        root = Path(__file__).parents[3]
        self.process = subprocess.Popen(command, stderr=self.log, cwd=root)

    def connect(self) -> http.client.HTTPSConnection:
        """Open a connection as an API server would, which hears of a new bundle at once."""
        while True:
            bundle = self._bundle()
            try:
                return self._connected(bundle)
            except ssl.SSLCertVerificationError:
                if bundle == self._bundle():
                    raise

    def _bundle(self) -> str:
        bundle = configuration.trusted(self.api.find(VALIDATING_WEBHOOKS, "hook"))
        assert bundle
        return bundle

    def _connected(self, bundle: str) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cadata=bundle)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        connection = http.client.HTTPSConnection(HOST)
        connection.sock = context.wrap_socket(plain, server_hostname=HOST)
        return connection

    def kept(self) -> JSON:
        return self.api.find(SECRETS, "fake-dra-webhook-certificate", "fake-system")


def ask(connection: http.client.HTTPSConnection) -> bool:
    """Send a review that is to be denied; tell whether the connection stays open."""
    headers = {"Content-Type": "application/json"}
    connection.request("POST", configuration.PATH, WRONG, headers)
    answer = connection.getresponse()
    told = json.loads(answer.read())["response"]["status"]["message"]
    assert (answer.status, "Must be equal to GpuConfig" in told) == (200, True)
    return not answer.will_close


def ready(hook: Hook) -> int:
    try:
        with closing(hook.connect()) as connection:
            connection.request("GET", "/readyz")
            return connection.getresponse().status
    except OSError as error:
        raise LookupError("not served yet") from error


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[Hook]:
    api = MemoryApi()
    drivers = [FAKE.driver_name, GPU]
    config = configuration.configuration("hook", "hook", "fake-system", drivers)
    api.put(VALIDATING_WEBHOOKS, config)
    with serving(api.app) as url:
        made = Hook(api, write_kubeconfig(url, tmp_path / "kubeconfig"), tmp_path)
        try:
            until("the webhook", lambda: ready(made) == 200, 20)
            yield made
        finally:
            made.process.kill()
            made.process.wait()
            made.log.close()


def rotate(hook: Hook) -> str:
    """Make it the moment in which the next certificate takes over; return that certificate."""
    kept = secret.read(hook.kept())
    assert kept is not None
    now = datetime.now(UTC)
    coming = certificates.make(NAMES, now, timedelta(days=90))
    due = replace(kept, coming=coming, since=now - timedelta(hours=1))
    wanted = secret.write(due, "fake-dra-webhook-certificate", "fake-system", hook.kept())
    hook.api.update(SECRETS, wanted)
    return coming.certificate


def served(hook: Hook) -> str:
    with closing(hook.connect()) as connection:
        der = connection.sock.getpeercert(binary_form=True)
    assert der
    return ssl.DER_cert_to_PEM_cert(der)


@pytest.mark.timeout(120)
def test_rotates_under_way_and_drains(hook: Hook) -> None:
    """Clients ask without a pause while the certificate changes and while the program ends."""
    stop, asked = threading.Event(), [0, 0]

    def client(number: int) -> None:
        while not stop.is_set():
            with closing(hook.connect()) as connection:
                while ask(connection) and asked[number] % 5:
                    asked[number] += 1
                asked[number] += 1

    with ThreadPoolExecutor() as pool:
        clients = [pool.submit(client, number) for number in range(2)]
        try:
            coming = rotate(hook)
            until("the next certificate", lambda: served(hook) == coming, 30)
            before = min(asked)
            until("requests by it", lambda: min(asked) > before + 20, 30)
            with closing(hook.connect()) as connection:
                assert ask(connection)
                hook.process.send_signal(signal.SIGTERM)
                until("to be not ready", lambda: ready(hook) == 503, 5)
                ask(connection)
        finally:
            stop.set()
    assert [each.result() for each in clients] == [None, None]
    assert hook.process.wait(15) == 0


def test_a_client_that_says_nothing_keeps_no_thread(hook: Hook) -> None:
    silent = [socket.create_connection(("127.0.0.1", hook.port)) for _ in range(THREADS)]
    for each in silent:
        each.sendall(b"\x16\x03")  # begins a handshake
    with closing(hook.connect()) as connection:
        assert ask(connection)
    for each in silent:
        each.close()


def test_a_worker_that_was_killed_is_replaced(hook: Hook) -> None:
    children = Path(f"/proc/{hook.process.pid}/task/{hook.process.pid}/children")
    [worker] = children.read_text(encoding="utf-8").split()
    os.kill(int(worker), signal.SIGKILL)
    until("another worker", lambda: children.read_text().split() not in ([], [worker]), 15)
    until("the webhook again", lambda: ready(hook) == 200, 15)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--tls-cert-file", "a"], "go together"),
        (["--https-endpoint", "nowhere"], "--https-endpoint (env HTTPS_ENDPOINT)"),
        (["--driver", "tests.support.gpulike:Silent"], "no method validate"),
        (["--driver", "no.such:Driver"], "no module no"),
    ],
    ids=["half-a-pair", "endpoint", "driver-without-parameters", "no-driver"],
)
def test_settings_that_cannot_work_are_told(arguments: list[str], told: str) -> None:
    pair = ["--tls-cert-file", "a", "--tls-private-key-file", "b"]
    given = arguments if "--tls-cert-file" in arguments else [*pair, *arguments]
    answer = CliRunner().invoke(main, given)
    assert answer.exit_code in (1, 2)
    assert told in answer.output
