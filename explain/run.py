"""Reads what an explanation needs, and explains."""

from collections.abc import Mapping

from allocation.selectors import Selectors
from api.conversion import converted
from api.objects import JSON
from api.resources import NODES, STRUCTURED_VERSIONS
from explain.claims import explain_claim
from explain.diagnosis import Diagnosis, Overview
from explain.errors import CannotLook
from explain.nodes import explain_node
from explain.pods import explain_pod
from explain.reading import Reading
from explain.seen import Seen
from explain.selection import explain_class, why_not


def pod(reading: Reading, name: str, namespace: str) -> Diagnosis:
    """Explain a pod.

    Raises:
        CannotLook: it can't be read.
        KubeError: the API server does not answer.
    """
    raw = reading.pod(name, namespace)
    version = reading.version()
    seen = reading.around(reading.cluster(version, namespace), version, raw)
    return explain_pod(raw, seen, Selectors())


def claim(reading: Reading, name: str, namespace: str) -> Diagnosis:
    """Explain a claim; raises as `pod` does."""
    version = reading.version()
    raw = reading.one(STRUCTURED_VERSIONS[version].claims, name, namespace)
    seen = reading.around(reading.cluster(version, namespace), version, raw)
    found = converted(raw, STRUCTURED_VERSIONS["v1"].claims)
    return explain_claim(found, reading.pods(namespace), seen, Selectors())


def node(reading: Reading, name: str) -> Overview:
    """Explain a node; raises as `pod` does."""
    raw = reading.one(NODES, name)
    return explain_node(raw, reading.cluster(reading.version(), ""))


def class_(reading: Reading, name: str) -> Overview:
    """Explain a class; raises as `pod` does."""
    seen = reading.cluster(reading.version(), "")
    return explain_class(_class(seen.classes, name, seen), seen, Selectors())


def selector(reading: Reading, expression: str, class_name: str) -> Overview:
    """Try a selector; raises as `pod` does."""
    seen = reading.cluster(reading.version(), "")
    found = _class(seen.classes, class_name, seen) if class_name else None
    return why_not(expression, found, seen, Selectors())


def _class(classes: Mapping[str, JSON], name: str, seen: Seen) -> JSON:
    if name in classes:
        return classes[name]
    if seen.lacks("deviceclasses"):
        raise CannotLook("you lack the right to list deviceclasses.resource.k8s.io")
    known = ", ".join(sorted(classes)) or "none"
    raise CannotLook(f"there is no DeviceClass {name}; there are: {known}")
