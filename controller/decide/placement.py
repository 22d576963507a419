"""Which node an Immediate claim gets, of those that its class selects: pure.

Called by `claims.sync`, which tries the nodes in this order until one serves the claim.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from api.objects import NodeName
from api.parameters import Policy
from controller.decide.nodehealth import Objection


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node for an Immediate claim.

    Attributes:
        node: its name.
        objection: what speaks against it.
        holding: whether it holds the claim's devices, as after a crash.
        free: how much of the node is: devices of any model, or with a policy devices and shares of
            what the class offers.
    """

    node: NodeName
    objection: Objection | None
    holding: bool = False
    free: int = 0


def preferred(candidates: Iterable[Candidate], policy: Policy | None) -> list[Candidate]:
    """Return the nodes in the order in which to try them; ties go by name.

    First come those that least speaks against, and of these one that holds the claim's devices.
    """

    def rank(each: Candidate) -> tuple[int, bool, int, str]:
        severity = each.objection.severity if each.objection else 0
        room = each.free if policy is Policy.PACKED else -each.free
        return (severity, not each.holding, room, each.node)

    return sorted(candidates, key=rank)
