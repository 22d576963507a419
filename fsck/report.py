"""How findings are shown: a table for people, JSON for programs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from api.invariants import NodeFiles, Violation
from api.objects import NodeName
from api.texts import counted, listed

REPAIRED: Final = "repaired"

_SHOWN: Final = 20
"""Names that a message lists at most."""

_COLUMNS: Final = ("KIND", "NODE", "CLAIM", "WHAT", "REMEDY")


@dataclass(frozen=True, slots=True)
class Finding:
    """A violation, and what became of it.

    Attributes:
        violation: what is wrong.
        repair: REPAIRED, `would be repaired`, `not repaired: <why>`, or empty.
    """

    violation: Violation
    repair: str = ""

    @property
    def open(self) -> bool:
        """Whether it is still to be repaired."""
        return self.repair != REPAIRED


@dataclass(frozen=True, slots=True)
class Scope:
    """What was looked at.

    Attributes:
        server: URL of the API server.
        namespace: of the node states; empty if there are none.
        nodes: that have published something.
        claims: of the cluster.
        ours: claims among them that are this driver's.
        files: of some nodes, by name.
        structured: whether kube-scheduler allocates there.
    """

    server: str
    namespace: str
    nodes: int
    claims: int
    ours: int
    files: Mapping[NodeName, NodeFiles]
    structured: bool = False

    def __str__(self) -> str:
        """Return it in a line for people."""
        counts = f"{counted(self.nodes, 'node')} and {counted(self.claims, 'claim')}"
        where = f"in namespace {self.namespace} of" if self.namespace else "of"
        kind = ", where kube-scheduler allocates" if self.structured else ""
        files = [f", {_described(read)} of node {node}" for node, read in self.files.items()]
        return "".join(
            [f"looked at {counts} ({self.ours} of this driver) {where} {self.server}{kind}", *files]
        )


def as_table(findings: Sequence[Finding]) -> str:
    """Return one line for each finding, below a heading; or that there is none."""
    if not findings:
        return "no violations"
    rows = [_COLUMNS, *(_row(finding) for finding in findings)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS) - 1)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append("  ".join([*cells, row[-1]]))
    return "\n".join(lines)


def as_json(findings: Sequence[Finding]) -> str:
    """Return an array with an object for each finding."""
    return json.dumps([{**asdict(f.violation), "repair": f.repair} for f in findings], indent=2)


def _row(finding: Finding) -> tuple[str, ...]:
    found = finding.violation
    return (
        found.kind,
        found.node,
        found.claim or "-",
        found.message,
        finding.repair or found.remedy,
    )


def named(names: Iterable[str]) -> str:
    """Return the first of some names in their order, and how many more there are."""
    return listed(sorted(names), _SHOWN)


def _described(files: NodeFiles) -> str:
    if files.checkpoint is None:
        return "the checkpoint"
    claims = len(files.checkpoint)
    present = claims - len(files.missing) + len(files.surplus)
    return f"the checkpoint ({counted(claims, 'claim')}) and {counted(present, 'CDI file')}"
