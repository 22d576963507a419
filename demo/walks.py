"""The demos of each kind of claims, and what is shown of the cluster before and after them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from demo.describe import section
from demo.expect import STRUCTURED_WAVES, WAVES, Demo
from demo.session import Session
from demo.structured_session import StructuredSession

Show: TypeAlias = Callable[[Any], Iterator[str]]
"""Returns lines about the cluster of a session of its kind."""

_NUMBERS: Final = {5: "five", 7: "seven"}


@dataclass(frozen=True, slots=True)
class Walk:
    """One kind of claims.

    Attributes:
        kubernetes: minor of the cluster.
        folder: of the manifests, below that of the demos.
        session: works on such a cluster.
        waves: demos that run at the same time.
        shown: titles and what is below them, at first and then during each wave.
    """

    kubernetes: str
    folder: Path
    session: Callable[..., Session]
    waves: Sequence[Sequence[Demo]]
    shown: Sequence[Sequence[tuple[str, Show]]]

    @property
    def number(self) -> str:
        """How many demos there are."""
        return _NUMBERS[sum(map(len, self.waves))]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table, as kubectl prints it."""
    widths = [max(len(row[n]) for row in [head, *rows]) + 3 for n in range(len(head))]
    for row in [head, *rows]:
        yield "".join(f"{cell:<{widths[n]}}" for n, cell in enumerate(row)).rstrip()


def _state(title: str, *path: str) -> tuple[str, Show]:
    return f"{title}: kubectl describe -n fake-system nas/<node>", partial(_states, path=path)


def _states(session: Session, path: Sequence[str]) -> Iterator[str]:
    for obj in session.state_objects():
        yield f"Name:  {obj['metadata']['name']}\n{section(obj, *path)}"


def _offered(session: StructuredSession) -> Iterator[str]:
    """Yield whole devices; their parts are too many."""
    rows = [
        [pool, name, device["attributes"]["uuid"]["string"]]
        for (pool, name), device in sorted(session.published().items())
        if device["attributes"]["type"]["string"] == "whole"
    ]
    return table(["NODE", "DEVICE", "UUID"], rows)


def _allocated(session: StructuredSession) -> Iterator[str]:
    rows = [
        [claim["metadata"]["namespace"], claim["metadata"]["name"], each["request"], each["device"]]
        for claim, each in session.results()
    ]
    return table(["NAMESPACE", "CLAIM", "REQUEST", "DEVICE"], rows)


_RESULTS: Final = ("What is allocated: kubectl get resourceclaims -A -o yaml", _allocated)

WALKS: Final[Mapping[str, Walk]] = {
    "classic": Walk(
        "1.30",
        Path(),
        Session,
        WAVES,
        (
            [_state("The devices that each node offers", "spec", "allocatableDevice")],
            [_state("Devices prepared on each node", "spec", "preparedDevices")],
            [
                _state("Four devices, each split in two", "spec", "allocatedClaims"),
                _state("The children, with their parents", "spec", "preparedDevices"),
            ],
        ),
    ),
    "structured": Walk(
        "1.37",
        Path("structured"),
        StructuredSession,
        STRUCTURED_WAVES,
        (
            [("The whole devices of each node: kubectl get resourceslices -o yaml", _offered)],
            [_RESULTS],
            [_RESULTS],
        ),
    ),
}
