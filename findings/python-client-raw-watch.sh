#!/usr/bin/env bash
# The Python client's watch forgets its place when it is told not to build models
#
# Version: kubernetes 37.0.2
#
# Expected: Watch().stream(..., deserialize=False) gives the same events as without it, as dictionaries
# and faster. When the server ends the connection, as it does every few minutes, the stream goes on
# after the last event. When the server says 410 Gone, the stream ends with ApiException, for which
# callers list anew.
#
# Seen: each new connection begins at the version that the caller gave at first, so all events since
# then come again and again. At last the server has forgotten that version, and its answer becomes a
# KeyError, which no caller waits for.
#   | default: asked for versions [5, 10, 15], 11 events, 11 different, caller stopped
#   | deserialize=False: asked for versions [5, 5, 5], 15 events, 10 different, KeyError: 'raw_object'
#   | default, version 5 forgotten: asked for versions [5, 5], 0 events, 0 different, ApiException 410
#
# Why it matters: dictionaries are much cheaper to read than models, so just the controllers with many
# objects are drawn to this option. A short test sees nothing, since no connection ends in it; in
# production each cycle replays more than the one before.
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check kubernetes==37.0.2

cat > finding.py <<'PY'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from kubernetes import client, watch


def added(version):
    metadata = {"name": f"name-{version}", "namespace": "default", "resourceVersion": str(version)}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    return {"type": "ADDED", "object": body}


def gone():
    status = {"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure"}
    why = {"code": 410, "reason": "Expired", "message": "too old resource version"}
    return {"type": "ERROR", "object": status | why}


class Server(BaseHTTPRequestHandler):
    """Answers each watch with the events after its version, and ends the connection."""

    protocol_version = "HTTP/1.1"
    history = []  # for each connection to come: the oldest and the newest version that are known
    asked = []

    def do_GET(self):
        version = int(parse_qs(urlsplit(self.path).query)["resourceVersion"][0])
        self.asked.append(version)
        oldest, newest = self.history.pop(0)
        known = [added(v) for v in range(version + 1, newest + 1)]
        body = [gone()] if version < oldest else known
        lines = b"".join(json.dumps(event).encode() + b"\n" for event in body)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(lines)))
        self.end_headers()
        self.wfile.write(lines)

    def log_message(self, *args):
        pass


def follow(text, api, history, **options):
    Server.history, Server.asked, versions = list(history), [], []
    end = "caller stopped"
    try:
        events = watch.Watch().stream(
            api.list_namespaced_config_map, "default", resource_version="5", **options
        )
        for event in events:
            raw = event.get("raw_object", event["object"])
            versions.append(int(raw["metadata"]["resourceVersion"]))
            if versions[-1] == 16:
                break
    except client.ApiException as error:
        end = f"ApiException {error.status}"
    except KeyError as error:
        end = f"KeyError: {error}"
    count = f"{len(versions)} events, {len(set(versions))} different"
    print(f"{text}: asked for versions {Server.asked}, {count}, {end}")


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
configuration = client.Configuration()
configuration.host = f"http://127.0.0.1:{server.server_port}"
api = client.CoreV1Api(client.ApiClient(configuration))
growing = [(1, 10), (1, 15), (12, 16)]
follow("default", api, growing)
follow("deserialize=False", api, growing, deserialize=False)
follow("default, version 5 forgotten", api, [(12, 16), (12, 16)])
PY

venv/bin/pip list --disable-pip-version-check 2> /dev/null | grep '^kubernetes '
venv/bin/python finding.py | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
