"""The objects that install a driver on a cluster, with rights as narrow as they can be.

Pure: what `dra manifests` prints. A plugin may write ResourceSlices of its own node only, which
RBAC cannot say; a ValidatingAdmissionPolicy does, by the node that the token of a pod names.
Source: kubernetes pkg/registry/resource (rights on claims' status), KEP-4601 and KEP-4817.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from api import validation
from api.contract import Contract
from api.names import RESOURCE_GROUP
from api.objects import JSON

HTTP_PORT: Final = 8080
API_VERSIONS: Final = ("v1", "v1beta2", "v1beta1")
"""Of resource.k8s.io; v1 is served from Kubernetes 1.34 on, v1beta1 from 1.32 on."""

KUBELET_ROOT: Final = "/var/lib/kubelet"
CDI_ROOT: Final = "/var/run/cdi"
_NODE_NAME: Final = "authentication.kubernetes.io/node-name"


@dataclass(frozen=True, slots=True)
class Installation:
    """How a driver is installed.

    Attributes:
        contract: of the driver.
        name: of its objects, and the label `app` of its pods.
        namespace: that it runs in.
        image: of its program.
        command: of its program, without settings.
        device_class: name of a DeviceClass for all of its devices.
        host_paths: directories of the host that it works on, at the same path in the pod.
        settings: environment variables of the driver's own.
        api_version: of the DeviceClass; the driver itself finds out what is served.
        publishes_status: whether it shows the state of devices in claims.
        reads_node: whether it is told the annotations of its Node.
        rolling_update: whether a new pod serves before the old one ends (Kubernetes 1.33).
    """

    contract: Contract
    name: str
    namespace: str
    image: str
    command: tuple[str, ...]
    device_class: str
    host_paths: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    api_version: str = API_VERSIONS[0]
    publishes_status: bool = False
    reads_node: bool = False
    rolling_update: bool = False


def manifests(wanted: Installation) -> list[JSON]:
    """Return the objects in the order in which they are created."""
    return [
        _namespace(wanted),
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(wanted)},
        _role(wanted),
        _binding(wanted),
        _policy(wanted),
        _policy_binding(wanted),
        device_class(wanted),
        daemon_set(wanted),
    ]


def faults(wanted: Installation) -> Iterator[str]:
    """Yield what no cluster takes, each with the option that says it."""
    for option, name, rule in (
        ("--namespace", wanted.namespace, validation.label),
        ("--name", wanted.name, validation.label),
        ("--class", wanted.device_class, validation.subdomain),
    ):
        if text := rule(name):
            yield f"{option}: {name!r}: {text}"
    if not wanted.image.strip():
        yield "--image: is empty; give the image of the driver"
    yield from _wrong_settings(wanted)
    yield from _wrong_paths(wanted)


def _wrong_settings(wanted: Installation) -> Iterator[str]:
    ours = {each["name"] for each in _environment(replace(wanted, settings=()))}
    for name, number in Counter(name for name, _ in wanted.settings).items():
        if name in ours:
            yield f"--set: {name} is set by the manifests; change it there"
        elif number > 1:
            yield f"--set: {name} is given twice"


def _wrong_paths(wanted: Installation) -> Iterator[str]:
    for path in wanted.host_paths:
        if not path.startswith("/") or ":" in path or ".." in PurePosixPath(path).parts:
            yield f"--host-path: {path!r} is no absolute path without .. and colons"
    for path, number in Counter(path for _, path, _ in _paths(wanted)).items():
        if number > 1:
            yield f"--host-path: {path!r} is there already"


def _namespace(wanted: Installation) -> JSON:
    # Directories of the host are refused by every other standard of pod security.
    labels = {"pod-security.kubernetes.io/enforce": "privileged"}
    metadata = {"name": wanted.namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def device_class(wanted: Installation) -> JSON:
    """Return the class of all devices of a driver."""
    expression = f"device.driver == '{wanted.contract.driver_name}'"
    return {
        "apiVersion": f"{RESOURCE_GROUP}/{wanted.api_version}",
        "kind": "DeviceClass",
        "metadata": {"name": wanted.device_class},
        "spec": {"selectors": [{"cel": {"expression": expression}}]},
    }


def daemon_set(wanted: Installation) -> JSON:
    """Return what runs the driver on every node."""
    surge: JSON = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {**_metadata(wanted), "labels": _labels(wanted)},
        "spec": {
            "selector": {"matchLabels": _labels(wanted)},
            **({"updateStrategy": surge} if wanted.rolling_update else {}),
            "template": {"metadata": {"labels": _labels(wanted)}, "spec": _pod(wanted)},
        },
    }


def _pod(wanted: Installation) -> JSON:
    paths = list(_paths(wanted))
    return {
        "serviceAccountName": wanted.name,
        "enableServiceLinks": False,
        # The kubelet's directories, and those of devices, belong to root.
        "securityContext": {"runAsUser": 0, "seccompProfile": {"type": "RuntimeDefault"}},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        # On every node, and not before the pods that use its devices: without the driver their
        # claims are not unprepared, and they do not go.
        "tolerations": [{"operator": "Exists"}],
        "priorityClassName": "system-node-critical",
        "containers": [_container(wanted, paths)],
        "volumes": [
            {"name": name, "hostPath": {"path": path, "type": kind}} for name, path, kind in paths
        ],
    }


def _container(wanted: Installation, paths: Sequence[tuple[str, str, str]]) -> JSON:
    return {
        "name": "driver",
        "image": wanted.image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(wanted.command),
        "env": list(_environment(wanted)),
        "ports": [{"name": "http", "containerPort": HTTP_PORT}],
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 10},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 5},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
        "volumeMounts": [{"name": name, "mountPath": path} for name, path, _ in paths],
    }


def _environment(wanted: Installation) -> Iterator[JSON]:
    yield {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    if wanted.rolling_update:
        yield {"name": "ROLLING_UPDATE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}
    given = (("CDI_ROOT", CDI_ROOT), ("HTTP_ENDPOINT", f":{HTTP_PORT}"), *wanted.settings)
    yield from ({"name": name, "value": value} for name, value in given)


def _paths(wanted: Installation) -> Iterator[tuple[str, str, str]]:
    """Yield name, path and type of each directory of the host that the plugin works on."""
    yield "registry", f"{KUBELET_ROOT}/plugins_registry", "Directory"
    plugin = f"{KUBELET_ROOT}/plugins/{wanted.contract.driver_name}"
    yield "plugin", plugin, "DirectoryOrCreate"
    yield "cdi", CDI_ROOT, "DirectoryOrCreate"
    for number, path in enumerate(wanted.host_paths):
        yield f"host-{number}", str(PurePosixPath(path)), "DirectoryOrCreate"


def _role(wanted: Installation) -> JSON:
    rules = [
        # the uid of the node, which becomes the owner of its slices; list and watch its annotations
        _rule("", "nodes", ["get", *(["list", "watch"] if wanted.reads_node else [])]),
        _rule(
            RESOURCE_GROUP,
            "resourceslices",
            ["get", "list", "watch", "create", "update", "delete"],
        ),
        # get before a claim is prepared; list tells which devices may not be withdrawn
        _rule(RESOURCE_GROUP, "resourceclaims", ["get", "list"]),
        *(_status_rules(wanted) if wanted.publishes_status else ()),
        _rule("", "events", ["create", "patch"]),
    ]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": wanted.name},
        "rules": rules,
    }


def _status_rules(wanted: Installation) -> Iterator[JSON]:
    yield _rule(RESOURCE_GROUP, "resourceclaims/status", ["update", "patch"])
    # from Kubernetes 1.36 on: only for this driver's devices on the pod's own node
    verbs = ["associated-node:update", "associated-node:patch"]
    rule = _rule(RESOURCE_GROUP, "resourceclaims/driver", verbs)
    yield {**rule, "resourceNames": [wanted.contract.driver_name]}


def _rule(group: str, resource: str, verbs: Sequence[str]) -> JSON:
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}


def _binding(wanted: Installation) -> JSON:
    account = {"kind": "ServiceAccount", "name": wanted.name, "namespace": wanted.namespace}
    role = {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": wanted.name,
    }
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": wanted.name},
        "roleRef": role,
        "subjects": [account],
    }


def _policy(wanted: Installation) -> JSON:
    account = f"system:serviceaccount:{wanted.namespace}:{wanted.name}"
    rule = {
        "apiGroups": [RESOURCE_GROUP],
        "apiVersions": ["v1", "v1beta2", "v1beta1"],
        "operations": ["CREATE", "UPDATE", "DELETE"],
        "resources": ["resourceslices"],
    }
    node = f"request.userInfo.?extra[?'{_NODE_NAME}'][0].orValue('')"
    slice_node = "(object == null ? oldObject : object).spec.?nodeName.orValue('')"
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": wanted.name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "matchConditions": [
                {
                    "name": "is-driver",
                    "expression": f"request.userInfo.username == '{account}'",
                }
            ],
            "variables": [
                {"name": "node", "expression": node},
                {"name": "sliceNode", "expression": slice_node},
            ],
            "validations": [
                {
                    "expression": "variables.node != ''",
                    "message": "the token names no node, so it is not the one of a driver's pod",
                },
                {
                    "expression": "variables.node == variables.sliceNode",
                    "messageExpression": "'the driver of node ' + variables.node + "
                    "' may not write ResourceSlices of node ' + variables.sliceNode",
                },
            ],
        },
    }


def _policy_binding(wanted: Installation) -> JSON:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": wanted.name},
        "spec": {"policyName": wanted.name, "validationActions": ["Deny"]},
    }


def _metadata(wanted: Installation) -> JSON:
    return {"name": wanted.name, "namespace": wanted.namespace}


def _labels(wanted: Installation) -> JSON:
    """Return a new object each time: what is one object becomes an anchor in YAML."""
    return {"app": wanted.name}
