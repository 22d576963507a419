#!/usr/bin/env bash
# A driver that sends its taints without their time keeps pods on a sick device beyond any tolerationSeconds
#
# Version: k8s.io/kubernetes v1.37.2 (kube-apiserver on etcd, kube-controller-manager)
#
# Expected: a driver marks a device with a NoExecute taint and leaves out timeAdded, which by the API's
# description is the time at which the taint was added, and is set if missing. A pod whose claim
# tolerates it for 6 seconds is evicted after that, however often the driver sends its slice as it is.
#
# Seen: each time that the slice is sent, in whatever way, the taint gets the time of that moment, so the
# seconds begin anew, and a pod stays as long as they do. With the time from the API server's answer in
# what is sent, it goes in time. A DeviceTaintRule keeps its time in patches and in apply, not in a PUT.
#   | timeAdded of a ResourceSlice that is sent again: PUT new, merge patch new, apply new
#   | timeAdded of a DeviceTaintRule that is sent again: PUT new, merge patch same, apply same
#   | tolerationSeconds 6, within 20 s:
#   | sent once: the pod is evicted
#   | applied every 2 s without the time: the pod stays, evicted once it has ended: yes
#   | applied every 2 s with the time: the pod is evicted
#
# Why it matters: to send the same slice in each round is what a reconciling driver does, and what
# server-side apply is made for. Sent once a minute, a taint that is tolerated for five minutes would
# never evict anybody, and each time makes a new generation. The Go package resourceslice copies the
# time of a taint that is there already; a driver that does not use it has to do so itself.
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
go build -mod=mod -o . k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kube-controller-manager
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
    --endpoint-reconciler-type none --disable-admission-plugins ServiceAccount 2> apiserver.log &
running+=($!)

