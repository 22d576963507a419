"""What a fault is, for the catalogues of them."""

from collections.abc import Callable
from dataclasses import dataclass

from ops.communication import Communication
from tests.support.worldrig import World

NAME = "a"
HERE, ELSEWHERE = "node-1", "node-2"


@dataclass(frozen=True)
class Case:
    """One fault in one place.

    Attributes:
        fault: what happens; one row of the table.
        how: how it is injected.
        place: where, or at which write.
        strike: does it to a world in which a pod waits for its claim on the node HERE.
        repair: what has to be told to people, empty if nothing.
        keeps: whether the pod has to have its devices at the end.
        communication: of the programs.
    """

    fault: str
    how: str
    place: str
    strike: Callable[[World], None]
    repair: str = ""
    keeps: bool = True
    communication: Communication = Communication.NAS

    def __str__(self) -> str:
        return f"{self.fault}: {self.place} ({self.communication})"


def up(world: World) -> None:
    """Bring the pod up: allocated, bound, prepared."""
    world.reconcile()
    world.bind()
    world.prepare()
