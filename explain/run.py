"""Reads what an explanation needs, and explains."""

from allocation.selectors import Selectors
from explain.diagnosis import Diagnosis
from explain.pods import explain_pod
from explain.reading import Reading


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