cat > kubeconfig <<CONFIG
apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "https://127.0.0.1:$port", certificate-authority: certs/apiserver.crt}}]
users: [{name: u, user: {token: token}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
CONFIG
cat > finding.py <<'PY'
import http.client
import json
import ssl
import subprocess
import sys
import time

PORT = int(sys.argv[1])
RESOURCES = "/apis/resource.k8s.io/v1"
SLICES, RULES = f"{RESOURCES}/resourceslices", f"{RESOURCES}/devicetaintrules"
CLAIMS = f"{RESOURCES}/namespaces/default/resourceclaims"
PODS = "/api/v1/namespaces/default/pods"
TAINT = {"key": "sick", "effect": "NoExecute"}
TOLERATION = TAINT | {"operator": "Exists", "tolerationSeconds": 6}
PERIOD, LONG = 2, 20


def ask(method, url, body=None, content_type="json"):
    context = ssl.create_default_context(cafile="certs/apiserver.crt")
    connection = http.client.HTTPSConnection("127.0.0.1", PORT, context=context)
    headers = {"Authorization": "Bearer token", "Content-Type": f"application/{content_type}"}
    connection.request(method, url, body and json.dumps(body), headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def done(*request):
    status, answer = ask(*request)
    assert status in (200, 201), answer
    return json.loads(answer)


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return True
        except OSError:
            pass
        time.sleep(0.2)
    return False


def slice_of(name, taint):
    pool = {"name": name, "generation": 1, "resourceSliceCount": 1}
    devices = [{"name": "gpu-0", "taints": [taint]}]
    spec = {"driver": "gpu.example.com", "nodeName": "node", "pool": pool, "devices": devices}
    return {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "spec": spec,
            "metadata": {"name": name}}


def rule_of(name, taint):
    spec = {"deviceSelector": {"driver": "nic.example.com"}, "taint": taint}
    return {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceTaintRule", "spec": spec,
            "metadata": {"name": name}}


def time_added(stored):
    spec = stored["spec"]
    return (spec["taint"] if "taint" in spec else spec["devices"][0]["taints"][0])["timeAdded"]


def send_again(path, made):
    """Send an object as it was made in several ways, and see whether the taint keeps its time."""
    stored = done("POST", path, made)
    url, results = f"{path}/{made['metadata']['name']}", []
    for name, method, query, content_type in (
        ("PUT", "PUT", "", "json"),
        ("merge patch", "PATCH", "", "merge-patch+json"),
        ("apply", "PATCH", "?fieldManager=finding&force=true", "apply-patch+yaml"),
    ):
        time.sleep(1.1)  # times are of whole seconds
        body = made
        if name == "PUT":
            version = {"resourceVersion": stored["metadata"]["resourceVersion"]}
            body = made | {"metadata": made["metadata"] | version}
        before, stored = stored, done(method, url + query, body, content_type)
        results.append(f"{name} {'same' if time_added(stored) == time_added(before) else 'new'}")
    print(f"timeAdded of a {made['kind']} that is sent again: {', '.join(results)}")
    done("DELETE", url)


def make_pod(name):
    """Make a pod on a node with a claim that has a device of the pool of that name."""
    claim = {"name": name, "resourceClaimName": name}
    container = {"name": "main", "image": "main", "resources": {"claims": [{"name": name}]}}
    spec = {"nodeName": "node", "resourceClaims": [claim], "containers": [container]}
    pod = done("POST", PODS, {"metadata": {"name": name}, "spec": spec})
    request = {"name": "gpu", "exactly": {"deviceClassName": "gpu", "tolerations": [TOLERATION]}}
    claim = done("POST", CLAIMS, {
        "apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "metadata": {"name": name},
        "spec": {"devices": {"requests": [request]}},
    })
    result = {"request": "gpu", "driver": "gpu.example.com", "pool": name, "device": "gpu-0"}
    claim["status"] = {
        "allocation": {"devices": {"results": [result | {"tolerations": [TOLERATION]}]}},
        "reservedFor": [{"resource": "pods", "name": name, "uid": pod["metadata"]["uid"]}],
    }
    done("PUT", f"{CLAIMS}/{name}/status", claim)


def evicted(name):
    return "deletionTimestamp" in done("GET", f"{PODS}/{name}")["metadata"]


def apply(made):
    url = f"{SLICES}/{made['metadata']['name']}?fieldManager=finding"
    return done("PATCH", url, made, "apply-patch+yaml")


def stays(text, name, *, again, with_time):
    make_pod(name)
    stored = apply(slice_of(name, TAINT))
    taint = TAINT | ({"timeAdded": time_added(stored)} if with_time else {})
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        if wait_for(lambda: evicted(name), PERIOD):
            break
        if again:
            apply(slice_of(name, taint))
    first = "is evicted" if evicted(name) else "stays"
    then = "" if evicted(name) else ", evicted once it has ended: " + (
        "yes" if wait_for(lambda: evicted(name), LONG) else "no")
    print(f"{text}: the pod {first}{then}")


wait_for(lambda: ask("GET", "/readyz")[0] == 200)
send_again(SLICES, slice_of("slice", TAINT))
send_again(RULES, rule_of("rule", TAINT))
print(f"tolerationSeconds {TOLERATION['tolerationSeconds']}, within {LONG} s:")
manager = subprocess.Popen([
    "./kube-controller-manager", "--kubeconfig=kubeconfig", "--leader-elect=false", "--secure-port=0",
    "--controllers=device-taint-eviction-controller",
], stderr=subprocess.DEVNULL)
try:
    make_pod("first")
    apply(slice_of("first", TAINT))
    assert wait_for(lambda: evicted("first")), "the controller does not run"
    stays("sent once", "once", again=False, with_time=False)
    stays(f"applied every {PERIOD} s without the time", "again", again=True, with_time=False)
    stays(f"applied every {PERIOD} s with the time", "kept", again=True, with_time=True)
finally:
    manager.terminate()
    manager.wait()
PY

go list -m k8s.io/kubernetes go.etcd.io/etcd/server/v3
python3 finding.py "$port" | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
