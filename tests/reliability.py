"""`make reliability`: makes every fault happen, counts what was lost, and writes the table.

    python -m tests.reliability [--lives N] [--kills N] [--inputs N] [--output FILE]

Injected faults are those of tests/support/faults.py, all of them, and random lives of a cluster by
tests/support/machine.py. Hostile inputs, sick disks and a sick API server are in
tests/support/reliabilityrows.py. Real kills are programs of the embedded cluster that get SIGKILL
while the demos come up, run and go; fsck looks at the cluster and at its nodes afterwards. Exits
with 1 if anything was lost.
"""

import io
import random
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, groupby
from pathlib import Path

import click
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from ops.logs import configure
from tests.support.anycluster import CONTROLLER, ROOT, plugin_of
from tests.support.demolife import STEPS, said, violations
from tests.support.embedded import Embedded, embedded
from tests.support.faultcase import Case
from tests.support.faults import cases, survived
from tests.support.machine import machine_in
from tests.support.reliabilityrows import (
    Row,
    disk_rows,
    hostile_rows,
    kubelet_row,
    outage_rows,
)
from tests.support.structuredmachine import structured_machine_in
from tests.support.worldrig import World

BEGIN, END = "<!-- begin of the table -->", "<!-- end of the table -->"
LIFE_STEPS = 40


@click.command()
@click.option("--lives", default=500, show_default=True, help="Random lives of a cluster.")
@click.option("--kills", default=30, show_default=True, help="SIGKILLs of real programs.")
@click.option("--inputs", default=2000, show_default=True, help="Hostile inputs of each kind.")
@click.option("--calls", default=1000, show_default=True, help="Overlapping calls of a kubelet.")
@click.option("--away", default=60.0, show_default=True, help="Seconds without API server.")
@click.option("--seed", type=int, default=None, help="Of all that is random here; else a new one.")
@click.option("--output", type=click.Path(path_type=Path), default=ROOT / "docs" / "reliability.md")
def main(
    lives: int, kills: int, inputs: int, calls: int, away: float, seed: int | None, output: Path
) -> None:
    """Make every fault happen and write the table of docs/reliability.md."""
    configure("text", 0, stream=io.StringIO())
    chosen = random.randrange(2**32) if seed is None else seed
    began = time.monotonic()
    rows: list[Row] = []
    chance = random.Random(chosen)
    click.echo(f"--seed {chosen}")
    for row in chain(
        injected(),
        random_lives(lives, chosen),
        hostile_rows(inputs, chosen),
        kubelet_row(calls, chosen),
        disk_rows(),
        outage_rows(away, chance),
        real_kills(kills, chance),
    ):
        rows.append(row)
        click.echo(str(row))
    seconds = round(time.monotonic() - began)
    write(output, rows, f"{sum(r.times for r in rows)} faults, inputs and lives in {seconds} s.")
    raise SystemExit(any(row.lost for row in rows))


def injected() -> Iterator[Row]:
    """Do every case of the catalogue."""
    ordered = sorted(cases(), key=lambda case: case.fault)
    for (fault, how), group in groupby(ordered, key=lambda case: (case.fault, case.how)):
        row = Row(fault, how)
        for case in group:
            row.times += 1
            row.lost += [f"{case.place}: {what}" for what in _in_a_world(case)]
        yield row


def _in_a_world(case: Case) -> list[str]:
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _descriptor: None)
        try:
            return survived(case, World(Path(root), patch, communication=case.communication))
        except AssertionError as error:
            return [str(error) or "an assertion failed"]


def random_lives(lives: int, chosen: int) -> Iterator[Row]:
    """Let a cluster, and a driver of one class, live through anything, many times."""
    machines: tuple[tuple[str, str, Callable[[Path], type[RuleBasedStateMachine]]], ...] = (
        (
            "anything, in any order",
            "pods, errors, stalled watches, kills, nodes, edits, files",
            machine_in,
        ),
        (
            "anything, to a driver of `dra/`",
            "pods, kills at writes and in the driver, lost and damaged files, forged slices, gates",
            structured_machine_in,
        ),
    )
    for fault, steps, make in machines:
        row = Row(fault, f"{LIFE_STEPS} random steps each: {steps}", lives)
        with tempfile.TemporaryDirectory() as root:
            row.lost += _lived(make(Path(root)), lives, chosen)
        yield row


def _lived(machine: type[RuleBasedStateMachine], lives: int, chosen: int) -> list[str]:
    profile = settings(
        max_examples=lives,
        stateful_step_count=LIFE_STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(seeded(chosen)(machine), settings=profile)
    except Exception as error:  # noqa: BLE001 - whatever it is, it goes into the table
        place = traceback.extract_tb(error.__traceback__)[-1]
        return [f"{said(error)} ({Path(place.filename).name}: {place.line})"]
    return []


def real_kills(kills: int, chance: random.Random) -> Iterator[Row]:
    """Kill programs of an embedded cluster at random moments of the life of a demo."""
    with (
        tempfile.TemporaryDirectory(prefix="r") as root,
        embedded(Path(root) / "cluster", nodes=2) as cluster,
    ):
        for who in (CONTROLLER, "plugin", "both"):
            yield _kill_often(cluster, who, kills, chance)


def _kill_often(cluster: Embedded, who: str, kills: int, chance: random.Random) -> Row:
    name = {CONTROLLER: "the controller", "plugin": "the plugins"}.get(who, "all programs")
    row = Row(f"SIGKILL of {name}", "real processes, at random moments of pods coming and going")
    plugins = [plugin_of(node) for node in cluster.nodes]
    victims = {CONTROLLER: [CONTROLLER], "plugin": plugins}.get(who, [CONTROLLER, *plugins])
    while row.times < kills:
        for begin, finish in STEPS:
            row.times += 1
            act = partial(_interrupted, cluster, victims, begin, finish)
            row.lost += act(chance.uniform(0, 0.6))
    return row


def _interrupted(
    cluster: Embedded,
    victims: list[str],
    begin: Callable[[Embedded], None],
    finish: Callable[[Embedded], list[str]],
    pause: float,
) -> list[str]:
    try:
        begin(cluster)
        time.sleep(pause)
        cluster.crash(*victims)
        return [*finish(cluster), *violations(cluster)]
    except Exception as error:  # noqa: BLE001 - whatever it is, it goes into the table
        return [said(error)]


def write(output: Path, rows: list[Row], summary: str) -> None:
    """Replace the table in a document."""
    before, rest = output.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    table = ["| fault | how | how often | lost |", "|---|---|---:|---|", *map(str, rows)]
    body = "\n".join([BEGIN, "", *table, "", summary, END])
    output.write_text(before + body + after, encoding="utf-8")


if __name__ == "__main__":
    main()
