"""The state of a node's claims on real files, for a driver of any kind."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from api.contract import FAKE
from api.objects import ClaimUID
from dra.devicestate.checkpoint import Checkpoint
from dra.devicestate.directory import CdiDirectory
from dra.devicestate.publisher import Change, Precondition, Publisher
from dra.devicestate.state import Guard, State
from dra.driver import Consumer, Edits, PreparedClaim, PreparedDevice, Result
from dra.errors import AllocationChanged
from kube.errors import ConnectFailed

HOLDS, FAILS = Precondition("holds"), Precondition("fails")


class Memory:
    """A publisher that applies changes in the order in which it is told them."""

    def __init__(self) -> None:
        self.claims: dict[ClaimUID, PreparedClaim] = {}
        self.told: list[int] = []
        self.away = False

    def check(self) -> None:
        if self.away:
            raise ConnectFailed("away")

    def published(self) -> list[PreparedClaim]:
        return list(self.claims.values())

    def restore(self, claims: Iterable[PreparedClaim]) -> None:
        self.claims = {claim.uid: claim for claim in claims}

    def submit(self, change: Change) -> None:
        self.told.append(change.call)
        if change.claim is None:
            self.claims.pop(change.uid, None)
        else:
            self.claims[change.uid] = change.claim

    def flush(self, change: Change) -> None:
        if change.precondition == FAILS:
            self.claims.pop(change.uid)
            raise AllocationChanged("former")


def claim(number: int) -> PreparedClaim:
    device = PreparedDevice("pool", f"d{number}", Edits({"NUMBER": str(number)}))
    return PreparedClaim(ClaimUID(f"uid-{number}"), "ns", f"c{number}", "LABEL", (device,))


def begun(number: int, *consumers: str, device: str = "") -> PreparedClaim:
    """Return a claim that is to be prepared."""
    result = Result("r", "pool", device or f"d{number}")
    used = tuple(Consumer("pods", name, name) for name in consumers)
    return replace(claim(number), devices=(), results=(result,), consumers=used)


class StateRig:
    """A node; `start` replaces the process, files and publisher stay."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.memory = Memory()
        self.reports: list[str] = []
        self.directory = CdiDirectory(root / "cdi", FAKE)
        self.start()

    def start(self) -> None:
        publisher: Publisher = self.memory
        self.state = self.process(publisher)
        self.state.recover()

    def process(self, publisher: Publisher, guard: Guard | None = None) -> State:
        """Return the state of a process on these files."""
        return State(
            self.directory,
            Checkpoint(self.root, FAKE),
            publisher,
            report=lambda _kind, text: self.reports.append(text),
            guard=guard,
        )

    def prepared(self) -> dict[ClaimUID, PreparedClaim]:
        return {entry.claim.uid: entry.claim for entry in self.state.entries()}
