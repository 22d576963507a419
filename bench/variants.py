"""Which programs are measured in turn in a run, and which writes each has to make; pure."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

_UNAVOIDABLE_UP = 4
"""Writes of a driver to allocate: finalizer, NAS, claim status, PodSchedulingContext status."""

_UNAVOIDABLE_DOWN = 3
"""Writes of a driver to deallocate: NAS, claim status, finalizer."""

_OTHERS = 4
"""Writes of the benchmark: potential and selected nodes, end of the reservation, deletion."""

MANY_NODES = 100
"""Potential nodes from which on goals are others."""

Whose: TypeAlias = Literal["ours", "former"]
"""Programs that are given, or those of a former version of this project."""

Communication: TypeAlias = Literal["nas", "handle"]
"""Where a driver writes down what claims have: in node states, or in the claims themselves."""


@dataclass(frozen=True, slots=True)
class Variant:
    """Which of the programs of a run, and how they are set."""

    whose: Whose = "ours"
    communication: Communication = "nas"

    @property
    def name(self) -> str:
        """For directories and nodes."""
        return f"{self.whose}-{self.communication}"

    @property
    def frees_in_nas(self) -> bool:
        """Whether a claim cannot be freed without a write of the NAS."""
        return self.communication == "nas"

    @property
    def unavoidable(self) -> int:
        """Writes of a driver for a claim, up and down."""
        return _UNAVOIDABLE_UP + _UNAVOIDABLE_DOWN - (not self.frees_in_nas)

    @property
    def of_floor(self) -> int:
        """Writes of the floor for a claim, up and down."""
        return self.unavoidable + _OTHERS

    def __str__(self) -> str:
        former = ", former version" if self.whose == "former" else ""
        return former + (", handle mode" if self.communication == "handle" else "")
