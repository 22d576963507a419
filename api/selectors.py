"""Selectors matched: which nodes a class or an allocation is good for, which objects have labels.

Source: k8s.io/component-helpers/scheduling/corev1/nodeaffinity; terms are alternatives, the
requirements of a term must all hold, and a term without requirements matches nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from api.objects import JSON, NodeName


def selects(selector: JSON | None, name: str, labels: Mapping[str, str] | None) -> bool:
    """Tell whether a NodeSelector matches a node.

    Args:
        selector: a core/v1 NodeSelector; None matches every node.
        name: the node's name, for `matchFields`.
        labels: the node's labels, for `matchExpressions`; None if they are not known: these hold.
    """
    if selector is None:
        return True
    return any(_term(term, name, labels) for term in selector.get("nodeSelectorTerms") or [])


def only_node(name: str) -> JSON:
    """Return the NodeSelector that matches one node, by name and whatever its labels."""
    field = {"key": "metadata.name", "operator": "In", "values": [name]}
    return {"nodeSelectorTerms": [{"matchFields": [field]}]}


def named_nodes(selector: JSON | None) -> Iterator[NodeName]:
    """Yield the nodes that a NodeSelector names, as `only_node` does."""
    for term in (selector or {}).get("nodeSelectorTerms") or []:
        for match in term.get("matchFields") or []:
            if match.get("key") == "metadata.name" and match.get("operator") == "In":
                yield from map(NodeName, match.get("values") or [])


def selects_labels(selector: JSON | None, labels: Mapping[str, str]) -> bool:
    """Tell whether a metav1 LabelSelector matches labels; None matches none, an empty one all."""
    if selector is None:
        return False
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    return wanted.items() <= labels.items() and all(
        _requirement(each, labels) for each in selector.get("matchExpressions") or []
    )


def _term(term: JSON, name: str, labels: Mapping[str, str] | None) -> bool:
    expressions = term.get("matchExpressions") or []
    by_field = term.get("matchFields") or []
    if not expressions and not by_field:
        return False
    return (labels is None or all(_requirement(r, labels) for r in expressions)) and all(
        _requirement(r, {"metadata.name": name}) for r in by_field
    )


def _requirement(requirement: JSON, values: Mapping[str, str]) -> bool:
    found = values.get(str(requirement.get("key")))
    test = _OPERATORS.get(str(requirement.get("operator")))
    return test is not None and test(found, [str(v) for v in requirement.get("values") or []])


def _compare(found: str | None, wanted: list[str], sign: int) -> bool:
    try:
        return found is not None and (int(found) - int(wanted[0])) * sign > 0
    except (ValueError, IndexError):
        return False


_OPERATORS: Final[Mapping[str, Callable[[str | None, list[str]], bool]]] = {
    "In": lambda found, wanted: found in wanted,
    "NotIn": lambda found, wanted: found not in wanted,
    "Exists": lambda found, _: found is not None,
    "DoesNotExist": lambda found, _: found is None,
    "Gt": lambda found, wanted: _compare(found, wanted, 1),
    "Lt": lambda found, wanted: _compare(found, wanted, -1),
}
