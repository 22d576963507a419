"""What is answered over HTTP: to whom, how it is protected, and what clicks ask for."""

import re
import sys
import threading
from html.parser import HTMLParser

import pytest
from flask.testing import FlaskClient

from tests.support.allocationworld import DRIVER, device, drawing
from tests.support.tables import cases
from tests.support.uirig import UiRig
from tests.support.waitingpods import CASES, Cluster
from ui.app import Shown, create_app
from ui.explaining import LIBRARY
from ui.hosts import Hosts

PATHS = ["/", "/assets/main.js", "/api/card", "/no/such/page"]
CARD = {"name": "card", "counters": {"units": {"value": "16"}}}


def page(cluster: Cluster) -> FlaskClient:
    """Return a browser at the page of a cluster."""
    rig = UiRig(cluster)
    rig.look()
    shown = Shown(rig.board, rig.details, rig.explaining, lambda: rig.now, threading.Event())
    return create_app(shown, Hosts.of("127.0.0.1", ())).test_client()


@pytest.fixture
def client() -> FlaskClient:
    return page(Cluster())


class Markup(HTMLParser):
    """Collects what a policy forbids in a page, and what the page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.inline: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        self.inline += [tag] if tag == "style" or (tag == "script" and "src" not in given) else []
        if tag in ("script", "link", "img"):
            self.loaded.append(given.get("src") or given.get("href") or "")


def test_the_page_is_whole_and_of_its_own(client: FlaskClient) -> None:
    """It runs without a network and under its policy: all that it names is served here."""
    markup, todo, seen = Markup(), ["/"], set[str]()
    while todo:
        path = todo.pop()
        seen.add(path)
        answer = client.get(path)
        assert answer.status_code == 200, path
        if path == "/":
            markup.feed(answer.text)
            todo += [f"/{each}" for each in markup.loaded]
        named = re.findall(r'from "\./([^"]+)"', answer.text) if path.endswith(".js") else []
        todo += [f"/assets/{each}" for each in named if f"/assets/{each}" not in seen]
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", answer.text), path
    assert markup.inline == []
    assert {each.rpartition(".")[2] for each in seen} == {"/", "js", "css", "svg"}


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_protected(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert {"script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} <= {*policy}
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("path", [*PATHS, "/events"])
@cases(
    "headers",
    {
        "rebound": {"Host": "evil.example.com"},
        "other-origin": {"Origin": "http://evil.example.com"},
    },
)
def test_others_get_nothing(client: FlaskClient, path: str, headers: dict[str, str]) -> None:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 403
    assert [*answer.get_json()] == ["error"]


@pytest.mark.parametrize("path", [*PATHS[:3], "/events"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_changed(client: FlaskClient, path: str, method: str) -> None:
    assert client.open(path, method=method).status_code == 405


@pytest.mark.parametrize("name", ["../app.py", "nothing.js", "%2e%2e/app.py", "main.py"])
def test_no_other_file_is_served(client: FlaskClient, name: str) -> None:
    assert client.get(f"/assets/{name}").status_code == 404


def test_files_are_asked_for_again_and_not_sent_again(client: FlaskClient) -> None:
    first = client.get("/assets/main.js")
    again = client.get("/assets/main.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.headers["Cache-Control"], again.status_code) == ("no-cache", 304)


def test_a_card_with_its_devices() -> None:
    cluster = Cluster()
    cluster.gpus("node-1", count=2, sharedCounters=[CARD])
    whole = {**drawing("whole", 16), "attributes": {"model": {"string": "h100"}}}
    cluster.gpus("node-1", whole, drawing("half-0", 8), drawing("half-1", 8), count=2)
    cluster.claim("train")
    cluster.hold("train", "node-1/half-0", by="trainer")
    query = {"driver": DRIVER, "pool": "node-1", "card": "card"}
    found = page(cluster).get("/api/card", query_string=query).get_json()
    assert (found["where"], found["counters"]) == ("node-1", [["card units", "8 of 16"]])
    by_name = {each["name"]: each for each in found["devices"]}
    assert by_name["whole"]["attributes"] == [["model", "h100"]]
    assert by_name["whole"]["taken"] == "counter units of card: 16 wanted, 8 left"
    assert by_name["half-0"]["draws"] == [["card units", "8"]]
    holder = {"claim": "default/train", "since": "2026-11-29T09:00:00Z", "admin": False}
    assert by_name["half-0"]["holders"] == [{**holder, "consumed": []}]
    assert (by_name["half-1"]["taken"], by_name["half-1"]["holders"]) == ("", [])


@cases(
    ("attribute", "text"),
    {
        "string": ({"string": "h100"}, "h100"),
        "int": ({"int": 0}, "0"),
        "bool": ({"bool": False}, "false"),
        "version": ({"version": "1.2.3"}, "1.2.3"),
    },
)
def test_attributes_of_every_type(attribute: dict[str, object], text: str) -> None:
    cluster = Cluster()
    cluster.gpus("node-1", device("gpu-0", attributes={"x": attribute}))
    query = {"driver": DRIVER, "pool": "node-1", "card": "gpu-0"}
    found = page(cluster).get("/api/card", query_string=query).get_json()
    assert found["devices"][0]["attributes"] == [["x", text]]


def test_no_such_card(client: FlaskClient) -> None:
    assert client.get("/api/card?driver=a&pool=b&card=c").status_code == 404


@cases(
    ("case", "summary"),
    {
        "in-use": ("inuse", "no node has the devices that its claims ask for"),
        "taint": ("taint", "no node has the devices that its claims ask for"),
        "fits": ("fits", "2 of 2 nodes"),
        "no-class": ("noclass", "class"),
    },
)
def test_pods_are_explained_as_the_command_does(case: str, summary: str) -> None:
    cluster = Cluster()
    CASES[case].make(cluster)
    found = page(cluster).get("/api/explain/pod/default/waiting").get_json()
    told = CASES[case].output()
    assert f"pod default/waiting: {found['summary']}" in told
    for each in (*found["helps"], *(line for says, _ in found["nodes"] for line in says)):
        assert each in told
    assert found["fits"] is (CASES[case].code == 0)
    assert cluster.writes() == []


def test_claims_and_classes_are_explained() -> None:
    cluster = Cluster()
    cluster.gpus("node-1")
    cluster.claim("left")
    cluster.hold("left", "node-1/gpu-0")
    browser = page(cluster)
    claim = browser.get("/api/explain/claim/default/left").get_json()
    assert claim["cause"] == "held-by-nobody"
    found = browser.get("/api/explain/class/gpu").get_json()
    assert found["offers"] == [["node-1", 2, 2, 1]]


def test_what_is_not_there_cannot_be_explained(client: FlaskClient) -> None:
    answer = client.get("/api/explain/pod/default/nobody")
    assert answer.status_code == 404
    assert "there is no Pod nobody in namespace default" in answer.get_json()["error"]


def test_without_the_library_for_cel_all_but_explanations_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster()
    CASES["inuse"].make(cluster)
    browser = page(cluster)
    monkeypatch.setitem(sys.modules, "explain.run", None)
    answer = browser.get("/api/explain/pod/default/waiting")
    assert answer.get_json() == {"summary": LIBRARY, "fits": None}
    query = {"driver": DRIVER, "pool": "node-1", "card": "gpu-0"}
    assert browser.get("/api/card", query_string=query).status_code == 200
