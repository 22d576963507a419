"""A namespace in which one test works, with short names for what tests do all the time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from api.contract import FAKE
from api.nas import NodeAllocationState
from api.objects import JSON, ClaimUID
from api.resources import EVENTS, NAMESPACES, PODS
from demo.expect import devices_of
from dra.devicestate.cdi import FILE_SUFFIX
from kube.errors import NotFound
from testing.waiting import until
from tests.support.anycluster import Cluster
from tests.support.manifests import ONE, ClaimRequest, manifest, pod

READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Space:
    """One namespace of a cluster.

    Attributes:
        cluster: with nothing allocated when the test begins.
        name: of the namespace.
    """

    cluster: Cluster
    name: str

    def clear(self) -> None:
        """Delete everything in the namespace and the namespace, without waiting for the end."""
        for resource in (PODS, self.cluster.access.claims):
            for obj in self.cluster.client.list(resource, namespace=self.name).items:
                with suppress(NotFound):
                    self.cluster.client.delete(resource, obj["metadata"]["name"], self.name)
        self.cluster.client.delete(NAMESPACES, self.name)

    def apply(self, *objects: JSON) -> None:
        """Apply objects."""
        self.cluster.kubectl.apply(manifest(*objects))

    def claim(self, name: str, asked: ClaimRequest = ONE) -> list[JSON]:
        """Return a claim with what belongs to it."""
        return self.cluster.shapes.claim(self.name, name, asked)

    def template(self, name: str, asked: ClaimRequest = ONE) -> list[JSON]:
        """Return a template with what belongs to it."""
        return self.cluster.shapes.template(self.name, name, asked)

    def pod(self, name: str, *claims: str, **spec: object) -> JSON:
        """Return a pod that uses claims, under their own names."""
        return pod(self.name, name, [self.using(claim) for claim in claims], **spec)

    def inline_pod(self, name: str, *templates: str, **spec: object) -> JSON:
        """Return a pod with a claim from each of some templates, under their names."""
        uses = [self.cluster.shapes.use(each, template=each) for each in templates]
        return pod(self.name, name, uses, **spec)

    def using(self, claim: str) -> JSON:
        """Return a pod's entry for a claim."""
        return self.cluster.shapes.use(claim, claim=claim)

    @contextmanager
    def classes(
        self, name: str, model: str = "", nodes: JSON | None = None, **details: object
    ) -> Iterator[None]:
        """Have a class of the driver, with these arguments of Shapes.device_class."""
        made = self.cluster.shapes.device_class(name, model, nodes, **details)
        self.apply(*made)
        try:
            yield
        finally:
            self.cluster.kubectl.run("delete", "--filename=-", input=manifest(*made))

    def run(self, verb: str, *args: str) -> str:
        """Run a kubectl command in the namespace."""
        return self.cluster.kubectl.run(verb, "-n", self.name, *args)

    def delete(self, *targets: str) -> None:
        """Delete objects, as `kind/name`, and wait until they are gone."""
        self.run("delete", *targets)

    def ready(self, *pods: str, seconds: float = READY_SECONDS) -> None:
        """Wait until pods are Ready."""
        targets = [f"pod/{name}" for name in pods]
        self.run("wait", "--for=condition=Ready", f"--timeout={seconds:.0f}s", *targets)

    def succeeded(self, *pods: str, seconds: float = READY_SECONDS) -> None:
        """Wait until pods have succeeded."""
        targets = [f"pod/{name}" for name in pods]
        done = "--for=jsonpath={.status.phase}=Succeeded"
        self.run("wait", done, f"--timeout={seconds:.0f}s", *targets)

    def devices(self, pod: str, container: str = "main") -> list[str]:
        """Return the devices in the environment that a container has printed."""

        def printed() -> list[str]:
            return devices_of(self.run("logs", pod, "-c", container))

        return until(f"devices in the log of {pod}", printed)

    def get(self, kind: str, name: str) -> JSON:
        """Return an object."""
        return self.cluster.kubectl.get("-n", self.name, f"{kind}/{name}")

    def pods(self) -> list[JSON]:
        """Return all pods."""
        return self.cluster.client.list(PODS, namespace=self.name).items

    def phase(self, pod: str) -> str:
        """Return the phase of a pod."""
        return str((self.get("pod", pod).get("status") or {}).get("phase"))

    def claims(self) -> list[JSON]:
        """Return all claims."""
        return self.cluster.client.list(self.cluster.access.claims, namespace=self.name).items

    def uid(self, claim: str) -> ClaimUID:
        """Return the uid of a claim."""
        return ClaimUID(self.get("resourceclaim", claim)["metadata"]["uid"])

    def status(self, claim: str) -> JSON:
        """Return the status of a claim."""
        found: JSON = self.get("resourceclaim", claim).get("status") or {}
        return found

    def allocated(self, claim: str) -> None:
        """Wait until a claim is allocated."""
        until(f"allocation of {claim}", lambda: self.status(claim).get("allocation"))

    def unreserved(self, claim: str) -> None:
        """Wait until no pod has a claim reserved."""
        until(f"{claim} is not reserved", lambda: not self.status(claim).get("reservedFor"))

    def freed(self, claim: str) -> None:
        """Wait until a claim that no pod uses has no devices; before 1.28 it ends for that."""
        if self.cluster.minor < 28:
            self.delete(f"resourceclaim/{claim}")
        else:
            until(f"{claim} is free", lambda: FAKE.finalizer not in self.finalizers(claim))

    def finalizers(self, claim: str) -> list[str]:
        """Return the finalizers of a claim."""
        return list(self.get("resourceclaim", claim)["metadata"].get("finalizers") or [])

    def events(self, kind: str, name: str) -> list[JSON]:
        """Return the events on an object in the order of what happened, as their names have it."""
        found = self.cluster.client.list(EVENTS, namespace=self.name).items
        about = [each for each in found if each["involvedObject"]["kind"].lower() == kind]
        return sorted(
            (each for each in about if each["involvedObject"]["name"] == name),
            key=lambda each: str(each["metadata"]["name"]),
        )

    def warnings(self, kind: str, name: str) -> str:
        """Return the text of the Warning events on an object."""
        return self.run("events", "--for", f"{kind}/{name}", "--types=Warning")

    def told(self, kind: str, name: str, text: str) -> str:
        """Wait until a Warning event on an object has this text; return all its warnings."""
        what = f"{text!r} in an event of {kind}/{name}"
        until(what, lambda: text in self.warnings(kind, name))
        return self.warnings(kind, name)

    def told_that_prepare_failed(self, pod: str, claim: str) -> None:
        """Wait until the plugin and the kubelet have told; kubelets before 1.28 do not."""
        self.told("resourceclaim", claim, "PrepareFailed")
        if self.cluster.minor >= 28:
            self.told("pod", pod, "FailedPrepareDynamicResources")

    def states(self) -> Sequence[NodeAllocationState]:
        """Return the states of all nodes."""
        return self.cluster.session.states()

    def node_with(self, claim: str) -> str:
        """Return the node on which a claim is allocated."""
        uid = self.uid(claim)
        (node,) = [state.node for state in self.states() if uid in state.holders]
        return node

    def prepared(self) -> set[ClaimUID]:
        """Return the claims that are prepared on any node; the files tell if the nodes do not."""
        states = self.states()
        if all(state.prepared_here for state in states):
            return {uid for state in states for uid in state.prepared}
        begin = FAKE.cdi_file_prefix
        return {
            ClaimUID(name.removeprefix(begin).removesuffix(FILE_SUFFIX))
            for name in self.cluster.cdi_files()
        }

    def given(self) -> set[ClaimUID]:
        """Return the claims that are allocated on any node."""
        return {uid for state in self.states() for uid in state.holders}
