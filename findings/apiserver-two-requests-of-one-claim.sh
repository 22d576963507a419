#!/usr/bin/env bash
# A container that names two requests of one claim can be created, but not applied on the server's side
#
# Version: k8s.io/kubernetes v1.37.2 (kube-apiserver on etcd)
#
# Expected: a claim has requests for a GPU and a network card. A container lists both, as entries of
# resources.claims with the same name and another request each, which the API takes: entries are the
# same only if name and request are. Whether the object is created, patched or applied is all one.
#
# Seen: POST, PUT and patches take it. Server-side apply of the same object ends with status 500, for
# the schema of the list, by which apply merges, has the name as its only key, as when there was no
# request yet. Other fields of an object that has both can be applied. Who applies one of the entries
# is told of a conflict, even where the entry is there as it is; by force this one entry takes the
# place of all entries of the claim, without a word. A custom resource with a schema that was copied
# from the API server's cannot have both at all.
#   | two requests of one claim: POST 201, PUT 200, merge 200, strategic 200, apply 500
#   |   .spec.template.spec.containers[name="main"].resources.claims: duplicate entries for key [name="devices"]
#   | requests of two claims: POST 201, PUT 200, merge 200, strategic 200, apply 201
#   | one claim as a whole: POST 201, PUT 200, merge 200, strategic 200, apply 201
#   | a label applied: 200, the container has gpu and nic
#   | nic applied: 409, the container has gpu and nic; conflict about claims[name="devices"]
#   | nic applied by force: 200, the container has nic
#   | then gpu, by another: 200, the container has gpu
#   | the list is a map by name
#   | custom resource, two requests of one claim: 422 claims[1]: Duplicate value: {"name":"devices"}
#   | custom resource, requests of two claims: 201
#   | custom resource, one claim as a whole: 201
#
# Why it matters: `kubectl apply` takes a manifest that it does not take with `--server-side` (tried
# with 1.32.4), a tool that applies that way takes none of that kind, and a status of 500 looks like a
# broken server. An operator that applies its own entry by force takes a device from the container. Use
# a claim for each request, or leave the request out and give the container the whole claim.
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
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
DEPLOYMENT = f"{DEPLOYMENTS}/same"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
JOBS = "/apis/example.com/v1/namespaces/default/jobs"
OWN = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "same"}}
GPU, NIC = {"name": "devices", "request": "gpu"}, {"name": "devices", "request": "nic"}
CASES = {
    "two requests of one claim": [GPU, NIC],
    "requests of two claims": [GPU, {"name": "more", "request": "nic"}],
    "one claim as a whole": [{"name": "devices"}],
}


def send(method, url, body=None, content_type="json"):
    context = ssl.create_default_context(cafile="certs/apiserver.crt")
    connection = http.client.HTTPSConnection("127.0.0.1", PORT, context=context)
    headers = {"Authorization": "Bearer token", "Content-Type": f"application/{content_type}"}
    connection.request(method, url, body and json.dumps(body), headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def ask(*request):
    status, body = send(*request)
    return status, json.loads(body)


def done(*request):
    status, answer = ask(*request)
    assert status in (200, 201), answer
    return answer


def wait_for(url):
    for _ in range(120):
        try:
            if send("GET", url)[0] == 200:
                return
        except OSError:
            pass
        time.sleep(1)
    raise TimeoutError(url)


def apply(manager, body, force="false"):
    url = f"{DEPLOYMENT}?fieldManager={manager}&force={force}"
    return ask("PATCH", url, OWN | body, "apply-patch+yaml")


def only(claims):
    containers = [{"name": "main", "resources": {"claims": claims}}]
    return {"spec": {"template": {"spec": {"containers": containers}}}}


def whole(claims):
    labels = {"app": "same"}
    pod = {
        "resourceClaims": [
            {"name": name, "resourceClaimTemplateName": name} for name in ("devices", "more")
        ],
        "containers": [{"name": "main", "image": "main", "resources": {"claims": claims}}],
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    return OWN | {"spec": {"selector": {"matchLabels": labels}, "template": template}}


def try_all(text, claims):
    """Send one and the same Deployment in every way; POST and apply make a new one."""
    made = whole(claims)
    statuses = {
        "POST": ask("POST", DEPLOYMENTS, made)[0],
        "PUT": ask("PUT", DEPLOYMENT, made)[0],
        "merge": ask("PATCH", DEPLOYMENT, made, "merge-patch+json")[0],
        "strategic": ask("PATCH", DEPLOYMENT, only(claims), "strategic-merge-patch+json")[0],
    }
    done("DELETE", DEPLOYMENT)
    statuses["apply"], answer = apply("finding", made)
    print(f"{text}: {', '.join(f'{name} {status}' for name, status in statuses.items())}")
    if statuses["apply"] == 201:
        done("DELETE", DEPLOYMENT)
    else:
        print(" ", answer["message"].partition(": ")[2])


def requests():
    containers = done("GET", DEPLOYMENT)["spec"]["template"]["spec"]["containers"]
    return " and ".join(claim["request"] for claim in containers[0]["resources"]["claims"])


def try_others():
    """Let other managers apply something to a Deployment that was created with both requests."""
    done("POST", DEPLOYMENTS, whole([GPU, NIC]))
    labels = {"metadata": {"name": "same", "labels": {"a": "b"}}}
    print(f"a label applied: {apply('labels', labels)[0]}, the container has {requests()}")
    status, answer = apply("nic", only([NIC]))
    print(f"nic applied: {status}, the container has {requests()}; conflict about", end=" ")
    print(answer["details"]["causes"][0]["field"].partition("resources.")[2])
    print(f"nic applied by force: {apply('nic', only([NIC]), 'true')[0]}, the container has {requests()}")
    print(f"then gpu, by another: {apply('gpu', only([GPU]), 'true')[0]}, the container has {requests()}")


def try_custom():
    """Define a resource with the list as the API server describes it."""
    schemas = done("GET", "/openapi/v3/api/v1")["components"]["schemas"]
    claims = schemas["io.k8s.api.core.v1.ResourceRequirements"]["properties"]["claims"]
    claims["items"] = schemas["io.k8s.api.core.v1.ResourceClaim"]
    print("the list is a", claims["x-kubernetes-list-type"], "by", *claims["x-kubernetes-list-map-keys"])
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"claims": claims}}}
    spec = {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"kind": "Job", "plural": "jobs"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
    }
    own = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    done("POST", CRDS, own | {"metadata": {"name": "jobs.example.com"}, "spec": spec})
    wait_for(JOBS)
    for text, claims in CASES.items():
        job = {"apiVersion": "example.com/v1", "kind": "Job", "metadata": {"generateName": "job-"}}
        status, answer = ask("POST", JOBS, job | {"claims": claims})
        causes = answer.get("details", {}).get("causes", [])
        why = [f"{cause['field']}: {cause['message']}" for cause in causes]
        print(f"custom resource, {text}:", status, *why)


wait_for("/readyz")
for case in CASES.items():
    try_all(*case)
try_others()
try_custom()
PY

go list -m k8s.io/kubernetes go.etcd.io/etcd/server/v3
python3 finding.py "$port" | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
