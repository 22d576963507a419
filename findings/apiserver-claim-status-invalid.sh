#!/usr/bin/env bash
# Who may write the status of claims, as an access review confirms, is told that the claim is invalid
#
# Version: k8s.io/kubernetes v1.37.2 (kube-apiserver on etcd)
#
# Expected: up to 1.35 a driver whose role has update and patch of resourceclaims/status can write
# status.devices (tried with 1.35.4). Since 1.36 that takes a verb on resourceclaims/driver as well,
# which tells of whose nodes. A driver without it is refused as without any other permission, by 403
# Forbidden, and a SelfSubjectAccessReview says so beforehand. What is granted in one namespace, counts there.
#
# Seen: it is refused by 422 Invalid, as if the object had a wrong field, and the review has said that it
# may. The verbs go by the method: who has associated-node:update can PUT and not patch, and update and
# patch without the prefix are no help. To change reservedFor takes resourceclaims/binding. As a Role in
# the claim's namespace it satisfies the review, and not the API server, which asks for the whole cluster,
# and names status.allocation, which nobody touches. The node is that of the pod in the driver's token.
#   | nothing granted
#   |   access review, update resourceclaims/status: not allowed
#   |   status.devices, its node: PUT 403 Forbidden, patch 403 Forbidden
#   | granted resourceclaims/status, update and patch
#   |   access review, update resourceclaims/status: allowed
#   |   status.devices, its node: PUT 422 Invalid status.devices, patch 422 Invalid status.devices
#   |   reservedFor: patch 422 Invalid status.allocation
#   | granted resourceclaims/driver, update and patch
#   |   status.devices, its node: PUT 422 Invalid status.devices, patch 422 Invalid status.devices
#   | granted resourceclaims/driver, associated-node:update
#   |   status.devices, its node: PUT 200, patch 422 Invalid status.devices
#   | granted resourceclaims/driver, associated-node:patch
#   |   status.devices, its node: PUT 200, patch 200
#   |   status.devices, another node: PUT 422 Invalid status.devices, patch 422 Invalid status.devices
#   |   status.devices, no node: PUT 422 Invalid status.devices, patch 422 Invalid status.devices
#   | granted resourceclaims/binding, patch in the namespace
#   |   access review, patch resourceclaims/binding: allowed
#   |   reservedFor: patch 422 Invalid status.allocation
#   | granted resourceclaims/binding, patch
#   |   reservedFor: patch 200
#
# Why it matters: clients take 422 for a mistake in what they send, so drivers and clean-up scripts that
# worked on 1.35 do not try again, and who looks at the claim finds nothing; a check by review passes.
# Grant a driver both associated-node:update and associated-node:patch, or arbitrary-node: if its token
# names no node, and binding for the whole cluster.
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
    --secure-port "$port" --token-auth-file tokens --authorization-mode RBAC \
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
CLAIMS = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims"
STATUS = f"{CLAIMS}/claim/status"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
DRIVER = "gpu.example.com"
SERVICE_ACCOUNT = "system:serviceaccount:default:driver"
POD = {"resource": "pods", "name": "pod", "uid": "uid"}


