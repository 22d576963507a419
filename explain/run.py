"""Reads what an explanation needs, and explains."""

from collections.abc import Mapping

from allocation.selectors import Selectors
from api.claims.versions import CLAIMS, CLASSIC
from api.contract import Contract
from api.conversion import converted
from api.objects import JSON
from api.resources import NODES
from explain.claims import alone, explain_claim
from explain.classic import explain_classic
from explain.diagnosis import Cause, Diagnosis, Overview
from explain.errors import CannotLook
from explain.nodes import explain_node
from explain.pods import explain_pod
from explain.reading import Reading
from explain.seen import Seen
from explain.selection import explain_class, why_not


def pod(reading: Reading, name: str, namespace: str, contract: Contract) -> Diagnosis:
    """Explain a pod.

    Args:
        reading: reads the cluster.
        name: of the pod.
        namespace: of the pod.
        contract: of our driver, where a controller allocates.

    Raises:
        CannotLook: it can't be read.
        KubeError: the API server does not answer.
    """
    raw = reading.pod(name, namespace)
    version = reading.version()
    if version in CLASSIC:
        return explain_classic(raw, *reading.classic(version, raw, contract))
    seen = reading.around(reading.cluster(version, namespace), version, raw)
    return explain_pod(raw, seen, Selectors())


def claim(reading: Reading, name: str, namespace: str, contract: Contract) -> Diagnosis:
    """Explain a claim; see `pod`."""
    version = reading.version()
    raw = reading.one(CLAIMS[version], name, namespace)
    pods = reading.pods(namespace)
    if version in CLASSIC:
        seen, classic = reading.classic(version, raw, contract)
        return explain_claim(
            raw, pods, seen, lambda each: explain_classic(each, seen, classic), _unused
        )
    seen = reading.around(reading.cluster(version, namespace), version, raw)
    selectors = Selectors()
    return explain_claim(
        converted(raw, CLAIMS["v1"]),
        pods,
        seen,
        lambda each: explain_pod(each, seen, selectors),
        lambda each: alone(each, seen, selectors),
    )


def _unused(_claim: JSON) -> Diagnosis:
    text = "it is not allocated, and no pod waits for it"
    return Diagnosis("", Cause.UNUSED, None, text)


def node(reading: Reading, name: str) -> Overview:
    """Explain a node; raises as `pod` does."""
    raw = reading.one(NODES, name)
    return explain_node(raw, reading.cluster(_structured(reading), ""))


def class_(reading: Reading, name: str) -> Overview:
    """Explain a class; raises as `pod` does."""
    seen = reading.cluster(_structured(reading), "")
    return explain_class(_class(seen.classes, name, seen), seen, Selectors())


def selector(reading: Reading, expression: str, class_name: str) -> Overview:
    """Try a selector; raises as `pod` does."""
    seen = reading.cluster(_structured(reading), "")
    found = _class(seen.classes, class_name, seen) if class_name else None
    return why_not(expression, found, seen, Selectors())


def _structured(reading: Reading) -> str:
    version = reading.version()
    if version in CLASSIC:
        raise CannotLook(
            f"a driver's controller allocates in this cluster ({version} of resource.k8s.io): only "
            "pods and claims can be explained there"
        )
    return version


def _class(classes: Mapping[str, JSON], name: str, seen: Seen) -> JSON:
    if name in classes:
        return classes[name]
    if seen.lacks("deviceclasses"):
        raise CannotLook("you lack the right to list deviceclasses.resource.k8s.io")
    known = ", ".join(sorted(classes)) or "none"
    raise CannotLook(f"there is no DeviceClass {name}; there are: {known}")
