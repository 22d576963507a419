"""A real one-node Kubernetes whose scheduler allocates, and what tests of any driver do there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Self

import yaml

from api.contract import Contract
from api.conversion import converted
from api.names import RESOURCE_GROUP
from api.objects import JSON
from api.resources import STRUCTURED_VERSIONS, StructuredResources
from tests.e2e.cluster import kubelet
from tests.e2e.cluster.cluster import NODE_NAME
from tests.e2e.cluster.cluster import Cluster as Machine
from tests.support.anycluster import KUBECTL
from tests.support.kubectl import Kubectl
from tests.support.manifests import manifest
from tests.support.realcluster import POD_LOGS

NODE: Final = NODE_NAME
PATIENCE: Final = 150.0
"""Seconds that a node may take after something has happened to it."""

STAY: Final = "trap 'exit 0' TERM; sleep infinity & wait"
_OLDER: Final = {32: "v1beta1", 33: "v1beta2"}
"""What tests.e2e.cluster serves before v1."""

_V1: Final = STRUCTURED_VERSIONS["v1"]
_SECONDS = 200.0


@dataclass(frozen=True, slots=True)
class StructuredCluster:
    """The cluster, and what tests do with it in the namespace default.

    Attributes:
        contract: of the driver.
        system: the driver's namespace.
        machine: the node and the control plane.
        kubectl: the real one.
    """

    contract: ClassVar[Contract]
    system: ClassVar[str]

    machine: Machine
    kubectl: Kubectl

    @classmethod
    def on(cls, machine: Machine) -> Self:
        """Return the cluster of a machine."""
        return cls(machine, Kubectl(KUBECTL, machine.kubeconfig, timeout=_SECONDS))

    @property
    def minor(self) -> int:
        """Of Kubernetes 1."""
        return self.machine.version.minor

    @property
    def resources(self) -> StructuredResources:
        """Of the newest version of resource.k8s.io that is served."""
        return resources_of(self.minor)

    def rolled_out(self, target: str, namespace: str = "default") -> None:
        """Wait until all pods of a workload are new and ready."""
        self.kubectl.run("rollout", "status", "-n", namespace, target, "--timeout=120s")

    def apply(self, *objects: JSON) -> None:
        """Apply objects, those of resource.k8s.io/v1 in the version that is served."""
        self.kubectl.apply(manifest(*map(self.served, objects)))

    def served(self, obj: JSON) -> JSON:
        """Return an object as the API server takes it."""
        return served(self.minor, obj)

    def delete(self, *targets: str, seconds: float = 120) -> None:
        """Delete objects, as `kind/name`, and wait until they are gone."""
        self.kubectl.run("delete", "--ignore-not-found", f"--timeout={seconds:.0f}s", *targets)

    def clear(self) -> None:
        """Delete what a test has made."""
        kinds = "deployments,pods,resourceclaims,resourceclaimtemplates"
        self.kubectl.run("delete", kinds, "--all", "--timeout=150s")

    def ready(self, *pods: str, seconds: float = 60) -> None:
        """Wait until pods are Ready."""
        targets = [f"pod/{name}" for name in pods]
        self.kubectl.run("wait", "--for=condition=Ready", f"--timeout={seconds:.0f}s", *targets)

    def succeeded(self, pod: str, seconds: float = 60) -> None:
        """Wait until a pod has succeeded."""
        done = "--for=jsonpath={.status.phase}=Succeeded"
        self.kubectl.run("wait", done, f"--timeout={seconds:.0f}s", f"pod/{pod}")

    def phase(self, pod: str) -> str:
        """Return the phase of a pod."""
        return str((self.kubectl.get(f"pod/{pod}").get("status") or {}).get("phase"))

    def container(self, pod: str) -> JSON:
        """Return the status of the container of a pod."""
        (status,) = self.kubectl.get(f"pod/{pod}")["status"]["containerStatuses"]
        return dict(status)

    def anew(self, pod: str, old: str) -> bool:
        """Tell whether another container of a pod runs than the one with the id `old`."""
        status = self.container(pod)
        return bool(status["ready"] and status["containerID"] != old)

    def events(self, name: str, reason: str) -> list[str]:
        """Return the messages of the events of an object, such as a pod."""
        chosen = f"--field-selector=involvedObject.name={name},reason={reason}"
        return [str(event["message"]) for event in self.kubectl.get("events", chosen)["items"]]

    def cannot_prepare(self, pod: str) -> list[str]:
        """Return what the kubelet says about failed prepares."""
        return self.events(pod, "FailedPrepareDynamicResources")

    def cdi_files(self) -> list[str]:
        """Return the names of the driver's CDI files."""
        prefix = self.contract.cdi_file_prefix
        return sorted(p.name for p in self.machine.cdi_dir.iterdir() if p.name.startswith(prefix))

    def slices(self) -> list[JSON]:
        """Return the driver's ResourceSlices, as v1 has them."""
        chosen = f"--field-selector=spec.driver={self.contract.driver_name}"
        return [as_v1(each) for each in self.kubectl.get("resourceslices", chosen)["items"]]

    def sockets(self) -> list[Path]:
        """Return the driver's sockets below the kubelet's directory."""
        root, name = self.machine.kubelet_root, self.contract.driver_name
        own, registry = (root / "plugins" / name).glob("*"), (root / "plugins_registry").glob("*")
        found = [*own, *(path for path in registry if name in path.name)]
        return sorted(path for path in found if path.is_socket())

    def log(self) -> str:
        """Return what the driver's pods of this node have written, the oldest first."""
        files = POD_LOGS.glob(f"{self.system}_*/**/*.log")
        ordered = sorted(files, key=lambda it: it.stat().st_mtime)
        return "".join(path.read_text(encoding="utf-8") for path in ordered)

    @contextmanager
    def kubelet_down(self) -> Iterator[None]:
        """Have no kubelet for a while."""
        self.machine.stop(kubelet.NAME)
        try:
            yield
        finally:
            self.machine.start(kubelet.NAME)


