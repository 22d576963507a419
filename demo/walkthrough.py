"""`make demo`: raises the embedded cluster, runs the demos, shows and checks what they show.

Exits with 1 when anything differs from what the README says.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO

import click

from api.contract import FAKE
from api.objects import JSON
from demo.expect import Demo, device_lines, problems, shortage
from demo.interrupts import Interrupted, Interrupts
from demo.page import Page
from demo.session import DemoFailed, Session
from demo.walks import WALKS, Show, Walk, table
from devcluster.config import ClusterConfig, NodeConfig
from devcluster.nodeoption import SYNTAX, check_nodes, node_option, node_text
from devcluster.programs import environment
from kube.client import Client
from kube.errors import KubeError

HERE = Path(__file__).parent
START_SECONDS = 60.0
_COLUMNS = ("NAMESPACE", "NAME", "READY", "STATUS", "NODE")


class Walkthrough:
    """Runs demos in a session and prints what a user would look at."""

    def __init__(self, session: Session, walk: Walk) -> None:
        """Run the demos of a kind of claims in `session`."""
        self._session = session
        self._walk = walk
        self._wrong: list[str] = []

    def run(self) -> list[str]:
        """Run everything; return what was wrong."""
        shown = iter(self._walk.shown)
        self._show(next(shown))
        for wave in self._walk.waves:
            self._up(wave)
            self._show(next(shown))
            self._down(wave)
        return self._wrong

    def _up(self, demos: Sequence[Demo]) -> None:
        _title(f"Applying {', '.join(f'fake-{d.name}.yaml' for d in demos)}")
        for demo in demos:
            manifest = HERE / self._walk.folder / f"fake-{demo.name}.yaml"
            _lines(self._session.apply(manifest, in_turn=True))
        pods = [(demo, pod) for demo in demos for pod in self._session.running(demo)]
        _title("Pods")
        _lines(table(_COLUMNS, [_row(d, p) for d, p in pods]))
        _title("The devices in the environment of each container")
        for demo in demos:
            self._check(demo)

    def _check(self, demo: Demo) -> None:
        logs = self._session.logs(demo)
        click.echo(f"{demo.name}:")
        for (pod, container), text in logs.items():
            _lines([f"{pod} {container}:", *device_lines(text)])
        click.echo()
        self._wrong += problems(demo, logs, self._session.devices())

    def _down(self, demos: Sequence[Demo]) -> None:
        _title(f"Deleting {', '.join(d.name for d in demos)}")
        for demo in demos:
            self._session.delete(demo)
        self._session.released(demos)
        self._wrong += self._session.leftovers()
        free = len(self._session.devices().offered)
        click.echo(f"every claim is gone, all {free} devices are free again")

    def _show(self, views: Iterable[tuple[str, Show]]) -> None:
        for title, lines in views:
            _title(title)
            _lines(lines(self._session))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--nodes",
    type=click.IntRange(1, 16),
    show_default="1, or none with --node",
    help="Virtual nodes of the embedded cluster, each with a kubelet plugin.",
)
@click.option(
    "--node",
    "named",
    type=node_option,
    metavar=SYNTAX,
    multiple=True,
    help="A node with a name, number and model of devices of its own; may be given several times.",
)
@click.option(
    "--kind",
    type=click.Choice(sorted(WALKS)),
    default="classic",
    show_default=True,
    help="Of the claims: a driver allocates the classic ones, kube-scheduler the structured ones.",
)
@click.option("--keep", is_flag=True, help="Leave the cluster running and say how to use it.")
@click.option("--ui", is_flag=True, help="Show the devices on a page meanwhile: fake-dra ui.")
def main(nodes: int | None, named: tuple[NodeConfig, ...], kind: str, keep: bool, ui: bool) -> None:
    """Run the demos on the embedded cluster and check what they show."""
    count, walk = check_nodes(nodes, named), WALKS[kind]
    _check_devices(walk, count, named)
    interrupts = Interrupts()
    interrupts.install()
    state = Path(tempfile.mkdtemp(prefix="dra-"))
    with tempfile.NamedTemporaryFile(prefix="dra-", suffix=".log") as log:
        cluster = _start(state, _options(walk, count, named), log)
        code, interrupted = 1, False
        pages: list[Page] = []
        shown = (lambda: pages.append(_page(state))) if ui else (lambda: None)
        try:
            with interrupts.heard():
                code = _walk(walk, state, cluster, Path(log.name), count + len(named), shown)
        except Interrupted as interrupt:
            code, interrupted = interrupt.exit_code, True
        finally:
            if keep and code == 0:
                _say_how_to_use(walk, state, cluster, pages)
            else:
                for page in pages:
                    page.close()
                _end(state, cluster, failed=code != 0 and not interrupted)
        if interrupted:
            click.echo("interrupted: the cluster has stopped, and its files are removed", err=True)
    sys.exit(code)


def _check_devices(walk: Walk, count: int, named: tuple[NodeConfig, ...]) -> None:
    config = ClusterConfig(Path(), nodes=count, named=named)
    if lack := shortage([config.devices(node) for node in config.all_nodes], walk.waves):
        raise click.UsageError(f"{lack}; give more with --node NAME:devices=N, or more nodes")


def _page(state: Path) -> Page:
    page = Page.open(state)
    click.echo(page.told)
    return page


def _walk(
    walk: Walk,
    state: Path,
    cluster: "subprocess.Popen[bytes]",
    log: Path,
    nodes: int,
    connected: Callable[[], None],
) -> int:
    try:
        client = _connect(state, cluster, log)
        connected()
        try:
            session = walk.session(client, FAKE)
            session.nodes_ready(nodes)
            wrong = Walkthrough(session, walk).run()
        finally:
            client.close()
    except (DemoFailed, KubeError) as error:
        click.echo(f"demo failed: {error}", err=True)
        return 1
    _lines(f"WRONG: {text}" for text in wrong)
    if not wrong:
        _title(f"All {walk.number} demos show what they should")
    return 1 if wrong else 0


def _options(walk: Walk, nodes: int, named: Iterable[NodeConfig]) -> list[str]:
    counted = ["--nodes", str(nodes)] if nodes else []
    return [
        "--kubernetes",
        walk.kubernetes,
        *counted,
        *(part for node in named for part in ("--node", node_text(node))),
    ]


def _start(state: Path, options: list[str], log: IO[bytes]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "devcluster", "up", "--state-dir", str(state)]
    # not our output, which a pipe would wait for; and its own session: a Ctrl-C in the terminal
    # reaches it through _stop, in order
    return subprocess.Popen(
        [*command, *options],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=environment(os.environ),
        start_new_session=True,
    )


def _connect(state: Path, cluster: "subprocess.Popen[bytes]", log: Path) -> Client:
    """Wait for the kubeconfig, which appears when the API server answers."""
    kubeconfig = state / "kubeconfig"
    deadline = time.monotonic() + START_SECONDS
    with log.open(encoding="utf-8") as progress:
        while not kubeconfig.exists():
            ended = cluster.poll() is not None
            click.echo(progress.read(), nl=False)
            if ended or time.monotonic() > deadline:
                raise DemoFailed("the embedded cluster did not start")
            time.sleep(0.1)
        click.echo(progress.read(), nl=False)
    return Client.from_kubeconfig(str(kubeconfig), qps=100, burst=100, user_agent="walkthrough")


def _end(state: Path, cluster: "subprocess.Popen[bytes]", *, failed: bool) -> None:
    """Stop the cluster; its files stay only where they may explain what went wrong."""
    _stop(cluster)
    if failed:
        click.echo(f"logs of the programs stay in {state / 'logs'}", err=True)
    else:
        shutil.rmtree(state, ignore_errors=True)


def _stop(cluster: "subprocess.Popen[bytes]") -> None:
    cluster.send_signal(signal.SIGTERM)
    try:
        cluster.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(cluster.pid, signal.SIGKILL)
        cluster.wait()


def _say_how_to_use(
    walk: Walk, state: Path, cluster: "subprocess.Popen[bytes]", pages: Sequence[Page]
) -> None:
    _title("The cluster stays up")
    pids = [*(page.process.pid for page in pages), cluster.pid]
    example = Path("demo", walk.folder, "fake-test1.yaml")
    _lines(
        [
            f"export KUBECONFIG={state / 'kubeconfig'}",
            f"kubectl apply -f {example}    # `make tools` puts a kubectl into .bin",
            *(page.told for page in pages),
            f"kill {' '.join(str(each) for each in pids)}    # when you are done",
            f"rm -r {state}    # then: it holds the logs",
        ]
    )


def _row(demo: Demo, pod: JSON) -> list[str]:
    status = pod.get("status") or {}
    containers = status.get("containerStatuses") or []
    ready = sum(1 for c in containers if c.get("ready"))
    node = (pod.get("spec") or {}).get("nodeName", "")
    name = pod["metadata"]["name"]
    return [demo.name, name, f"{ready}/{len(containers)}", str(status.get("phase")), node]


def _title(text: str) -> None:
    click.echo(f"\n== {text}")


def _lines(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


if __name__ == "__main__":
    main()
