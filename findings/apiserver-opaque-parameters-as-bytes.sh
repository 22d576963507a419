#!/usr/bin/env bash
# A claim with parameters, made by the Python client, can never be patched
#
# Version: k8s.io/kubernetes v1.37.2 (kube-apiserver on etcd), Python client kubernetes 37.0.2
#
# Expected: the spec of a ResourceClaim cannot be changed, its labels, annotations and finalizers can,
# by any kind of patch and by whoever created it. Opaque parameters are JSON, in which spaces and the
# order of keys mean nothing.
#
# Seen: the spaces that the creator sent between the tokens of the parameters belong to the spec. The
# Python client sends some: each patch of such a claim is refused as a change of the spec, and so is a
# PUT of just what GET has returned, which has none. Only a PUT that is spaced like the first request
# is taken. Sent without spaces but with keys out of order, a claim can be changed by merge and JSON
# patches, but not by strategic merge patch and server-side apply.
#   | Python client: merge 422, strategic 422, JSON 422, apply 422, PUT as read 422, PUT with spaces 200
#   | compact, keys unsorted: merge 200, strategic 422, JSON 200, apply 422, PUT as read 200, PUT with spaces 422
#   | compact, keys sorted: merge 200, strategic 200, JSON 200, apply 200, PUT as read 200, PUT with spaces 422
#
# Why it matters: what labels or annotates claims or takes a finalizer off by patch works with claims of
# one creator and fails with those of another, with a message about a field that it does not touch.
# A Python program should send claims as bytes of its own: compact, with sorted keys.
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
running=()
finish() {
    kill "${running[@]}" 2> /dev/null || true
    wait
    rm -rf "$work"
}
trap finish EXIT
cd "$work"

cat > go.mod <<'MOD'
module finding

go 1.26

require k8s.io/kubernetes v1.37.2

// what Kubernetes replaces by folders of its repository
MOD
kubernetes=$(go list -mod=mod -m -f '{{.GoMod}}' k8s.io/kubernetes@v1.37.2)
awk '$3 ~ /staging/ { print "replace", $1, "=>", $1, "v0.37.2" }' "$kubernetes" >> go.mod
go build -mod=mod -o . k8s.io/kubernetes/cmd/kube-apiserver
go build -mod=mod -o etcd go.etcd.io/etcd/server/v3
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check kubernetes==37.0.2

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
openssl genrsa -out key.pem 2048 2> /dev/null
echo 'token,admin,admin,system:masters' > tokens
./etcd --data-dir data --log-level error --listen-client-urls unix://client:1 \
    --advertise-client-urls unix://client:1 --listen-peer-urls unix://peer:1 2> etcd.log &
running+=($!)
./kube-apiserver --etcd-servers unix://client:1 --cert-dir certs --bind-address 127.0.0.1 \
    --secure-port "$port" --token-auth-file tokens --authorization-mode AlwaysAllow \
    --service-account-issuer https://finding --service-account-key-file key.pem \
    --service-account-signing-key-file key.pem --service-cluster-ip-range 10.0.0.0/24 \
    --endpoint-reconciler-type none 2> apiserver.log &
running+=($!)

cat > finding.py <<'PY'
import json
import sys
import time

import urllib3
from kubernetes import client

SERVER = f"https://127.0.0.1:{sys.argv[1]}"
CLAIMS = f"{SERVER}/apis/resource.k8s.io/v1/namespaces/default/resourceclaims"
HEADERS = {"Authorization": "Bearer token"}
LABELS = {"metadata": {"labels": {"changed": "yes"}}}
OWN = {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim"}
PATCHES = {
    "merge": ("merge-patch+json", LABELS),
    "strategic": ("strategic-merge-patch+json", LABELS),
    "JSON": ("json-patch+json", [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]),
    "apply": ("apply-patch+yaml", OWN | LABELS),
}

http = urllib3.PoolManager(ca_certs="certs/apiserver.crt", retries=False)


def send(method, url, content_type, body):
    headers = HEADERS | {"Content-Type": f"application/{content_type}"}
    return http.request(method, url, body=body, headers=headers).status


def created_by_client(claim):
    configuration = client.Configuration(host=SERVER)
    configuration.ssl_ca_cert = "certs/apiserver.crt"
    configuration.api_key = {"authorization": "Bearer token"}
    api = client.ResourceV1Api(client.ApiClient(configuration))
    api.create_namespaced_resource_claim("default", claim)


def created_compact(claim):
    body = json.dumps(claim, separators=(",", ":"))
    assert send("POST", CLAIMS, "json", body) == 201


def try_all(text, name, parameters, create):
    def change(method, content_type, body, **query):
        return send(method, f"{CLAIMS}/{name}{query.get('query', '')}", content_type, body)

    def read():
        return http.request("GET", f"{CLAIMS}/{name}", headers=HEADERS).data

    request = {"name": "gpu", "exactly": {"deviceClassName": "gpu"}}
    config = {"opaque": {"driver": "gpu.example.com", "parameters": parameters}}
    create(OWN | {
        "metadata": {"name": name},
        "spec": {"devices": {"requests": [request], "config": [config]}},
    })
    results = []
    for kind, (content_type, patch) in PATCHES.items():
        query = "?fieldManager=finding&force=true" if kind == "apply" else ""
        status = change("PATCH", content_type, json.dumps(patch), query=query)
        results.append(f"{kind} {status}")
    results.append(f"PUT as read {change('PUT', 'json', read())}")
    results.append(f"PUT with spaces {change('PUT', 'json', json.dumps(json.loads(read())))}")
    print(f"{text}: {', '.join(results)}")


def ready():
    try:
        return http.request("GET", f"{SERVER}/readyz", headers=HEADERS).status == 200
    except (OSError, urllib3.exceptions.HTTPError):
        return False


for _ in range(120):
    if ready():
        break
    time.sleep(1)
unsorted = {"kind": "GpuConfig", "apiVersion": "gpu.example.com/v1"}
in_order = dict(sorted(unsorted.items()))
try_all("Python client", "python", in_order, created_by_client)
try_all("compact, keys unsorted", "unsorted", unsorted, created_compact)
try_all("compact, keys sorted", "sorted", in_order, created_compact)
PY

go list -m k8s.io/kubernetes go.etcd.io/etcd/server/v3
venv/bin/pip list --disable-pip-version-check 2> /dev/null | grep '^kubernetes '
venv/bin/python finding.py "$port" | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
