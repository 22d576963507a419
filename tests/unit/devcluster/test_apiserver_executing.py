"""`exec` over HTTP: a WebSocket client of another library, a server, and a command as a script."""

import json
import os
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import websocket
from werkzeug.serving import WSGIRequestHandler, make_server

from api.objects import JSON
from devcluster.apiserver.remotecommand import CLOSE, ERROR, RESIZE, STDERR, STDIN, STDOUT, Command
from devcluster.errors import DevclusterError
from tests.support.apiserverrig import pod_body
from tests.support.apiserverweb import Logs, Web
from tests.support.tables import cases

V4, V5 = "v4.channel.k8s.io", "v5.channel.k8s.io"
PODS = "/api/v1/namespaces/default/pods"
SECONDS = 10.0


class Script:
    """An execution whose streams are in the hands of the test."""

    def __init__(self, code: int = 0) -> None:
        self._input, taking = os.pipe()
        self._ended, self._ending = os.pipe()
        self._ours: dict[int, int] = {}
        reading: dict[int, int] = {}
        for stream in (STDOUT, STDERR):
            fd, self._ours[stream] = os.pipe()
            reading[fd] = stream
        os.set_blocking(taking, False)
        self.stdin: int | None = taking
        self.outputs: Mapping[int, int] = reading
        self.exit_code = code
        self.sizes: list[tuple[int, int]] = []
        self.closed = threading.Event()

    @property
    def ended(self) -> int:
        return self._ended

    def say(self, stream: int, text: bytes) -> None:
        os.write(self._ours[stream], text)

    def hear(self) -> bytes:
        return os.read(self._input, 1024)

    def end(self) -> None:
        # emptied first: the server closes everything as soon as it sees the end
        ours, self._ours = self._ours, {}
        for fd in (*ours.values(), self._ending):
            os.close(fd)

    def close_stdin(self) -> None:
        if self.stdin is not None:
            os.close(self.stdin)
            self.stdin = None

    def resize(self, width: int, height: int) -> None:
        self.sizes.append((width, height))

    def close(self) -> None:
        if self._ours:
            self.end()
        self.close_stdin()
        for fd in (*self.outputs, self._input, self._ended):
            os.close(fd)
        self.closed.set()


class Source(Logs):
    """Starts the script of the test."""

    def __init__(self) -> None:
        super().__init__()
        self.script: Script | None = None
        self.commands: list[tuple[str, str, Command]] = []

    def execute(self, pod: JSON, container: str, command: Command) -> Any:
        self.commands.append((pod["metadata"]["name"], container, command))
        if self.script is None:
            raise DevclusterError('exec: "nosuch": executable file not found in $PATH')
        return self.script


class Handler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        pass


class Cluster(Web):
    """A server with sockets, one running pod `p` and one waiting pod `q`."""

    def __init__(self) -> None:
        self.source = Source()
        super().__init__(self.source)
        for name, state in (("p", {"running": {}}), ("q", {"waiting": {}})):
            self.json("POST", PODS, pod_body(name, nodeName="n"))
            container = {"name": "c", "state": state, "image": "", "imageID": ""}
            container |= {"ready": False, "restartCount": 0}
            status = {"status": {"containerStatuses": [container]}}
            how = "application/merge-patch+json"
            place = f"{PODS}/{name}/status"
            assert self.json("PATCH", place, status, content_type=how)[0] == 200
        self.http = make_server(
            "127.0.0.1", 0, self.server.app, threaded=True, request_handler=Handler
        )
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()
        self.open: list[websocket.WebSocket] = []

    def exec(self, query: str, *protocols: str) -> websocket.WebSocket:
        place = f"127.0.0.1:{self.http.server_port}"
        client = websocket.create_connection(
            f"ws://{place}{PODS}/p/exec?{query}",
            timeout=SECONDS,
            subprotocols=list(protocols or (V5,)),
        )
        self.open.append(client)
        return client

    def close(self) -> None:
        for client in self.open:
            client.shutdown()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def script(cluster: Cluster) -> Iterator[Script]:
    cluster.source.script = Script()
    yield cluster.source.script
    assert cluster.source.script.closed.wait(SECONDS)


def result(client: websocket.WebSocket) -> JSON:
    data = client.recv()
    assert data[0] == ERROR
    found: JSON = json.loads(data[1:])
    return found


QUERY = "command=sh&command=-c&command=x&stdin=1&stdout=1&stderr=1"


