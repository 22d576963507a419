"""The programs listen where --http-endpoint says and nowhere else, and give away no secrets."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from werkzeug.serving import make_server

from api.contract import FAKE
from api.resources import NODES
from devcluster.apiserver.server import ApiServer
from devcluster.manifests import SYSTEM_NAMESPACE, install
from kube.client import Client
from ops.health import HttpServer, Pages, create_pages
from testing.waiting import until
from tests.support.apiserverweb import Logs
from tests.support.build import node
from tests.support.listening import listeners

ROOT = Path(__file__).parents[3]
TOKEN = "token-that-nobody-may-see"
SECRET = "value-of-a-variable"
PATHS = (
    "/metrics",
    "/healthz",
    "/healthz?verbose",
    "/readyz",
    "/readyz?verbose",
    "/debug/pprof",
    "/debug/pprof?seconds=1",
    "/none",
)
PROGRAMS = pytest.mark.parametrize("module", ["controller", "plugin"])


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory whose path leaves room for the names of sockets."""
    with tempfile.TemporaryDirectory(prefix="p") as name:
        yield Path(name)


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[Path]:
    """A kubeconfig with a token, for an API server with the driver's objects and one node."""
    logs = Logs()
    server = ApiServer(logs=logs, commands=logs)
    wsgi = make_server("127.0.0.1", 0, server.app, threaded=True)
    thread = threading.Thread(target=wsgi.serve_forever, args=(0.05,))
    thread.start()
    path = tmp_path / "of-the-administrator.kubeconfig"
    path.write_text(json.dumps(credentials(f"http://127.0.0.1:{wsgi.server_port}")))
    try:
        with made(path) as client:
            install(client, FAKE.driver_name)
            client.create(NODES, node())
        yield path
    finally:
        server.stop()
        wsgi.shutdown()
        thread.join()
        wsgi.server_close()


def credentials(server: str) -> object:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "someone", "user": {"token": TOKEN}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "someone"}}],
        "current-context": "x",
    }


@contextmanager
def made(kubeconfig: Path) -> Iterator[Client]:
    client = Client.from_kubeconfig(str(kubeconfig), qps=0, burst=1, user_agent="test")
    try:
        yield client
    finally:
        client.close()


@dataclass(frozen=True)
class Running:
    """A program that runs."""

    pid: int
    output: Path

    @property
    def log(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def says(self, text: str) -> None:
        until(f"{text!r} in the log", lambda: text in self.log, 20)


@contextmanager
def running(module: str, root: Path, kubeconfig: Path, endpoint: str) -> Iterator[Running]:
    """Run a program and end it in order."""
    registry, output = root / "registry", root / "log"
    registry.mkdir()
    env = {
        "KUBECONFIG": str(kubeconfig),
        "POD_NAMESPACE": SYSTEM_NAMESPACE,
        "HTTP_ENDPOINT": endpoint,
        "PPROF_PATH": "/debug/pprof",
        "V": "10",
        "NODE_NAME": "node-1",
        "CDI_ROOT": str(root / "cdi"),
        "KUBELET_REGISTRAR_DIRECTORY_PATH": str(registry),
        "KUBELET_PLUGINS_DIRECTORY_PATH": str(root / "plugins"),
        "OF_SOMEBODY_ELSE": SECRET,
    }
    with output.open("wb") as log:
        command = [sys.executable, "-m", module]
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **env}, stdout=log, stderr=log
        )
    try:
        yield Running(process.pid, output)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def ask(port: int, path: str) -> str:
    """Return all that is answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return f"{answer.getheaders()}\n{answer.read().decode()}"
    finally:
        connection.close()


@PROGRAMS
def test_pages_have_no_secrets(short_path: Path, kubeconfig: Path, module: str) -> None:
    with running(module, short_path, kubeconfig, "127.0.0.1:0") as program:
        program.says("Serving HTTP")
        port = int(re.findall(r"port=(\d+)", program.log)[0])
        assert listeners(program.pid) == {("127.0.0.1", port)}
        answers = {path: ask(port, path) for path in PATHS}
    assert "rest_client_requests_total" in answers["/metrics"]
    assert re.search(r"\[[-+]\]\w+", answers["/readyz?verbose"]), "no check is named"
    assert "Thread MainThread" in answers["/debug/pprof"]
    for text in (*answers.values(), program.log):
        for secret in (TOKEN, SECRET, "someone"):
            assert secret not in text
    for text in answers.values():
        assert kubeconfig.name not in text
        assert str(short_path) not in text


@PROGRAMS
def test_without_an_endpoint_nothing_listens(
    short_path: Path, kubeconfig: Path, module: str
) -> None:
    with running(module, short_path, kubeconfig, "") as program:
        # the last words before it waits for its end
        program.says("leading" if module == "controller" else "Status of the NodeAllocationState")
        assert listeners(program.pid) == set()
    assert "Serving HTTP" not in program.log


@pytest.fixture
def pages() -> Pages:
    return create_pages(live={}, ready={}, registry=CollectorRegistry())


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [("127.0.0.1:0", "127.0.0.1"), ("127.0.0.2:0", "127.0.0.2"), ("[::1]:0", "::1"), (":0", "::")],
)
def test_it_listens_on_the_address_that_was_given(
    pages: Pages, endpoint: str, address: str
) -> None:
    if ":" in address and not socket.has_dualstack_ipv6():
        pytest.skip("there is no IPv6 here")
    before = listeners(os.getpid())
    server = HttpServer(endpoint, pages)
    server.start()
    try:
        assert listeners(os.getpid()) - before == {(address, server.port)}
    finally:
        server.stop()
    assert listeners(os.getpid()) == before
