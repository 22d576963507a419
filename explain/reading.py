"""Reads a cluster for an explanation: what the caller may read, and never a secret."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Protocol

from allocation.gates import Gates
from allocation.taints import with_rules
from api.claims.versions import CLASSIC, STRUCTURED, choose
from api.contract import Contract
from api.conversion import converted
from api.errors import UnsupportedVersion
from api.names import RESOURCE_GROUP
from api.objects import JSON, key_of
from api.resources import (
    DRA_VERSIONS,
    EVENTS,
    NODES,
    PODS,
    STATES,
    STRUCTURED_VERSIONS,
    TAINT_RULES,
    Resource,
)
from explain.errors import CannotLook
from explain.features import features, parse_metric
from explain.seen import Classic, Features, Seen, Unread
from kube.errors import ApiError, Forbidden, NotFound, Unauthorized
from kube.pages import ListPage, Transform

_KEPT: Final = ("name", "namespace", "uid", "labels", "ownerReferences", "creationTimestamp")
_DENIED: Final = (Forbidden, Unauthorized)
_OLDEST: Final = 32


class Api(Protocol):
    """What is needed of kube.client.Client."""

    def versions(self, group: str) -> list[str]:
        """Return the served versions of an API group."""

    def server_version(self) -> JSON:
        """Return `GET /version`."""

    def metrics(self) -> str:
        """Return `GET /metrics`."""

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> JSON:
        """Return one object; NotFound if there is none."""

    def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        field_selector: str | None = None,
        transform: Transform = ...,
    ) -> ListPage:
        """Return all objects of a collection."""


@dataclass(slots=True)
class Reading:
    """One reading of a cluster.

    Attributes:
        flag: what the caller says of feature gates.
        now: reads the clock.
        unread: what could not be read so far.
    """

    api: Api
    flag: Mapping[str, bool]
    now: Callable[[], datetime]
    unread: list[Unread] = field(default_factory=list)

    def version(self) -> str:
        """Return which version of resource.k8s.io the cluster has.

        Raises:
            CannotLook: it has none that is known here.
        """
        served = self.api.versions(RESOURCE_GROUP)
        try:
            return choose(served, (*STRUCTURED, *CLASSIC), self.api.server_version())
        except UnsupportedVersion as error:
            raise CannotLook(str(error)) from error

    def pod(self, name: str, namespace: str) -> JSON:
        """Return the pod to explain.

        Raises:
            CannotLook: it is not there, or may not be read.
        """
        return self.one(PODS, name, namespace)

    def one(self, resource: Resource, name: str, namespace: str | None = None) -> JSON:
        """Return an object that there is no explanation without.

        Raises:
            CannotLook: it is not there, or may not be read.
        """
        where = f" in namespace {namespace}" if namespace else ""
        what = f"{resource.kind} {name}{where}"
        try:
            return self.api.get(resource, name, namespace)
        except NotFound as error:
            raise CannotLook(f"there is no {what}; see kubectl get {resource.plural}") from error
        except _DENIED as error:
            right = f"get {resource.plural}{f'.{resource.group}' if resource.group else ''}"
            raise CannotLook(f"{what} may not be read: you lack the right to {right}") from error

    def cluster(self, version: str, namespace: str) -> Seen:
        """Return what all explanations need.

        Args:
            version: a structured one of resource.k8s.io.
            namespace: whose claims are of interest if those of all may not be read.
        """
        minor = _minor(self.api.server_version())
        known = STRUCTURED_VERSIONS[version]
        v1 = STRUCTURED_VERSIONS["v1"]
        gates = features(minor, self.flag, self._metric())
        slices = self._list(known.slices, v1.slices)
        if gates.gates.device_taints:
            slices = list(with_rules(slices, self._rules()))
        return Seen(
            minor,
            gates,
            self.now(),
            claims=tuple(self._anywhere(known.claims, namespace, v1.claims)),
            classes={
                each["metadata"]["name"]: each for each in self._list(known.classes, v1.classes)
            },
            slices=tuple(slices),
            unread=tuple(self.unread),
        )

    def around(self, seen: Seen, version: str, pod: JSON) -> Seen:
        """Return what was seen together with what a pod needs besides."""
        return self._with_pod(seen, STRUCTURED_VERSIONS[version].templates, pod)

    def _with_pod(self, seen: Seen, templates: Resource, pod: JSON) -> Seen:
        namespace = pod["metadata"]["namespace"]
        return replace(
            seen,
            nodes=tuple(self._nodes(seen.slices)),
            pods=tuple(self._list(PODS, transform=room)),
            templates=frozenset(
                f"{namespace}/{each['metadata']['name']}"
                for each in self._list(templates, namespace=namespace)
            ),
            events=tuple(self.events(namespace, pod["metadata"].get("uid", ""))),
            unread=tuple(self.unread),
        )

    def classic(self, version: str, pod: JSON, contract: Contract) -> tuple[Seen, Classic]:
        """Return what there is where a driver's controller allocates."""
        known, namespace = DRA_VERSIONS[version], pod["metadata"]["namespace"]
        objects = {
            each.kind: {str(key_of(obj)): obj for obj in self._list(each)}
            for each in (known.classes, *known.parameters)
        }
        contexts = self._list(known.contexts, namespace=namespace)
        name = pod["metadata"]["name"]
        context = next((each for each in contexts if each["metadata"]["name"] == name), None)
        states = {each["metadata"]["name"]: each for each in self._list(STATES)}
        seen = Seen(
            _minor(self.api.server_version()),
            Features(Gates(), ""),
            self.now(),
            claims=tuple(self._anywhere(known.claims, namespace, None)),
            classes=objects[known.classes.kind],
        )
        found = self._with_pod(seen, known.templates, pod)
        return found, Classic(version, contract, states, context, objects)

    def pods(self, namespace: str) -> Sequence[JSON]:
        """Return the pods of a namespace, whole."""
        return self._list(PODS, namespace=namespace)

    def events(self, namespace: str, uid: str) -> Sequence[JSON]:
        """Return the events about an object."""
        return self._list(EVENTS, namespace=namespace, selector=f"involvedObject.uid={uid}")

    def nodes(self) -> Sequence[JSON]:
        """Return the nodes, none if they may not be read."""
        return self._list(NODES, transform=slim)

    def _nodes(self, slices: Sequence[JSON]) -> Sequence[JSON]:
        """Return the nodes; if they may not be read, those that slices name."""
        if found := self.nodes():
            return found
        names = {each["spec"].get("nodeName") for each in slices} - {None, ""}
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        return [{"metadata": {"name": each}, "status": ready} for each in sorted(names)]

    def _metric(self) -> Mapping[str, bool]:
        try:
            return parse_metric(self.api.metrics())
        except ApiError:
            return {}

    def _rules(self) -> Sequence[JSON]:
        served = self.api.versions(RESOURCE_GROUP)
        for each in TAINT_RULES:
            if each.version in served:
                try:
                    return self.api.list(each).items
                except NotFound:
                    continue
                except _DENIED as error:
                    self._note("list", each, "", error)
                    break
        return []

    def _anywhere(self, resource: Resource, namespace: str, as_: Resource | None) -> Sequence[JSON]:
        """Return the claims of all namespaces, or at least those of one."""
        before = len(self.unread)
        found = self._list(resource, as_)
        if len(self.unread) == before:
            return found
        try:
            items = self.api.list(resource, namespace=namespace, transform=slim).items
        except _DENIED:
            return []
        return [converted(each, as_) for each in items] if as_ else items

    def _list(
        self,
        resource: Resource,
        as_: Resource | None = None,
        *,
        namespace: str | None = None,
        selector: str | None = None,
        transform: Transform | None = None,
    ) -> Sequence[JSON]:
        try:
            items = self.api.list(
                resource,
                namespace=namespace,
                field_selector=selector,
                transform=transform or slim,
            ).items
        except NotFound:
            return []
        except _DENIED as error:
            self._note("list", resource, namespace or "", error)
            return []
        return [converted(each, as_) for each in items] if as_ is not None else items

    def _note(self, verb: str, resource: Resource, namespace: str, error: ApiError) -> None:
        name = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
        self.unread.append(Unread(verb, name, namespace, error.message or error.reason))


def slim(obj: JSON) -> JSON:
    """Return an object without what nobody looks at."""
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": meta}


def room(pod: JSON) -> JSON:
    """Return what of a pod takes room on its node."""
    spec = pod.get("spec") or {}
    kept = ("nodeName", "overhead", "resources")
    containers = {
        name: [_resources(each) for each in spec.get(name) or ()]
        for name in ("containers", "initContainers")
    }
    return {
        "metadata": {key: pod["metadata"][key] for key in _KEPT if key in pod["metadata"]},
        "spec": {**{key: spec[key] for key in kept if key in spec}, **containers},
        "status": {"phase": (pod.get("status") or {}).get("phase", "")},
    }


def _resources(container: JSON) -> JSON:
    return {key: container[key] for key in ("resources", "restartPolicy") if key in container}


def _minor(version: JSON) -> int:
    digits = "".join(filter(str.isdigit, str(version.get("minor", ""))))
    return int(digits or _OLDEST)
