"""Objects that cluster tests create, in the version of resource.k8s.io that the cluster serves.

A test says what it wants; `Shapes` of the version knows how that is written: v1alpha2 (Kubernetes
1.27 to 1.30) keeps parameters in objects of their own, v1alpha3 (1.31) within the claim.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import yaml

from api.contract import FAKE
from api.names import CLAIM_PARAMETERS_KIND, CLASS_PARAMETERS_KIND, RESOURCE_GROUP
from api.objects import JSON
from api.resources import CLAIM_PARAMETERS

CLASS_NAME = "fake.3-shake.com"
IMAGE = "busybox:1.36"
PRINT_AND_STAY = "trap 'exit 0' TERM; export; sleep 9999 & wait"
PRINT_AND_END = "export"


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What a claim asks for.

    Attributes:
        count: devices.
        split: children of each.
        model: glob of the model; empty is any.
        of: name of the class.
        immediate: allocated without a pod; before 1.31 only.
    """

    count: int = 1
    split: int = 0
    model: str = ""
    of: str = CLASS_NAME
    immediate: bool = False

    @property
    def details(self) -> JSON:
        """The spec of the parameters apart from the count; empty if there is nothing to say."""
        found: JSON = {"split": self.split} if self.split else {}
        return found | ({"selector": {"model": self.model}} if self.model else {})


ONE = ClaimRequest()


class Shapes(Protocol):
    """How one version of resource.k8s.io writes what tests want.

    Attributes:
        version: such as `v1alpha2`.
    """

    version: str

    def claim(self, place: str, name: str, asked: ClaimRequest = ONE) -> list[JSON]:
        """Return a claim, behind the parameters that it needs."""
        ...

    def template(self, place: str, name: str, asked: ClaimRequest = ONE) -> list[JSON]:
        """Return a template for claims, behind the parameters that it needs."""
        ...

    def device_class(
        self, name: str, model: str = "", nodes: JSON | None = None, **details: object
    ) -> list[JSON]:
        """Return a class of the driver.

        Args:
            name: of the class.
            model: glob of the models that it offers; empty is all.
            nodes: NodeSelector of those that serve it.
            details: more fields of its parameters.
        """
        ...

    def use(self, name: str, *, claim: str = "", template: str = "") -> JSON:
        """Return an entry of a pod's resourceClaims."""
        ...


class V1Alpha2:
    """Implements Shapes for Kubernetes 1.27 to 1.30."""

    version = "v1alpha2"

    def claim(self, place: str, name: str, asked: ClaimRequest = ONE) -> list[JSON]:
        return [*_parameters_of(place, name, asked), self.bare_claim(place, name, asked)]

    def bare_claim(
        self, place: str, name: str, asked: ClaimRequest = ONE, params: str = ""
    ) -> JSON:
        """Return a claim alone; `params` is the name of its parameters if not its own name."""
        spec = self._spec(params or name, asked, bool(params))
        return _object(_group(self.version), "ResourceClaim", name, place) | {"spec": spec}

    def template(self, place: str, name: str, asked: ClaimRequest = ONE) -> list[JSON]:
        head = _object(_group(self.version), "ResourceClaimTemplate", name, place)
        made = head | {"spec": {"spec": self._spec(name, asked)}}
        return [*_parameters_of(place, name, asked), made]

    def device_class(
        self, name: str, model: str = "", nodes: JSON | None = None, **details: object
    ) -> list[JSON]:
        made = _object(_group(self.version), "ResourceClass", name) | {
            "driverName": FAKE.driver_name
        }
        if nodes:
            made["suitableNodes"] = nodes
        if not (model or details):
            return [made]
        offered = _class_parameters(model, details)
        offered["metadata"] = {"name": name}
        return [offered, made | {"parametersRef": _reference(CLASS_PARAMETERS_KIND, name)}]

    def use(self, name: str, *, claim: str = "", template: str = "") -> JSON:
        return {"name": name, "source": _source(claim, template)}

    def _spec(self, name: str, asked: ClaimRequest, referring: bool = False) -> JSON:
        mode = "Immediate" if asked.immediate else "WaitForFirstConsumer"
        spec: JSON = {"resourceClassName": asked.of, "allocationMode": mode}
        if referring or asked.details or asked.count != 1:
            spec["parametersRef"] = _reference(CLAIM_PARAMETERS_KIND, name)
        return spec


