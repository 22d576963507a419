"""One case on both sides, and whether these say the same."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from subprocess import PIPE, Popen, run
from typing import Final

from allocation.allocator import World, allocate
from allocation.gates import Gates
from allocation.inuse import InUse
from allocation.pools import Node
from allocation.published import Published
from allocation.selectors import Selectors
from allocation.verdicts import Allocation, Outcome, Refusals
from api.objects import JSON

HERE: Final = Path(__file__).parent
FEATURES: Final = {
    "DRAAdminAccess": "AdminAccess",
    "DRAPrioritizedList": "PrioritizedList",
    "DRAPartitionableDevices": "PartitionableDevices",
    "DRADeviceTaints": "DeviceTaints",
    "DRADeviceBindingConditions": "DeviceBindingAndStatus",
    "DRAConsumableCapacity": "ConsumableCapacity",
    "DRAFractionalCapacityRange": "FractionalCapacityRange",
}
"""Names that the allocator has for feature gates."""

NODE: Final = Node("n0", {"zone": "a"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a side says.

    Attributes:
        outcome: allocated, refused, invalid, unknown, gave-up or timeout.
        allocations: without the identities of shares.
    """

    outcome: str
    text: str = ""
    allocations: tuple[JSON, ...] = ()
    upstream_gives_up: bool = False

    @property
    def verdict(self) -> JSON:
        """As it is recorded."""
        return {"outcome": self.outcome, "allocations": list(self.allocations)}


def ours(case: JSON, selectors: Selectors, node: Node = NODE) -> Answer:
    """Return what `allocation/` says."""
    return said(allocate(case["claims"], node, world(case, selectors)))


def world(case: JSON, selectors: Selectors) -> World:
    """Return the cluster of a case."""
    gates = Gates.of(case["gates"])
    classes = {each["metadata"]["name"]: each for each in case["classes"]}
    in_use = InUse.of(case["allocated"], gates)
    return World(Published(case["slices"], gates), classes, in_use, selectors)


def said(found: Allocation | Refusals) -> Answer:
    """Return an answer of `allocation/`, to compare it."""
    gives_up = found.effort.upstream_gives_up
    if isinstance(found, Refusals):
        return Answer(str(found.outcome), found.message, upstream_gives_up=gives_up)
    allocations = tuple(map(without_ids, found.claims))
    return Answer("allocated", "", allocations, upstream_gives_up=gives_up)


class Upstream:
    """The program that asks the real allocator."""

    def __init__(self, process: "Popen[str]") -> None:
        """Speak to a process that runs."""
        self._process = process
        self.nanoseconds = 0

    def ask(self, case: JSON, *, nodes: list[JSON], seconds: float = 10, repeat: int = 1) -> Answer:
        """Return what Kubernetes says."""
        features = {FEATURES[name]: on for name, on in case["gates"].items()}
        sent = {**case, "features": features, "nodes": nodes, "seconds": seconds, "repeat": repeat}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(sent) + "\n")
        self._process.stdin.flush()
        found = json.loads(self._process.stdout.readline())
        self.nanoseconds = found["nanos"]
        allocations = tuple(map(without_ids, found.get("allocations") or ()))
        return Answer(found["outcome"], found.get("error", ""), allocations)


@contextmanager
def upstream(binary: Path) -> Iterator[Upstream]:
    """Build the program and run it."""
    run(["go", "build", "-o", str(binary), "."], cwd=HERE, check=True)
    with Popen([str(binary)], stdin=PIPE, stdout=PIPE, text=True) as process:
        try:
            yield Upstream(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


def is_ordered(case: JSON) -> bool:
    """Tell whether Kubernetes looks at devices in an order."""
    return not Gates.of(case["gates"]).stable


def digest(case: JSON) -> str:
    """Return what tells whether a seed still makes the same case."""
    return sha256(json.dumps(case, sort_keys=True).encode()).hexdigest()[:12]


def node_object(node: Node) -> JSON:
    """Return a node as an object."""
    return {"metadata": {"name": node.name, "labels": dict(node.labels)}}


def compared(mine: Answer, theirs: Answer, *, ordered: bool) -> str:
    """Return `equal`, `unknown`, `gave-up`, `timeout`, `unordered` or `different`.

    Args:
        mine: what `allocation/` says.
        theirs: what Kubernetes says.
        ordered: whether Kubernetes looks at devices in an order.
    """
    if mine.outcome in (Outcome.UNKNOWN, Outcome.GAVE_UP):
        return mine.outcome
    if theirs.outcome == "timeout":
        return "equal" if mine.upstream_gives_up else "timeout"
    if mine.verdict == theirs.verdict or (not ordered and mine.outcome == theirs.outcome):
        return "equal"
    by_chance = not ordered and Outcome.INVALID in (mine.outcome, theirs.outcome)
    return "unordered" if by_chance else "different"


def without_ids(allocation: JSON) -> JSON:
    """Return an allocation without what is made by chance."""
    devices = allocation["devices"]
    results = [
        {**each, "shareID": ""} if "shareID" in each else each for each in devices["results"]
    ]
    return {**allocation, "devices": {**devices, "results": results}}
