"""`python -m tests.explainparity`: what explain says, and what kube-scheduler does.

Needs the embedded cluster, or by `--kubeconfig` a cluster of 1.34 or newer for itself alone.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Final

import click

from devcluster.config import ClusterConfig
from explain.text import as_text
from kube.client import Client
from tests.explainparity.comparison import Comparison, Disagreement, Trial
from tests.explainparity.site import Site
from tests.support.embedded import running

MOST_UNSETTLED: Final = 10
"""Workloads on which a cluster that is in order may not settle."""


@contextmanager
def embedded() -> Iterator[Path]:
    """Run a cluster without the driver; yield its kubeconfig."""
    with tempfile.TemporaryDirectory(prefix="dra-") as path:
        config = ClusterConfig(Path(path), kubernetes="1.37", driver=False)
        with running(config):
            yield config.kubeconfig


@contextmanager
def trial(kubeconfig: Path) -> Iterator[Trial]:
    """Have a cluster ready for workloads."""
    client = Client.from_kubeconfig(str(kubeconfig), qps=0, burst=1, user_agent="explainparity")
    with closing(client):
        site = Site(client)
        with site.open():
            yield Trial(site)


def report(found: Comparison, where: str, first: int, last: int) -> Iterator[str]:
    """Yield lines about a comparison that can be pasted."""
    yield f"{where}, seeds {first} to {last}: {found.workloads} workloads, {found.pods} pods"
    late = f"; {found.late} of them when the scheduler had seen all objects" if found.late else ""
    yield f"- {found.allocated} allocated, and explain had said that they fit{late}"
    causes = ", ".join(f"{number} {cause}" for cause, number in found.refused.most_common())
    yield f"- {found.refused.total()} not, and explain had named why: {causes}"
    known = ", ".join(f"{number} {what}" for what, number in found.unknown.items())
    yield f"- {found.unknown.total()} of which explain could not tell: {known or 'none'}"
    rounds = ", ".join(f"{number} after {n}" for n, number in sorted(found.mended.items()))
    yield f"- {found.mended.total()} got a node without what was named, by rounds: {rounds}"
    yield f"- {found.unmended} of which explain could not tell any more after a round"
    yield f"- {len(found.disagreements)} disagreements"
    yield f"- {found.not_stored} more workloads that the API server did not store"
    yield f"- {len(found.not_settled)} more on which the cluster did not settle"
    for seed, what in found.not_settled.items():
        yield f"  - seed {seed}: {what}"


def described(each: Disagreement) -> str:
    """Return a disagreement, with all that was explained."""
    verdict = f"{each.verdict.node or each.verdict.message}" if each.verdict else ""
    return f"--- seed {each.seed}: {each.what}: {verdict}\n{as_text(each.explained, verbose=True)}"


@click.command()
@click.option("--workloads", default=300, help="How many.")
@click.option("--seed", default=1, help="Of the first one.")
@click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A real cluster instead of the embedded one.",
)
def main(workloads: int, seed: int, kubeconfig: Path | None) -> None:
    """Compare explain with kube-scheduler on random workloads; ends with 1 if they disagree.

    Also if the cluster did not settle so often that fewer workloads were run.
    """
    where = "embedded cluster" if kubeconfig is None else "cluster"
    cluster = embedded() if kubeconfig is None else nullcontext(kubeconfig)
    with cluster as access, trial(access) as it:
        last = compare(it, workloads, seed)
        version = it.site.client.server_version()["gitVersion"]
    for line in report(it.result, f"{where} of {version}", seed, last):
        click.echo(line)
    sys.exit(bool(it.result.disagreements) or it.result.workloads < workloads)


def compare(it: Trial, workloads: int, seed: int) -> int:
    """Run so many workloads, and tell of disagreements; return the last seed.

    It ends before if the cluster does not settle again and again.
    """
    number, told = seed - 1, 0
    while it.result.workloads < workloads and len(it.result.not_settled) < MOST_UNSETTLED:
        number += 1
        it.run(number)
        for each in it.result.disagreements[told:]:
            click.echo(described(each))
        told = len(it.result.disagreements)
    return number


if __name__ == "__main__":
    main()