def resources_of(minor: int) -> StructuredResources:
    """Return resource.k8s.io in the newest version that Kubernetes 1.`minor` serves."""
    return STRUCTURED_VERSIONS[_OLDER.get(minor, "v1")]


def served(minor: int, obj: JSON) -> JSON:
    """Return an object in the version that Kubernetes 1.`minor` serves."""
    known = resources_of(minor)
    version = obj["apiVersion"]
    if not version.startswith(RESOURCE_GROUP) or version == known.claims.api_version:
        return obj
    resource = known.of_kind(obj["kind"])
    assert resource is not None, obj["kind"]
    return converted(obj, resource)


def served_text(minor: int, text: str) -> str:
    """Return a manifest with all objects as `served` has them."""
    return manifest(*(served(minor, obj) for obj in yaml.safe_load_all(text) if obj))


def as_v1(device_slice: JSON) -> JSON:
    """Return a ResourceSlice as v1 has it."""
    return converted(device_slice, _V1.slices)


def claim(name: str, *classes: str) -> JSON:
    """Return a claim for one device of each class."""
    requests = [
        {"name": f"r{number}", "exactly": {"deviceClassName": each}}
        for number, each in enumerate(classes)
    ]
    return claim_of(name, requests)


def claim_of(name: str, requests: Sequence[JSON]) -> JSON:
    """Return a claim with requests as v1 has them."""
    return {
        "apiVersion": _V1.claims.api_version,
        "kind": _V1.claims.kind,
        "metadata": {"name": name},
        "spec": {"devices": {"requests": list(requests)}},
    }


def template(claim: JSON) -> JSON:
    """Return a template for claims like this one, with its name."""
    kind = _V1.templates.kind
    return {**claim, "kind": kind, "spec": {"spec": claim["spec"]}}


def pod(name: str, *claims: str, command: str = STAY, restart: str = "Always") -> JSON:
    """Return a pod that uses claims, under their own names."""
    container: JSON = {
        "name": "main",
        "image": "busybox:1.36",
        "command": ["sh", "-c", command],
        "resources": {"claims": [{"name": each} for each in claims]},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "restartPolicy": restart,
            "resourceClaims": [{"name": each, "resourceClaimName": each} for each in claims],
            "containers": [container],
        },
    }
