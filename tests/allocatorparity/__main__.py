"""`python -m tests.allocatorparity`: cases allocated by both sides; needs Go."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import perf_counter

import click

from allocation.pools import Node
from allocation.selectors import Selectors
from api.objects import JSON
from tests.allocatorparity import expressions, upstreamcases
from tests.allocatorparity.cases import (
    NODE,
    Answer,
    Upstream,
    compared,
    digest,
    is_ordered,
    node_object,
    ours,
    upstream,
)
from tests.allocatorparity.generator import Generator


@dataclass(slots=True)
class Comparison:
    """What came of the cases so far.

    Attributes:
        show: how many differences are shown whole.
        notable: names of the cases that are neither equal nor unknown, by verdict.
        recorded: what upstream says wherever its order is fixed.
    """

    show: int
    selectors: Selectors = field(default_factory=Selectors)
    counts: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    notable: dict[str, list[str]] = field(default_factory=dict)
    recorded: list[JSON] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: {"ours": 0.0, "upstream": 0.0})

    def add(self, name: str, case: JSON, theirs: Upstream) -> None:
        """Compare a case."""
        node = case.get("node") or node_object(NODE)
        begun = perf_counter()
        mine = ours(case, self.selectors, _node(node))
        self.seconds["ours"] += perf_counter() - begun
        answer = theirs.ask(case, nodes=[node])
        self.seconds["upstream"] += theirs.nanoseconds / 1e9
        verdict = compared(mine, answer, ordered=is_ordered(case))
        self.counts[verdict] += 1
        self.outcomes[answer.outcome] += 1
        if verdict not in ("equal", "unknown"):
            self.notable.setdefault(verdict, []).append(name)
        if verdict == "different" and self.counts[verdict] <= self.show:
            _show(name, case, mine, answer)
        if is_ordered(case) and answer.outcome != "timeout":
            self.recorded.append({"name": name, "case": digest(case), **answer.verdict})

    def told(self, what: str) -> None:
        """Print it as a line of JSON."""
        counts, outcomes = dict(self.counts), dict(self.outcomes)
        found = {
            "verdicts": counts,
            "upstream": outcomes,
            "seconds": self.seconds,
            "notable": self.notable,
        }
        click.echo(json.dumps({what: sum(counts.values()), **found}))


@click.command()
@click.option("--cases", default=20_000, help="How many random cases.")
@click.option("--selectors", default=5_000, help="How many random expressions.")
@click.option("--seed", default=1, help="Of the first one.")
@click.option("--show", default=3, help="How many differences are shown whole.")
@click.option("--scratch", default="/tmp/allocatorparity", help="Directory to build in.")
@click.option("--record", type=click.Path(path_type=Path), help="File for verdicts.")
def main(
    cases: int, selectors: int, seed: int, show: int, scratch: str, record: Path | None
) -> None:
    """Compare upstream's cases and random ones; ends with 1 if one differs."""
    given, skipped = upstreamcases.recorded(Path(scratch) / "module")
    click.echo(json.dumps({"skipped by upstream's incubating allocator": skipped}))
    parts = {
        "cases of upstream": ((f"upstream {n}", case) for n, case in enumerate(given)),
        "random expressions": _random("expression", expressions.case, seed, selectors),
        "random cases": _random("seed", lambda random: Generator(random).case(), seed, cases),
    }
    differ = False
    with upstream(Path(scratch) / "upstream") as theirs:
        for what, part in parts.items():
            comparison = Comparison(show)
            for name, case in part:
                comparison.add(name, case, theirs)
            comparison.told(what)
            differ = differ or bool(comparison.counts["different"])
    if record:
        lines = (json.dumps(each, sort_keys=True) + "\n" for each in comparison.recorded)
        record.write_text("".join(lines))
    sys.exit(differ)


def _random(
    name: str, make: Callable[[Random], JSON], seed: int, count: int
) -> Iterator[tuple[str, JSON]]:
    for number in range(seed, seed + count):
        yield f"{name} {number}", make(Random(number))


def _node(node: JSON) -> Node:
    return Node(node["metadata"]["name"], node["metadata"].get("labels") or {})


def _show(name: str, case: object, mine: Answer, theirs: Answer) -> None:
    click.echo(f"--- {name}\n{json.dumps(case)}")
    click.echo(f"ours: {mine.outcome} {mine.text}\n{json.dumps(mine.allocations)}")
    click.echo(f"upstream: {theirs.outcome} {theirs.text}\n{json.dumps(theirs.allocations)}")


if __name__ == "__main__":
    main()
