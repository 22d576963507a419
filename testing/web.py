"""Serves a WSGI application over HTTP, for programs that are processes or have a kubeconfig."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from devcluster.cluster import kubeconfig


class _Handler(WSGIRequestHandler):
    """Keeps its thoughts to itself."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """Serve on a port of this machine; yields the URL. Watches have to end before it is left."""
    web = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Handler)
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{web.server_port}"
    finally:
        web.shutdown()
        thread.join(10)
        web.server_close()


def write_kubeconfig(url: str, path: Path) -> Path:
    """Write the kubeconfig of a server that asks nobody who they are; return its path."""
    path.write_text(json.dumps(kubeconfig(url)), encoding="utf-8")
    return path