class V1Alpha3:
    """Implements Shapes for Kubernetes 1.31."""

    version = "v1alpha3"

    def claim(self, place: str, name: str, asked: ClaimRequest = ONE) -> list[JSON]:
        head = _object(_group(self.version), "ResourceClaim", name, place)
        return [head | {"spec": self._spec(asked)}]

    def template(self, place: str, name: str, asked: ClaimRequest = ONE) -> list[JSON]:
        head = _object(_group(self.version), "ResourceClaimTemplate", name, place)
        return [head | {"spec": {"spec": self._spec(asked)}}]

    def device_class(
        self, name: str, model: str = "", nodes: JSON | None = None, **details: object
    ) -> list[JSON]:
        spec: JSON = {"suitableNodes": nodes} if nodes else {}
        if model or details:
            spec["config"] = [_opaque(_class_parameters(model, details))]
        return [_object(_group(self.version), "DeviceClass", name) | {"spec": spec}]

    def use(self, name: str, *, claim: str = "", template: str = "") -> JSON:
        return {"name": name} | _source(claim, template)

    def _spec(self, asked: ClaimRequest) -> JSON:
        if asked.immediate:
            raise ValueError("a claim of Kubernetes 1.31 always waits for its first consumer")
        request = {"name": "fakes", "deviceClassName": asked.of, "count": asked.count}
        devices: JSON = {"requests": [request | {"allocationMode": "ExactCount"}]}
        if asked.details:
            devices["config"] = [_opaque(_claim_parameters(asked.details))]
        return {"controller": FAKE.driver_name, "devices": devices}


ALL_SHAPES: tuple[Shapes, ...] = (V1Alpha2(), V1Alpha3())


def namespace(name: str) -> JSON:
    """Return a namespace."""
    return _object("v1", "Namespace", name)


def parameters(place: str, name: str, **spec: object) -> JSON:
    """Return FakeClaimParameters."""
    return _claim_parameters(spec) | {"metadata": {"namespace": place, "name": name}}


def container(name: str = "main", uses: Sequence[str] = (), command: str = PRINT_AND_STAY) -> JSON:
    """Return a container that gets the devices of some of its pod's claims."""
    return {
        "name": name,
        "image": IMAGE,
        "command": ["sh", "-c", command],
        "resources": {"claims": [{"name": use} for use in uses]},
    }


def pod(place: str, name: str, uses: Sequence[JSON], **spec: object) -> JSON:
    """Return a pod, by default with one container `main` that gets all its claims.

    Args:
        place: namespace.
        name: of the pod.
        uses: its resourceClaims.
        spec: fields of the spec; `containers` in place of `main`.
    """
    made = _object("v1", "Pod", name, place)
    usual = {"containers": [container(uses=[use["name"] for use in uses])]}
    return made | {"spec": usual | {"resourceClaims": list(uses)} | spec}


def deployment(place: str, name: str, uses: Sequence[JSON], **spec: object) -> JSON:
    """Return a Deployment of pods as `pod` makes them, which end when they are asked to."""
    made = _object("apps/v1", "Deployment", name, place)
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod(place, name, uses)["spec"]}
    own = {"selector": {"matchLabels": labels}, "template": template}
    return made | {"spec": own | spec}


def job(place: str, name: str, uses: Sequence[JSON], **spec: object) -> JSON:
    """Return a Job of pods as `pod` makes them, which print their environment and end."""
    ends = [container(uses=[use["name"] for use in uses], command=PRINT_AND_END)]
    template = {"spec": pod(place, name, uses, containers=ends, restartPolicy="Never")["spec"]}
    return _object("batch/v1", "Job", name, place) | {"spec": {"template": template} | spec}


def manifest(*objects: JSON) -> str:
    """Return one text for `kubectl apply`."""
    text: str = yaml.safe_dump_all(objects)
    return text


def _group(version: str) -> str:
    return f"{RESOURCE_GROUP}/{version}"


def _object(api_version: str, kind: str, name: str, place: str = "") -> JSON:
    meta: JSON = {"name": name} | ({"namespace": place} if place else {})
    return {"apiVersion": api_version, "kind": kind, "metadata": meta}


def _source(claim: str, template: str) -> JSON:
    if template:
        return {"resourceClaimTemplateName": template}
    return {"resourceClaimName": claim}


def _parameters_of(place: str, name: str, asked: ClaimRequest) -> list[JSON]:
    if not asked.details and asked.count == 1:
        return []
    return [parameters(place, name, count=asked.count, **asked.details)]


def _claim_parameters(spec: JSON) -> JSON:
    return {"apiVersion": CLAIM_PARAMETERS.api_version, "kind": CLAIM_PARAMETERS_KIND, "spec": spec}


def _class_parameters(model: str, details: Mapping[str, object]) -> JSON:
    selector = {"deviceSelector": [{"type": "fake", "name": model}]} if model else {}
    head = {"apiVersion": CLAIM_PARAMETERS.api_version, "kind": CLASS_PARAMETERS_KIND}
    return head | {"spec": {**selector, **details}}


def _reference(kind: str, name: str) -> JSON:
    return {"apiGroup": CLAIM_PARAMETERS.group, "kind": kind, "name": name}


def _opaque(parameters: JSON) -> JSON:
    return {"opaque": {"driver": FAKE.driver_name, "parameters": parameters}}