@pytest.mark.parametrize("protocol", [V4, V5])
def test_streams_and_success(cluster: Cluster, script: Script, protocol: str) -> None:
    client = cluster.exec(QUERY, "other", protocol)
    assert client.getsubprotocol() == protocol
    script.say(STDOUT, b"out")
    assert client.recv() == bytes([STDOUT]) + b"out"
    script.say(STDERR, b"err")
    assert client.recv() == bytes([STDERR]) + b"err"
    client.send_binary(bytes([STDIN]) + b"in")
    assert script.hear() == b"in"
    script.end()
    assert result(client) == {"metadata": {}, "status": "Success"}
    assert client.recv_data() == (websocket.ABNF.OPCODE_CLOSE, b"\x03\xe8")
    asked = Command(["sh", "-c", "x"], False, frozenset({STDIN, STDOUT, STDERR}))
    assert cluster.source.commands == [("p", "c", asked)]


def test_an_exit_code_is_told(cluster: Cluster, script: Script) -> None:
    script.exit_code = 7
    client = cluster.exec(QUERY)
    script.end()
    status = result(client)
    assert (status["reason"], status["details"]) == (
        "NonZeroExitCode",
        {"causes": [{"reason": "ExitCode", "message": "7"}]},
    )
    assert status["message"] == "command terminated with non-zero exit code: exit status 7"


def test_the_end_of_the_input_is_told_by_v5(cluster: Cluster, script: Script) -> None:
    client = cluster.exec(QUERY)
    client.send_binary(bytes([STDIN]) + b"last")
    client.send_binary(bytes([CLOSE, STDIN]))
    assert script.hear() == b"last"
    assert script.hear() == b""
    script.end()
    assert result(client)["status"] == "Success"


def test_a_terminal_has_a_size(cluster: Cluster, script: Script) -> None:
    client = cluster.exec("command=sh&stdin=true&stdout=true&tty=true")
    client.send_binary(bytes([RESIZE]) + b'{"Width":80,"Height":24}')
    client.send_binary(bytes([RESIZE]) + b"nonsense")
    client.send_binary(bytes([STDIN]) + b"x")
    assert script.hear() == b"x"
    script.end()
    assert result(client)["status"] == "Success"
    assert script.sizes == [(80, 24)]
    assert cluster.source.commands[0][2].tty


def test_pings_are_answered(cluster: Cluster, script: Script) -> None:
    client = cluster.exec(QUERY)
    client.ping("are you there")
    assert client.recv_data_frame(control_frame=True)[1].data == b"are you there"
    script.end()


def test_input_waits_for_a_command_that_does_not_read(cluster: Cluster, script: Script) -> None:
    client = cluster.exec(QUERY)
    sent = bytes(range(256)) * 1024
    client.send_binary(bytes([STDIN]) + sent)
    client.send_binary(bytes([CLOSE, STDIN]))
    heard = b""
    while data := script.hear():
        heard += data
    assert heard == sent
    script.end()


def test_a_client_that_goes_ends_the_command(cluster: Cluster, script: Script) -> None:
    cluster.exec(QUERY).shutdown()
    assert script.closed.wait(SECONDS)


def test_input_that_a_command_refuses_is_dropped(cluster: Cluster, script: Script) -> None:
    client = cluster.exec(QUERY)
    os.dup2(os.open("/dev/null", os.O_RDONLY), script._input)
    client.send_binary(bytes([STDIN]) + b"nobody reads")
    client.ping()
    assert client.recv_data_frame(control_frame=True)[0] == websocket.ABNF.OPCODE_PONG
    script.end()
    assert result(client)["status"] == "Success"


def test_a_command_that_cannot_be_started(cluster: Cluster) -> None:
    status = result(cluster.exec(QUERY))
    assert (status["status"], status["reason"], status["code"]) == ("Failure", "InternalError", 500)
    assert status["message"] == (
        "Internal error occurred: error executing command in container: "
        'exec: "nosuch": executable file not found in $PATH'
    )


@cases(
    ("protocol", "query", "code"),
    {
        "no command": (V5, "stdout=1", 400),
        "no streams": (V5, "command=x", 400),
        "unknown protocol": ("v1", QUERY, 400),
        "no such container": (V5, f"{QUERY}&container=no", 400),
    },
)
def test_what_is_refused(cluster: Cluster, protocol: str, query: str, code: int) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        cluster.exec(query, protocol)
    assert caught.value.status_code == code
    assert cluster.source.commands == []


@cases(
    ("name", "code", "text"),
    {
        "SPDY": ("p", 400, "speaks WebSocket for exec, not SPDY; use kubectl 1.30 or newer"),
        "waits": ("q", 404, 'container not found ("c")'),
        "no pod": ("none", 404, 'pods "none" not found'),
    },
)
def test_what_clients_of_spdy_are_told(cluster: Cluster, name: str, code: int, text: str) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
    found = cluster.json("POST", f"{PODS}/{name}/exec?{QUERY}", headers=headers)
    assert found[0] == code
    assert text in found[1]["message"]
