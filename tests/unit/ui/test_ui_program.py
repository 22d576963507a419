"""The real program: gunicorn on loopback, a stream of events, and an orderly end."""

import http.client
import json
import os
import signal
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from api.objects import JSON
from api.resources import SECRETS
from cli.__main__ import main
from testing.apiserver import READS
from testing.waiting import until
from testing.web import serving, write_kubeconfig
from tests.support.uipage import HOST, shown
from tests.support.waitingpods import Cluster


class Stream:
    """A page that listens."""

    def __init__(self, port: int, last: str = "") -> None:
        self.connection = http.client.HTTPConnection(HOST, port, timeout=20)
        headers = {"Last-Event-ID": last} if last else {}
        try:
            self.connection.request("GET", "/events", headers=headers)
            self.answer = self.connection.getresponse()
        except OSError:
            self.connection.close()
            raise
        assert self.answer.headers["Content-Type"].startswith("text/event-stream")
        self.last = last

    def close(self) -> None:
        self.answer.close()
        self.connection.close()

    def event(self) -> tuple[str, Any]:
        """Return name and data of the next event."""
        fields: dict[str, str] = {}
        while True:
            raw = self.answer.readline()
            if not raw:
                raise ConnectionResetError("the stream has ended")
            line = raw.decode().rstrip("\n")
            if not line and "data" in fields:
                self.last = fields.get("id", self.last)
                return fields.get("event", "message"), json.loads(fields["data"])
            name, _, value = line.partition(": ")
            fields[name] = value

    def until(self, kind: str, key: str) -> JSON:
        """Return the next entry of a place."""
        while True:
            name, data = self.event()
            for place, entry in data if name == "message" else ():
                if place == [kind, key] and entry is not None:
                    found: JSON = entry
                    return found

    def whole(self) -> "Stream":
        """Read until everything is there."""
        while self.until("cluster", "")["waiting"]:
            pass
        return self


@pytest.fixture
def cluster() -> Cluster:
    found = Cluster()
    found.gpus("node-1")
    found.claim("train")
    return found


def part(entry: JSON) -> list[Any]:
    return [each.get("p") for pool in entry["pools"] for each in pool["cards"]]


@pytest.mark.timeout(90)
def test_a_page_follows_the_cluster(cluster: Cluster, tmp_path: Path) -> None:
    with shown(cluster, tmp_path) as page:
        with closing(Stream(page.port)) as stream:
            stream.whole()
            began = time.monotonic()
            cluster.hold("train", "node-1/gpu-1", by="trainer")
            used = [{"n": "gpu-1", "s": "used", "c": ["default/train"]}]
            assert part(stream.until("node", "node-1")) == [None, used]
            took = time.monotonic() - began
            assert took < 5, "500 ms are the goal, of a machine that has nothing else to do"
            last = stream.last
        cluster.hold("train", "node-1/gpu-0", by="trainer")
        with closing(Stream(page.port, last)) as again:
            name, data = again.event()
            assert name == "message", "a page that comes back is told what it missed, not all"
            assert {tuple(place) for place, _ in data} <= {
                ("node", "node-1"),
                ("claim", "default/train"),
            }
        assert cluster.writes() == []
        assert {verb for verb, *_ in cluster.calls} <= READS
        assert SECRETS.plural not in {plural for _, plural, _ in cluster.calls}
        with closing(Stream(page.port, "7")) as anew:
            assert anew.event()[0] == "anew", "numbers of another process mean nothing"


@pytest.mark.timeout(90)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
def test_it_ends_at_once_though_a_page_is_open(
    cluster: Cluster, tmp_path: Path, number: int
) -> None:
    with shown(cluster, tmp_path) as page, closing(Stream(page.port).whole()):
        began = time.monotonic()
        assert page.ends(number) == 0
        assert time.monotonic() - began < 15, "gunicorn waits for answers that don't end"


@pytest.mark.timeout(90)
def test_a_worker_that_was_killed_is_replaced(cluster: Cluster, tmp_path: Path) -> None:
    with shown(cluster, tmp_path) as page:
        with closing(Stream(page.port).whole()) as stream:
            last = stream.last
            os.kill(page.worker(), signal.SIGKILL)

        def back() -> bool:
            try:
                with closing(Stream(page.port, last)) as again:
                    return again.event()[0] == "anew"
            except OSError:
                return False

        until("the page again", back, 30)


@pytest.mark.timeout(90)
def test_others_are_refused_by_the_program(cluster: Cluster, tmp_path: Path) -> None:
    with shown(cluster, tmp_path, "--allowed-host", "dra.example.com") as page:
        for host, status in (("dra.example.com", 200), ("evil.example.com", 403)):
            with closing(http.client.HTTPConnection(HOST, page.port, timeout=20)) as connection:
                connection.request("GET", "/", headers={"Host": host})
                with closing(connection.getresponse()) as answer:
                    assert answer.status == status, host


def test_settings_that_cannot_work_are_told(tmp_path: Path) -> None:
    with serving(Cluster().app) as url:
        kubeconfig = str(write_kubeconfig(url, tmp_path / "kubeconfig"))
        flags = ["ui", "--kubeconfig", kubeconfig, "--listen", "nowhere"]
        answer = CliRunner().invoke(main, flags)
    assert answer.exit_code == 2
    assert "--listen (env UI_LISTEN)" in answer.output


@pytest.mark.timeout(90)
def test_an_api_server_that_is_away_is_told(tmp_path: Path) -> None:
    kubeconfig = str(write_kubeconfig("http://127.0.0.1:1", tmp_path / "kubeconfig"))
    answer = CliRunner().invoke(main, ["ui", "--kubeconfig", kubeconfig])
    assert answer.exit_code == 1
    assert "127.0.0.1:1" in answer.output
