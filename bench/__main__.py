"""`python -m bench`: measures a controller and a kubelet plugin, and prints tables."""

import dataclasses
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from itertools import count
from pathlib import Path

import click

from api.contract import FAKE
from api.errors import DriverError
from api.names import NAS_GROUP
from bench import apiservers, classic, cluster, explaining, report, structured, webhook
from bench.apiservers import ApiServer
from bench.counting import OwnRequests
from bench.figures import Figures
from bench.objects import Driver
from bench.procfs import Neighbours
from bench.settings import QUICK, Amount, Subject
from bench.site import Site
from bench.structured import Rivals
from kube.client import Client

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_WEBHOOK = "webhook"
_EXPLAIN = "explain"
_CLUSTER = "cluster"
_ALONE = frozenset({_WEBHOOK, _EXPLAIN, _CLUSTER})
"""Parts that have a server of their own."""

_PARTS = ("negotiation", "freed", "gathered", "scale", "plugin", _EXPLAIN, _WEBHOOK)


@click.command(context_settings=_CONTEXT)
@click.option(
    "--api-server",
    metavar="BINARY",
    envvar="BENCH_API_SERVER",
    show_envvar=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="kube-apiserver. That of Kubernetes 1.27 to 1.30 has classic claims; that of a newer one "
    "measures plugins of the framework instead. Without it the embedded cluster serves, which is "
    "so slow that it hides much of what a driver costs, and counts no requests.",
)
@click.option("--etcd", metavar="BINARY", default="etcd", show_default=True, help="For that.")
@click.option(
    "--controller",
    metavar="COMMAND",
    help="Controller under test; it finds the service account of a pod, or else KUBECONFIG, "
    "and POD_NAMESPACE in its environment. By default the one of this project.",
)
@click.option(
    "--plugin",
    metavar="COMMAND",
    help="Kubelet plugin under test; it finds its settings in its environment, by the names that "
    "the chart uses. By default the one of this project; empty for none.",
)
@click.option(
    "--handle/--no-handle",
    default=None,
    help="Measure controller and plugin with COMMUNICATION=handle, too; by default those of this "
    "project.",
)
@click.option(
    "--peer",
    metavar="COMMAND",
    default="",
    envvar="BENCH_PEER",
    show_envvar=True,
    help="Plugin that one of the framework is compared with; it finds its settings as the example "
    "driver of kubernetes-sigs does, and is given -vmodule to log its requests.",
)
@click.option(
    "--former",
    metavar="COMMIT",
    help="Version of this project whose controller and plugin are measured in turn with those "
    "under test, whose plugin's memory one of the framework is compared with, and whose embedded "
    "cluster ours is.",
)
@click.option(
    "--kubectl",
    metavar="BINARY",
    default=".bin/kubectl",
    show_default=True,
    help="What explaining is compared with.",
)
@click.option(
    "--runs",
    type=click.IntRange(1),
    help="Instead of 3 with plugins of the framework and of explain, and one with classic claims; "
    "medians are reported.",
)
@click.option(
    "--driver-name", default=FAKE.driver_name, show_default=True, help="For ResourceClasses."
)
@click.option("--nas-group", default=NAS_GROUP, show_default=True, help="Of the node states.")
@click.option("--nas-namespace", default="fake-system", show_default=True, help="Likewise.")
@click.option("--class-name", default="bench", show_default=True, help="ResourceClass to claim.")
@click.option("--quick", is_flag=True, help="Small samples and no large store: a minute.")
@click.option("--nodes", type=click.IntRange(128), help="Instead of 128; an even number.")
@click.option("--claims", type=click.IntRange(8, 1024), help="Negotiations at full concurrency.")
@click.option("--potential", metavar="N,...", help="Potential nodes instead of 1,16,128.")
@click.option("--scale", metavar="N,...", help="Nodes of large stores instead of 1000,10000.")
@click.option(
    "--only",
    type=click.Choice((*_PARTS, _CLUSTER)),
    multiple=True,
    help="Only this part, of those with classic claims, the admission webhook, the command that "
    "explains, or the embedded cluster, which is measured if it is asked for; may be given several "
    "times.",
)
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Result as JSON."
)
@click.option(
    "--logs",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory for logs and data; by default a temporary one that goes at the end.",
)
def main(
    api_server: Path | None,
    etcd: str,
    controller: str | None,
    plugin: str | None,
    handle: bool | None,
    peer: str,
    former: str | None,
    kubectl: str,
    runs: int | None,
    driver_name: str,
    nas_group: str,
    nas_namespace: str,
    class_name: str,
    quick: bool,
    nodes: int | None,
    claims: int | None,
    potential: str | None,
    scale: str | None,
    only: tuple[str, ...],
    json_file: Path | None,
    logs: Path | None,
) -> None:
    """Measure a classic DRA driver against a client that makes only the unavoidable writes."""
    # so that nothing that was started stays behind
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    driver = Driver(FAKE.renamed(driver_name), nas_group, nas_namespace, class_name)
    neighbours = Neighbours()
    amount = _amount(QUICK if quick else Amount(), nodes, claims, potential, scale, runs)
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        directory = (logs or Path(temporary)).absolute()
        commands = _command("controller", controller), _command("plugin", plugin)
        subject = Subject(*commands, driver, directory, kubectl)
        ours = controller is None and plugin is None
        try:
            rivals = Rivals(tuple(shlex.split(peer)), _sources(former, directory))
            subjects = _subjects(subject, rivals.former, handle=ours if handle is None else handle)
            start = partial(_server, api_server, etcd)
            figures = _measured(start, subjects, rivals, amount, only or _PARTS)
        except DriverError as error:
            raise click.ClickException(str(error)) from error
    figures.others = neighbours.share()
    click.echo(report.text(figures))
    if json_file is not None:
        json_file.write_text(report.as_json(figures), encoding="utf-8")


