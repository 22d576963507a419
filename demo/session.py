"""What the walkthrough does to a cluster: apply, wait, read logs and node states, delete."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import yaml

from api.claims.versions import read_claim
from api.conditions import holds
from api.contract import Contract
from api.handles import all_with_claims
from api.nas import NodeAllocationState, parse_nas
from api.objects import JSON
from api.resources import CLAIM_PARAMETERS, DRA_V1ALPHA2, EVENTS, NAMESPACES, PODS, STATES, Resource
from demo.expect import Container, Demo, Devices, devices_in, leftovers
from kube.client import Client
from kube.errors import Conflict, KubeError, NotFound

SYSTEM = "fake-system"
_KINDS = {
    "Namespace": NAMESPACES,
    "Pod": PODS,
    "ResourceClaim": DRA_V1ALPHA2.claims,
    "ResourceClaimTemplate": DRA_V1ALPHA2.templates,
    CLAIM_PARAMETERS.kind: CLAIM_PARAMETERS,
}

_POLL_SECONDS = 0.1
_T = TypeVar("_T")


class DemoFailed(Exception):
    """The cluster did not come to what a demo expects; the message says how far it came."""


class Session:
    """One user's work on a cluster."""

    def __init__(
        self,
        client: Client,
        contract: Contract,
        *,
        claims: Resource = DRA_V1ALPHA2.claims,
        timeout: float = 60.0,
    ) -> None:
        """Work through `client`, and end every wait after some time.

        Args:
            client: of the API server.
            contract: of the driver.
            claims: ResourceClaims in the version that it serves.
            timeout: seconds.
        """
        self._client = client
        self._contract = contract
        self._claims = claims
        self._timeout = timeout

    def apply(self, manifest: Path, *, in_turn: bool = False) -> list[str]:
        """Create the objects of a manifest; return `kind/name` of each.

        Args:
            manifest: a file.
            in_turn: whether a pod has its node before the next object comes, so that devices are
                given out in the same order each time.
        """
        told = []
        for doc in yaml.safe_load_all(manifest.read_text(encoding="utf-8")):
            version = str(doc["apiVersion"]).rpartition("/")[2]
            resource = replace(_KINDS[doc["kind"]], version=version)
            namespace = doc["metadata"].get("namespace") if resource.namespaced else None
            try:
                self._client.create(resource, doc, namespace)
                verb = "created"
            except Conflict:
                verb = "unchanged"
            told.append(f"{doc['kind'].lower()}/{doc['metadata']['name']} {verb}")
            if in_turn and resource == PODS:
                self._bound(doc["metadata"]["name"], str(namespace))
        return told

    def _bound(self, pod: str, namespace: str) -> None:
        def node() -> str | None:
            found: str | None = self._client.get(PODS, pod, namespace)["spec"].get("nodeName")
            return found

        self._until(
            f"pod {namespace}/{pod} has a node", node, lambda: self._last_event(namespace, pod)
        )

    def delete(self, demo: Demo) -> None:
        """Delete a demo with everything in its namespace."""
        try:
            self._client.delete(NAMESPACES, demo.name)
        except NotFound:
            return

    def running(self, demo: Demo) -> list[JSON]:
        """Wait until all pods of a demo are Running and Ready; return them."""

        def ready() -> list[JSON] | None:
            pods = self._client.list(PODS, namespace=demo.name).items
            names = sorted(p["metadata"]["name"] for p in pods if holds(p, "Ready"))
            return pods if names == demo.pods else None

        return self._until(f"pods of {demo.name} are running", ready, lambda: self._why(demo))

    def released(self, demos: Sequence[Demo]) -> None:
        """Wait until the claims of demos are gone and no node holds anything for them."""
        names = {demo.name for demo in demos}

        def free() -> bool | None:
            claims = self.claim_objects()
            left = any(claim["metadata"]["namespace"] in names for claim in claims)
            return None if left or self.leftovers() else True

        self._until("all devices are free again", free, lambda: "\n".join(self.leftovers()))

    def leftovers(self) -> list[str]:
        """Return what is still held; each claim of a demo is gone."""
        return leftovers(self.states())

    def devices(self) -> Devices:
        """Return what there is, and what of it is prepared."""
        return devices_in(self.states())

    def claim_objects(self) -> list[JSON]:
        """Return all claims."""
        return self._client.list(self._claims).items

    def state_objects(self) -> list[JSON]:
        """Return all NodeAllocationStates, by name."""
        found = self._client.list(STATES, namespace=SYSTEM).items
        return sorted(found, key=lambda obj: str(obj["metadata"]["name"]))

    def states(self) -> list[NodeAllocationState]:
        """Return all NodeAllocationStates as values, by name, with what claims say themselves."""
        states = [parse_nas(obj, self._contract.device_key) for obj in self.state_objects()]
        return all_with_claims(states, map(read_claim, self.claim_objects()), self._contract)

    def nodes_ready(self, count: int) -> bool:
        """Wait until that many nodes offer their devices; then it is True."""

        def ready() -> bool | None:
            return self._ready_nodes() == count or None

        return self._until(f"{count} nodes are Ready", ready, lambda: "")

    def _ready_nodes(self) -> int:
        return sum(state.ready for state in self.states())

    def logs(self, demo: Demo) -> dict[Container, str]:
        """Return the log of every container, waiting for the environment that they print."""
        return {
            (pod, container): self._until(
                f"{demo.name} {pod} {container} has printed its environment",
                partial(self._log, demo.name, pod, container),
                partial(self._last_event, demo.name, pod),
            )
            for pod, container in demo.containers
        }

    def _log(self, namespace: str, pod: str, container: str) -> str | None:
        text = self._client.log(namespace, pod, container)
        return text if self._contract.env_device_prefix in text else None

    def _until(self, what: str, look: Callable[[], _T | None], why: Callable[[], str]) -> _T:
        deadline = time.monotonic() + self._timeout
        trouble = ""
        while time.monotonic() < deadline:
            try:
                found = look()
            except KubeError as error:
                found, trouble = None, str(error)
            if found is not None:
                return found
            time.sleep(_POLL_SECONDS)
        told = [f"not seen in {self._timeout:.0f} s: {what}", trouble, why()]
        raise DemoFailed("\n".join(filter(None, told)))

    def _why(self, demo: Demo) -> str:
        return "\n".join(self._reasons(demo))

    def _reasons(self, demo: Demo) -> Iterator[str]:
        for pod in self._client.list(PODS, namespace=demo.name).items:
            yield f"pod {pod['metadata']['name']} is {(pod.get('status') or {}).get('phase')}"
        yield from map(_told, self._client.list(EVENTS, namespace=demo.name).items)

    def _last_event(self, namespace: str, pod: str) -> str:
        found = self._client.list(EVENTS, namespace=namespace).items
        about = [event for event in found if _is_about(event, pod)]
        return _told(max(about, key=_when)) if about else ""


def _told(event: JSON) -> str:
    about = event.get("involvedObject") or {}
    told = f"{event.get('reason')}: {event.get('message')}"
    return f"{event.get('type')} {about.get('kind')}/{about.get('name')} {told}"


def _is_about(event: JSON, pod: str) -> bool:
    about = event.get("involvedObject") or {}
    return about.get("kind") == "Pod" and about.get("name") == pod


def _when(event: JSON) -> tuple[str, str]:
    """Return when it was last, which recorders of events.k8s.io leave out; names tell more."""
    meta = event["metadata"]
    return str(event.get("lastTimestamp") or meta["creationTimestamp"]), str(meta["name"])
