"""How findings are shown: a table for people, JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from api.invariants import Violation

REPAIRED: Final = "repaired"

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
