"""Stop and start of nodes and plugins, by users: a path of the cluster's server, and its client.

The server takes POST /devcluster/ACTION/NODE from everybody, as its API does, and answers with a
sentence. The client finds it through the kubeconfig in the state directory.
"""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from flask import Flask, Response

from devcluster.errors import ControlFailed, DevclusterError
from devcluster.virtualnodes import VirtualNodes

SECONDS: Final = 30.0

_PATH: Final = "/devcluster"
_ACTIONS: Final[Mapping[str, tuple[Callable[[VirtualNodes, str], bool], str, str]]] = {
    "stop-plugin": (VirtualNodes.stop_plugin, "plugin of {} stopped", "has no plugin that runs"),
    "start-plugin": (VirtualNodes.start_plugin, "plugin of {} starts", "has its plugin running"),
    "stop-node": (VirtualNodes.stop_node, "{} stopped", "is stopped already"),
    "start-node": (VirtualNodes.start_node, "{} starts", "runs already"),
}
"""What to do, what to say when it is done, and when there was nothing to do."""


def add_controls(app: Flask, nodes: Callable[[], VirtualNodes | None]) -> None:
    """Make an application take the actions; `nodes` returns None while the cluster starts."""

    def act(action: str, node: str) -> Response:
        code, text = perform(nodes(), action, node)
        return Response(f"{text}\n", status=code, content_type="text/plain; charset=utf-8")

    app.add_url_rule(f"{_PATH}/<action>/<node>", "control", act, methods=["POST"])


def perform(nodes: VirtualNodes | None, action: str, node: str) -> tuple[int, str]:
    """Do an action; return an HTTP status and a sentence."""
    if action not in _ACTIONS:
        return 404, f"there is no action {action!r}; there are {', '.join(_ACTIONS)}"
    if nodes is None:
        return 503, "the cluster is starting; try again"
    act, done, idle = _ACTIONS[action]
    try:
        return 200, done.format(f"node {node}") if act(nodes, node) else f"node {node} {idle}"
    except DevclusterError as error:
        return 409, str(error)


def request_control(state_dir: Path, action: str, node: str) -> str:
    """Have the cluster of a state directory do something; return what it says.

    Raises:
        ControlFailed: no cluster runs there, or it refuses.
    """
    try:
        content = json.loads((state_dir / "kubeconfig").read_text(encoding="utf-8"))
    except OSError as error:
        raise ControlFailed(
            f"no cluster runs in {state_dir}; name the directory of one with --state-dir"
        ) from error
    server = content["clusters"][0]["cluster"]["server"]
    try:
        code, text = _post(urlsplit(server).netloc, f"{_PATH}/{action}/{quote(node, safe='')}")
    except (OSError, HTTPException) as error:
        raise ControlFailed(
            f"the cluster of {state_dir} does not answer at {server}: {error}; start it again"
        ) from error
    if code != HTTPStatus.OK:
        raise ControlFailed(text)
    return text


def _post(place: str, path: str) -> tuple[int, str]:
    connection = HTTPConnection(place, timeout=SECONDS)
    try:
        connection.request("POST", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace").strip()
    finally:
        connection.close()
