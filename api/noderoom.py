"""Whether a node has room for a pod: cpu, memory, and the number of pods.

Source: k8s.io/component-helpers/resource, kubernetes plugins/noderesources/fit.go.
"""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Final

from api.objects import JSON
from api.quantities import quantity

_COUNTED: Final = ("cpu", "memory")
_ENDED: Final = ("Succeeded", "Failed")

Room = Mapping[str, Fraction]


def asked(pod: JSON) -> dict[str, Fraction]:
    """Return what a pod asks for: its containers together, or more while it is initialised."""
    return {name: _asked(pod.get("spec") or {}, name) for name in _COUNTED}


def taken(pods: Iterable[JSON]) -> dict[str, dict[str, Fraction]]:
    """Return what the pods on each node take, `pods` among it."""
    found: dict[str, dict[str, Fraction]] = {}
    for pod in pods:
        node = (pod.get("spec") or {}).get("nodeName")
        if not node or (pod.get("status") or {}).get("phase") in _ENDED:
            continue
        total = found.setdefault(node, {})
        for name, amount in {**asked(pod), "pods": Fraction(1)}.items():
            total[name] = total.get(name, Fraction(0)) + amount
    return found


def lacking(pod: JSON, node: JSON, used: Room) -> Iterator[str]:
    """Yield what a node has too little of for a pod, in the words of kube-scheduler."""
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    wanted = {**asked(pod), "pods": Fraction(1)}
    for name, amount in wanted.items():
        if name not in allocatable or not amount:
            continue
        if used.get(name, 0) + amount > quantity(allocatable[name]):
            yield "Too many pods" if name == "pods" else f"Insufficient {name}"


def _asked(spec: JSON, name: str) -> Fraction:
    running = sum((_of(each, name) for each in spec.get("containers") or ()), Fraction(0))
    beside, most = Fraction(0), Fraction(0)
    for each in spec.get("initContainers") or ():
        if each.get("restartPolicy") == "Always":
            beside += _of(each, name)
            most = max(most, beside)
        else:
            most = max(most, beside + _of(each, name))
    overhead = (spec.get("overhead") or {}).get(name, 0)
    whole = (spec.get("resources") or {}).get("requests") or {}
    base = quantity(whole[name]) if name in whole else max(running + beside, most)
    return base + quantity(overhead)


def _of(container: JSON, name: str) -> Fraction:
    return quantity(((container.get("resources") or {}).get("requests") or {}).get(name, 0))