def send(method, url, body=None, content_type="json", **headers):
    context = ssl.create_default_context(cafile="certs/apiserver.crt")
    connection = http.client.HTTPSConnection("127.0.0.1", PORT, context=context)
    headers |= {"Authorization": "Bearer token", "Content-Type": f"application/{content_type}"}
    connection.request(method, url, body and json.dumps(body), headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def done(method, url, body=None):
    """Do something as administrator."""
    status, answer = send(method, url, body)
    assert status in (200, 201), answer
    return json.loads(answer)


def as_driver(node, *request):
    """Do something as the driver, with the service account's token of a pod on the node."""
    headers = {"Impersonate-User": SERVICE_ACCOUNT}
    if node:
        headers["Impersonate-Extra-authentication.kubernetes.io%2fnode-name"] = node
    status, answer = send(*request, **headers)
    return status, json.loads(answer)


def wait_for(condition):
    for _ in range(120):
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(1)
    raise TimeoutError


def allowed(verb, resource, name, namespace="default"):
    group, _, subresource = resource.partition("/")
    attributes = {
        "group": "resource.k8s.io", "resource": group, "subresource": subresource,
        "namespace": namespace, "name": name, "verb": verb,
    }
    review = {"spec": {"resourceAttributes": attributes}}
    return as_driver("its", "POST", REVIEWS, review)[1]["status"]["allowed"]


def grant(resource, *verbs, namespace=""):
    """Add a permission, and wait until a review says that it is there."""
    kind, url = ("Role", f"{RBAC}/namespaces/{namespace}/role") if namespace else (
        "ClusterRole", f"{RBAC}/clusterrole")
    name = f"{resource}-{verbs[0]}".translate({ord(each): "-" for each in "/:"})
    rule = {"apiGroups": ["resource.k8s.io"], "resources": [resource], "verbs": list(verbs)}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
    subject = {"kind": "ServiceAccount", "name": "driver", "namespace": "default"}
    metadata = {"name": name}
    done("POST", f"{url}s", {"metadata": metadata, "rules": [rule]})
    done("POST", f"{url}bindings", {"metadata": metadata, "roleRef": reference, "subjects": [subject]})
    wait_for(lambda: allowed(verbs[0], resource, DRIVER, namespace))
    print(f"granted {resource}, {' and '.join(verbs)}{' in the namespace' if namespace else ''}")


def make_claim():
    """Make a claim that is allocated on the node and in use."""
    own = {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "metadata": {"name": "claim"}}
    request = {"name": "gpu", "exactly": {"deviceClassName": "gpu"}}
    claim = done("POST", CLAIMS, own | {"spec": {"devices": {"requests": [request]}}})
    node = {"key": "metadata.name", "operator": "In", "values": ["its"]}
    result = {"request": "gpu", "driver": DRIVER, "pool": "node", "device": "gpu-0"}
    claim["status"] = {
        "allocation": {
            "devices": {"results": [result]},
            "nodeSelector": {"nodeSelectorTerms": [{"matchFields": [node]}]},
        },
        "reservedFor": [POD],
    }
    done("PUT", STATUS, claim)


def told(status, answer):
    if status == 200:
        return "200"
    fields = [cause["field"] for cause in answer["details"].get("causes", [])]
    return " ".join([str(status), answer["reason"], *fields])


def write_devices(node="its"):
    """Write another status of the device, by PUT and by patch."""
    claim = done("GET", f"{CLAIMS}/claim")
    device = {"driver": DRIVER, "pool": "node", "device": "gpu-0", "data": {"at": time.time_ns()}}
    claim["status"]["devices"] = [device]
    put = as_driver(node, "PUT", STATUS, claim)
    patch = {"status": {"devices": [device | {"data": {"at": time.time_ns()}}]}}
    patched = as_driver(node, "PATCH", STATUS, patch, "merge-patch+json")
    print(f"  status.devices, {node or 'no'} node: PUT {told(*put)}, patch {told(*patched)}")


def release():
    patch = {"status": {"reservedFor": None}}
    print("  reservedFor: patch", told(*as_driver("its", "PATCH", STATUS, patch, "merge-patch+json")))


def review(verb, resource):
    answer = "allowed" if allowed(verb, resource, "claim") else "not allowed"
    print(f"  access review, {verb} {resource}: {answer}")


wait_for(lambda: send("GET", "/readyz")[0] == 200)
make_claim()
print("nothing granted")
review("update", "resourceclaims/status")
write_devices()
grant("resourceclaims/status", "update", "patch")
review("update", "resourceclaims/status")
write_devices()
release()
grant("resourceclaims/driver", "update", "patch")
write_devices()
grant("resourceclaims/driver", "associated-node:update")
write_devices()
grant("resourceclaims/driver", "associated-node:patch")
write_devices()
write_devices("another")
write_devices("")
grant("resourceclaims/binding", "patch", namespace="default")
review("patch", "resourceclaims/binding")
release()
grant("resourceclaims/binding", "patch")
release()
PY

go list -m k8s.io/kubernetes go.etcd.io/etcd/server/v3
python3 finding.py "$port" | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
