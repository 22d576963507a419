"""`python -m tests.allocatorparity`: cases allocated by both sides; needs Go."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
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
    """

    show: int
    selectors: Selectors = field(default_factory=Selectors)
    counts: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    notable: dict[str, list[str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=lambda: {"ours": 0.0, "upstream": 0.0})

    def add(self, name: str, case: JSON, theirs: Upstream) -> Answer:
        """Compare a case, and return what upstream says."""
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
        return answer

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
@click.option("--every", default=1, help="Records each n-th case only.")
def main(
    cases: int, selectors: int, seed: int, show: int, scratch: str, record: Path | None, every: int
) -> None:
    """Compare upstream's cases and random ones; ends with 1 if one differs."""
    recorded: list[JSON] = []
    given, skipped = upstreamcases.recorded(Path(scratch) / "module")
    click.echo(json.dumps({"skipped by upstream's incubating allocator": skipped}))
    known, random, chosen = Comparison(show), Comparison(show), Comparison(show)
    with upstream(Path(scratch) / "upstream") as theirs:
        for number, case in enumerate(given):
            known.add(f"upstream {number}", case, theirs)
        known.told("cases of upstream")
        for number in range(seed, seed + selectors):
            chosen.add(f"expression {number}", expressions.case(Random(number)), theirs)
        chosen.told("random expressions")
        for number, case in _random(seed, cases):
            answer = random.add(f"seed {number}", case, theirs)
            fixed = is_ordered(case) and answer.outcome != "timeout"
            if record and number % every == 0 and fixed:
                recorded.append({"seed": number, "case": digest(case), **answer.verdict})
    random.told("random cases")
    if record:
        record.write_text("".join(json.dumps(each, sort_keys=True) + "\n" for each in recorded))
    sys.exit(any(each.counts["different"] for each in (known, random, chosen)))


def _random(seed: int, cases: int) -> Iterator[tuple[int, JSON]]:
    for number in range(seed, seed + cases):
        yield number, Generator(Random(number)).case()


def _node(node: JSON) -> Node:
    return Node(node["metadata"]["name"], node["metadata"].get("labels") or {})


def _show(name: str, case: object, mine: Answer, theirs: Answer) -> None:
    click.echo(f"--- {name}\n{json.dumps(case)}")
    click.echo(f"ours: {mine.outcome} {mine.text}\n{json.dumps(mine.allocations)}")
    click.echo(f"upstream: {theirs.outcome} {theirs.text}\n{json.dumps(theirs.allocations)}")


if __name__ == "__main__":
    main()
