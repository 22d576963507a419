"""What fsck repairs by itself: just what cannot meet an allocation that is under way.

The controller repairs more, because it knows what it is doing at the moment. Each repair carries
the resourceVersion of what was looked at, so it is refused when anybody was faster.
"""

from dataclasses import dataclass
from typing import Protocol

from api.contract import Contract
from api.invariants import Fault, Violation
from api.nas import allocated_patch
from api.objects import JSON
from api.resources import STATES, Resource
from fsck.looks import Look
from kube.errors import KubeError


@dataclass(frozen=True, slots=True)
class Repair:
    """One write that puts a violation right."""

    violation: Violation
    resource: Resource
    name: str
    namespace: str
    patch: JSON


class Writer(Protocol):
    """What is needed of kube.client.Client."""

    def patch(
        self, resource: Resource, name: str, patch: JSON, *, namespace: str | None = None
    ) -> JSON:
        """Apply a merge patch."""


def plan(seen: Look, violation: Violation, claims: Resource, contract: Contract) -> Repair | None:
    """Return the repair of a violation, None where people or the controller have to do it."""
    if violation not in seen.violations:
        return None
    if violation.kind == Fault.ORPHANED:
        state = seen.states[violation.node]
        rest = {uid: given for uid, given in state.allocated.items() if uid != violation.claim}
        patch = allocated_patch(state, rest, contract.device_key, state.writer)
        return Repair(violation, STATES, state.node, state.namespace, patch)
    if violation.kind == Fault.UNPROTECTED:
        claim = seen.claims[violation.claim]
        if claim.deleting:
            return None
        patch = {
            "metadata": {
                "resourceVersion": claim.raw["metadata"]["resourceVersion"],
                "finalizers": [*claim.finalizers, contract.finalizer],
            }
        }
        return Repair(violation, claims, claim.name, claim.namespace, patch)
    return None


def apply(client: Writer, repair: Repair) -> str:
    """Do a repair; return why not, empty when it is done."""
    try:
        client.patch(repair.resource, repair.name, repair.patch, namespace=repair.namespace)
    except KubeError as error:
        return str(error)
    return ""
