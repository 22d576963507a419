"""Rules of PodSchedulingContexts, through which scheduler and drivers negotiate.

Source: kubernetes pkg/apis/resource/validation/validation.go (ValidatePodSchedulingContexts).
"""

from collections.abc import Iterator
from typing import Final

from api.objects import JSON
from devcluster.apiserver import fielderrors
from devcluster.apiserver.fielderrors import FieldError
from devcluster.apiserver.strategy import Strategy

MAX_NODES: Final = 128


def _node_errors(path: str, nodes: list[str]) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, node in enumerate(nodes):
        if node in seen:
            yield fielderrors.duplicate(f"{path}[{index}]", node)
        seen.add(node)
    if len(nodes) > MAX_NODES:
        yield fielderrors.too_long(path, MAX_NODES)


def _spec_errors(context: JSON) -> list[FieldError]:
    nodes = (context.get("spec") or {}).get("potentialNodes") or []
    return list(_node_errors("spec.potentialNodes", nodes))


def _status_errors(context: JSON) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, claim in enumerate((context.get("status") or {}).get("resourceClaims") or []):
        path, name = f"status.claims[{index}]", claim.get("name")
        if not name:
            yield fielderrors.required(f"{path}.name")
        elif name in seen:
            yield fielderrors.duplicate(path, name)
        else:
            seen.add(name)
        yield from _node_errors(f"{path}.unsuitableNodes", claim.get("unsuitableNodes") or [])


SCHEDULING_CONTEXTS: Final = Strategy(
    prepare_create=lambda context: context.update(status={}),
    check_create=_spec_errors,
    check_update=lambda new, _: _spec_errors(new),
    check_status=lambda new, _: list(_status_errors(new)),
)
