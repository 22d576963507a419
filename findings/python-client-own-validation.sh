#!/usr/bin/env bash
# The Python client of 37 refuses manifests that every API server takes
#
# Version: kubernetes 37.0.2, and 36.0.3 to compare
#
# Expected: a manifest is read with a YAML library and given to create or replace, as a dictionary or
# through utils.create_from_yaml; the server decides what is valid. That includes a plain number as a
# quantity (`example.com/gpu: 1`), and the fields that a newer server has added to an object.
#
# Seen: 36 sends all of them. 37 builds its models first, by a schema of its own in which a quantity is
# a string and a field that it does not know is an error, so that nothing reaches the server. The
# exception is pydantic's, which create_from_yaml does not turn into its FailToCreateError either. The
# same dictionaries pass as a patch. Reading is not strict: there an unknown field is dropped without
# a word, and replacing the object that was read removes it from the server.
#   | 36.0.3 create, gpu: 1           sent {"limits": {"example.com/gpu": 1}}
#   | 36.0.3 create, gpu: "1"         sent {"limits": {"example.com/gpu": "1"}}
#   | 36.0.3 create_from_yaml, gpu: 1 sent {"limits": {"example.com/gpu": 1}}
#   | 36.0.3 patch, gpu: 1            sent {"limits": {"example.com/gpu": 1}}
#   | 36.0.3 replace as read in JSON  sent {"newer": "x"}
#   | 36.0.3 replace as read          sent {}
#   | 37.0.2 create, gpu: 1           ValidationError, nothing sent
#   | 37.0.2 create, gpu: "1"         sent {"limits": {"example.com/gpu": "1"}}
#   | 37.0.2 create_from_yaml, gpu: 1 ValidationError, nothing sent
#   | 37.0.2 patch, gpu: 1            sent {"limits": {"example.com/gpu": 1}}
#   | 37.0.2 replace as read in JSON  ValidationError, nothing sent
#   | 37.0.2 replace as read          sent {}
#
# Why it matters: the usual manifest of a pod with a device cannot be created any more, and neither way
# of read, change and replace keeps what a newer server has added: one fails, one deletes it. Quote
# quantities, and change objects with patches or through CustomObjectsApi.
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat > finding.py <<'PY'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

import yaml
from kubernetes import client, utils

MANIFEST = """
apiVersion: v1
kind: Pod
metadata: {name: pod}
spec:
  containers:
  - name: main
    image: example
    resources: {limits: {example.com/gpu: 1}}
"""


def pod(resources):
    manifest = yaml.safe_load(MANIFEST)
    manifest["spec"]["containers"][0]["resources"] = resources
    return manifest


class Server(BaseHTTPRequestHandler):
    """Keeps what is sent; what it returns has a field in `resources` that clients do not know."""

    protocol_version = "HTTP/1.1"
    sent = []

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if body:
            self.sent.append(json.loads(body)["spec"]["containers"][0].get("resources"))
        stored = json.dumps(pod({"newer": "x"})).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(stored)))
        self.end_headers()
        self.wfile.write(stored)

    do_GET = do_POST = do_PUT = do_PATCH = answer

    def log_message(self, *args):
        pass


def show(text, call):
    Server.sent.clear()
    result = ""
    try:
        call()
    except Exception as error:
        result = f"{type(error).__name__}, nothing sent"
    for resources in Server.sent:
        result = f"sent {json.dumps(resources)}"
    print(version("kubernetes"), text.ljust(24), result)


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
configuration = client.Configuration()
configuration.host = f"http://127.0.0.1:{server.server_port}"
core = client.CoreV1Api(client.ApiClient(configuration))
with open("pod.yaml", "w", encoding="utf-8") as file:
    file.write(MANIFEST)

number, text = pod({"limits": {"example.com/gpu": 1}}), pod({"limits": {"example.com/gpu": "1"}})
raw = json.loads(core.read_namespaced_pod("pod", "default", _preload_content=False).data)
model = core.read_namespaced_pod("pod", "default")
show("create, gpu: 1", lambda: core.create_namespaced_pod("default", number))
show('create, gpu: "1"', lambda: core.create_namespaced_pod("default", text))
show("create_from_yaml, gpu: 1", lambda: utils.create_from_yaml(core.api_client, "pod.yaml"))
show("patch, gpu: 1", lambda: core.patch_namespaced_pod("pod", "default", number))
show("replace as read in JSON", lambda: core.replace_namespaced_pod("pod", "default", raw))
show("replace as read", lambda: core.replace_namespaced_pod("pod", "default", model))
PY

for version in 36.0.3 37.0.2; do
    python3 -m venv "$version"
    "$version/bin/pip" install --quiet --disable-pip-version-check "kubernetes==$version"
    "$version/bin/python" finding.py
done | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
