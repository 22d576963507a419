"""`python -m tests.allocatorparity`: random cases, allocated by both; needs Go."""

import json
import sys
from collections import Counter
from pathlib import Path
from random import Random
from time import perf_counter

import click

from allocation.selectors import Selectors
from tests.allocatorparity.cases import (
    NODE,
    Answer,
    compared,
    is_ordered,
    node_object,
    ours,
    upstream,
)
from tests.allocatorparity.generator import Generator


@click.command()
@click.option("--cases", default=20_000, help="How many.")
@click.option("--seed", default=1, help="Of the first one.")
@click.option("--show", default=3, help="How many differences are shown whole.")
@click.option("--binary", default="/tmp/allocatorparity", help="Where the Go program is built.")
@click.option("--record", type=click.Path(path_type=Path), help="File for the verdicts.")
@click.option("--every", default=1, help="Records each n-th verdict only.")
def main(cases: int, seed: int, show: int, binary: str, record: Path | None, every: int) -> None:
    """Compare verdicts and devices of random cases; ends with 1 if one differs."""
    counts: Counter[str] = Counter()
    seconds = {"ours": 0.0, "upstream": 0.0}
    recorded = []
    selectors = Selectors()
    with upstream(Path(binary)) as theirs:
        for number in range(seed, seed + cases):
            case = Generator(Random(number)).case()
            begun = perf_counter()
            mine = ours(case, selectors)
            seconds["ours"] += perf_counter() - begun
            answer = theirs.ask(case, nodes=[node_object(NODE)])
            seconds["upstream"] += theirs.nanoseconds / 1e9
            verdict = compared(mine, answer, ordered=is_ordered(case))
            counts[verdict] += 1
            counts[f"upstream {answer.outcome}"] += 1
            if verdict == "different" and counts[verdict] <= show:
                _show(number, case, mine, answer)
            if record and (number - seed) % every == 0:
                recorded.append({"case": case, "upstream": answer.verdict})
    if record:
        record.write_text("".join(json.dumps(each, sort_keys=True) + "\n" for each in recorded))
    click.echo(json.dumps({"cases": cases, **counts, "seconds": seconds}))
    sys.exit(bool(counts["different"] or counts["timeout"]))


def _show(number: int, case: object, mine: Answer, theirs: Answer) -> None:
    click.echo(f"--- case {number}\n{json.dumps(case)}")
    click.echo(f"ours: {mine.outcome} {mine.text}\n{json.dumps(mine.allocations)}")
    click.echo(f"upstream: {theirs.outcome} {theirs.text}\n{json.dumps(theirs.allocations)}")


if __name__ == "__main__":
    main()