def _measured(
    start: Callable[[Path], AbstractContextManager[ApiServer]],
    subjects: Sequence[Subject],
    rivals: Rivals,
    amount: Amount,
    parts: Collection[str],
) -> Figures:
    """Measure all parts.

    Raises:
        DriverError: something did not start, or did not do what it should.
    """
    figures, directory = Figures("servers of their own", amount.concurrency), subjects[0].logs
    if _WEBHOOK in parts:
        _say("admission webhook")
        figures.webhook = webhook.measure(amount, directory / _WEBHOOK)
    if _EXPLAIN in parts:
        _say("explaining")
        kubectl = subjects[0].kubectl
        figures.explaining = explaining.measure(amount, kubectl, directory / _EXPLAIN)
    if not _ALONE.issuperset(parts):
        _runs(start, subjects, rivals, amount, parts, figures)
    if _CLUSTER in parts:
        _say("embedded cluster")
        figures.rollouts += cluster.measure(amount, rivals.former, directory / _CLUSTER)
    return figures


def _runs(
    start: Callable[[Path], AbstractContextManager[ApiServer]],
    subjects: Sequence[Subject],
    rivals: Rivals,
    amount: Amount,
    parts: Collection[str],
    figures: Figures,
) -> None:
    """Measure a driver of classic claims, or plugins of the framework where there are none.

    Each run has an API server of its own, on which nothing is left of a former one.
    """
    for number in count(1):
        place = subjects[0].logs / f"run-{number}"
        with start(place) as server, _site(server, subjects[0]) as site:
            runs = amount.classic_runs if server.classic else amount.runs
            _say(f"run {number} of {runs}")
            figures.server = f"{server.name} by {server.way}"
            if server.classic:
                found = classic.measure(site, subjects, amount, parts, place, _say)
                figures.classic.append(found)
            else:
                figures.structured.append(structured.measure(site, rivals, amount, place))
        if number == runs:
            return


@contextmanager
def _site(server: ApiServer, subject: Subject) -> Iterator[Site]:
    own = OwnRequests()
    client = Client.from_kubeconfig(
        str(server.way.kubeconfig), qps=0, burst=1, user_agent="bench", observer=own, pool=64
    )
    with closing(client):
        yield Site(server, subject.driver, client, own)


def _subjects(ours: Subject, former: Path | None, *, handle: bool) -> list[Subject]:
    """Return what is measured in turn: ours, a former version, and ours in the handle mode."""
    found = [ours]
    if former is not None:
        commands = _command("controller"), _command("plugin")
        found.append(Subject(*commands, ours.driver, ours.logs, former=former))
    return [*found, dataclasses.replace(ours, handle=True)] if handle else found


def _command(module: str, given: str | None = None) -> tuple[str, ...]:
    """Return a command that was given, or that of a program of this project."""
    if given is not None:
        return tuple(shlex.split(given))
    return (sys.executable, "-P", "-m", module)


def _server(binary: Path | None, etcd: str, directory: Path) -> AbstractContextManager[ApiServer]:
    if binary is None:
        return apiservers.embedded(directory)
    return apiservers.real(binary, etcd, directory)


def _sources(commit: str | None, directory: Path) -> Path | None:
    """Unpack the sources of a commit; return where they are."""
    if commit is None:
        return None
    place = directory / "former"
    place.mkdir(parents=True)
    git = ["git", "archive", "--output", str(directory / "former.tar"), commit]
    try:
        subprocess.run(git, check=True)  # noqa: S603 - the user's own commit
    except subprocess.CalledProcessError as error:
        raise click.BadParameter(f"--former {commit}: no commit of this checkout") from error
    shutil.unpack_archive(directory / "former.tar", place, filter="data")
    return place


def _amount(
    amount: Amount,
    nodes: int | None,
    claims: int | None,
    potential: str | None,
    scale: str | None,
    runs: int | None,
) -> Amount:
    """Return what to measure: the default, changed by what was given."""
    return dataclasses.replace(
        amount,
        nodes=amount.nodes if nodes is None else nodes + nodes % 2,
        claims=claims or amount.claims,
        runs=runs or amount.runs,
        classic_runs=runs or amount.classic_runs,
        potential=amount.potential if potential is None else _numbers(potential),
        scale=amount.scale if scale is None else _numbers(scale),
    )


def _numbers(listed: str) -> tuple[int, ...]:
    try:
        return tuple(sorted({int(word) for word in listed.split(",") if word}))
    except ValueError as error:
        raise click.BadParameter(f"{listed!r} is not a list of numbers like 1,16,128") from error


def _say(text: str) -> None:
    click.echo(f"  {text}", err=True)


if __name__ == "__main__":
    main()
