#!/usr/bin/env bash
# A field that the API server drops from a ResourceSlice makes a change of each update that repeats it
#
# Version: k8s.io/kubernetes v1.37.2 (kube-apiserver on etcd)
#
# Expected: a field behind a feature gate that is off is dropped before the object is stored. To send
# the same object again is no change then: it keeps its generation and its resource version, and
# watchers hear nothing. So it is with a Deployment.
#
# Seen: a ResourceSlice that is sent with such a field gets a new generation by each PUT, merge patch
# and server-side apply, though its spec stays as it is. With that it gets a new resource version,
# and all watchers an event. There is no warning, even with fieldValidation=Strict.
#   | ResourceSlice, no such field: 1, apply 1, apply 1; 0 events
#   | ResourceSlice, no such field: 1, merge 1, PUT 1, merge 1, PUT 1; 0 events
#   | ResourceSlice, skipNodeOperations: 2, apply 3, apply 4; 2 events
#   | ResourceSlice, skipNodeOperations: 3, merge 4, PUT 5, merge 6, PUT 7; 4 events
#   | ResourceSlice, partitionTypeAttribute: 2, apply 3, apply 4; 2 events
#   | ResourceSlice, partitionTypeAttribute: 3, merge 4, PUT 5, merge 6, PUT 7; 4 events
#   | Deployment, mode: 1, apply 1, apply 1; 0 events
#   | Deployment, mode: 1, merge 1, PUT 1, merge 1, PUT 1; 0 events
#
# Why it matters: a driver that sends what it wants whenever a slice is not like that, and watches its
# slices, never comes to rest: each update is the cause of the next. All that watch slices, as the
# schedulers do, get these events, too, and the generation says that something has changed. Compare
# what was sent with the answer once, and leave out what has been dropped.
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
running=()
finish() {
    for ((i = ${#running[@]} - 1; i >= 0; i--)); do # etcd last: the API server ends slowly without
        kill "${running[i]}" 2> /dev/null || true
        wait "${running[i]}" || true
    done
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
import http.client
import json
import ssl
import sys
import time

PORT = int(sys.argv[1])
SLICES = "/apis/resource.k8s.io/v1/resourceslices"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
SLICE = {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice"}
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment"}


def slice_spec(**fields):
    pool = {"name": "node", "generation": 1, "resourceSliceCount": 1}
    devices = [{"name": "0"}]
    return {"driver": "gpu.example.com", "nodeName": "node", "pool": pool, "devices": devices} | fields


def deployment_spec(**fields):
    labels = {"app": "same"}
    spec = {
        "containers": [{"name": "main", "image": "main"}],
        "volumes": [{"name": "data", "emptyDir": fields}],
    }
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {"selector": {"matchLabels": labels}, "template": template}


def ask(method, url, body=None, content_type="json"):
    context = ssl.create_default_context(cafile="certs/apiserver.crt")
    connection = http.client.HTTPSConnection("127.0.0.1", PORT, context=context)
    headers = {"Authorization": "Bearer token", "Content-Type": f"application/{content_type}"}
    connection.request(method, url, body, headers)
    return connection.getresponse()


def send(method, url, body=None, content_type="json"):
    answer = ask(method, url, body, content_type)
    return answer.status, json.loads(answer.read())


def done(method, url, body=None, content_type="json"):
    status, answer = send(method, url, body, content_type)
    assert status in (200, 201), answer
    return answer


def wait_for(condition):
    for _ in range(120):
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(1)
    raise TimeoutError("the API server is not ready")


def ready():
    return ask("GET", "/readyz").status == 200


def events(path, since):
    """Read a watch up to the deletion of the object, and answer how often it had changed."""
    changes = 0
    for line in ask("GET", f"{path}?watch=true&resourceVersion={since}"):
        if json.loads(line)["type"] == "DELETED":
            break
        changes += 1
    return changes


def repeat(names, path, own, spec_with, **field):
    wanted = own | {"metadata": {"name": "same"}, "spec": spec_with(**field)}
    updates = {
        "apply": ("PATCH", "?fieldManager=finding", "apply-patch+yaml", wanted),
        "merge": ("PATCH", "", "merge-patch+json", {"spec": wanted["spec"]}),
        "PUT": ("PUT", "?fieldValidation=Strict", "json", wanted),
    }

    def update(name):
        method, query, content_type, body = updates[name]
        answer = ask(method, f"{path}/same{query}", json.dumps(body), content_type)
        assert answer.status == 200 and answer.headers["Warning"] is None
        updated = json.loads(answer.read())
        assert updated["spec"] == stored["spec"]
        return updated["metadata"]["generation"]

    done("POST", path, json.dumps(own | {"metadata": {"name": "same"}, "spec": spec_with()}))
    stored = done("GET", f"{path}/same")
    for name in names:
        update(name)  # the first of its kind may change who manages which fields
    before = done("GET", f"{path}/same")["metadata"]
    generations = [f"{name} {update(name)}" for name in names * 2]
    done("DELETE", f"{path}/same")
    print(f"{own['kind']}, {' '.join(field) or 'no such field'}: {before['generation']},",
          f"{', '.join(generations)}; {events(path, before['resourceVersion'])} events")


def try_all(*case, **field):
    repeat(["apply"], *case, **field)
    repeat(["merge", "PUT"], *case, **field)


wait_for(ready)
try_all(SLICES, SLICE, slice_spec)
try_all(SLICES, SLICE, slice_spec, skipNodeOperations=["*"])
try_all(SLICES, SLICE, slice_spec, partitionTypeAttribute="gpu.example.com/type")
try_all(DEPLOYMENTS, DEPLOYMENT, deployment_spec, mode=0o755)
PY

go list -m k8s.io/kubernetes go.etcd.io/etcd/server/v3
python3 finding.py "$port" | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
