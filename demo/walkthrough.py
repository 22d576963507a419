"""`make demo`: raises the embedded cluster, runs the five demos, shows and checks what they show.

Exits with 1 when anything differs from what the README says.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import click

from api.contract import FAKE
from api.objects import JSON
from demo.describe import section
from demo.expect import WAVES, Demo, device_lines, leftovers, problems, shortage
from demo.interrupts import Interrupted, Interrupts
from demo.session import DemoFailed, Session
from devcluster.config import ClusterConfig, NodeConfig
from devcluster.nodeoption import SYNTAX, check_nodes, node_option, node_text
from devcluster.programs import environment
from kube.client import Client
from kube.errors import KubeError

HERE = Path(__file__).parent
START_SECONDS = 60.0


class Walkthrough:
    """Runs demos in a session and prints what a user would look at."""

    def __init__(self, session: Session) -> None:
        """Run in `session`."""
        self._session = session
        self._wrong: list[str] = []

    def run(self) -> list[str]:
        """Run everything; return what was wrong."""
        self._show_states("The devices that each node offers", "spec", "allocatableDevice")
        whole, split = map(list, WAVES)
        self._up(whole)
        self._show_states("Devices prepared on each node", "spec", "preparedDevices")
        self._down(whole)
        self._up(split)
        self._show_states("Four devices, each split in two", "spec", "allocatedClaims")
        self._show_states("The children, with their parents", "spec", "preparedDevices")
        self._down(split)
        return self._wrong

    def _up(self, demos: list[Demo]) -> None:
        _title(f"Applying {', '.join(f'fake-{d.name}.yaml' for d in demos)}")
        for demo in demos:
            _lines(self._session.apply(HERE / f"fake-{demo.name}.yaml", in_turn=True))
        pods = [(demo, pod) for demo in demos for pod in self._session.running(demo)]
        _title("Pods")
        _table(["NAMESPACE", "NAME", "READY", "STATUS", "NODE"], [_row(d, p) for d, p in pods])
        _title("The devices in the environment of each container")
        for demo in demos:
            self._check(demo)

    def _check(self, demo: Demo) -> None:
        logs = self._session.logs(demo)
        click.echo(f"{demo.name}:")
        for (pod, container), text in logs.items():
            _lines([f"{pod} {container}:", *device_lines(text)])
        click.echo()
        self._wrong += problems(demo, logs, self._session.states())

    def _down(self, demos: list[Demo]) -> None:
        _title(f"Deleting {', '.join(d.name for d in demos)}")
        for demo in demos:
            self._session.delete(demo)
        states = self._session.released(demos)
        self._wrong += leftovers(states)
        free = sum(len(s.allocatable) for s in states)
        click.echo(f"every claim is gone, all {free} devices are free again")

    def _show_states(self, title: str, *path: str) -> None:
        _title(f"{title}: kubectl describe -n fake-system nas/<node>")
        for obj in self._session.state_objects():
            click.echo(f"Name:  {obj['metadata']['name']}\n{section(obj, *path)}")


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
@click.option("--keep", is_flag=True, help="Leave the cluster running and say how to use it.")
def main(nodes: int | None, named: tuple[NodeConfig, ...], keep: bool) -> None:
    """Run the five demos on the embedded cluster and check what they show."""
    count = check_nodes(nodes, named)
    _check_devices(count, named)
    interrupts = Interrupts()
    interrupts.install()
    state = Path(tempfile.mkdtemp(prefix="dra-"))
    with tempfile.NamedTemporaryFile(prefix="dra-", suffix=".log") as log:
        cluster = _start(state, _options(count, named), log)
        code, interrupted = 1, False
        try:
            with interrupts.heard():
                code = _walk(state, cluster, Path(log.name), count + len(named))
        except Interrupted as interrupt:
            code, interrupted = interrupt.exit_code, True
        finally:
            if keep and code == 0:
                _say_how_to_use(state, cluster)
            else:
                _end(state, cluster, failed=code != 0 and not interrupted)
        if interrupted:
            click.echo("interrupted: the cluster has stopped, and its files are removed", err=True)
    sys.exit(code)


def _check_devices(count: int, named: tuple[NodeConfig, ...]) -> None:
    config = ClusterConfig(Path(), nodes=count, named=named)
    if lack := shortage([config.devices(node) for node in config.all_nodes]):
        raise click.UsageError(f"{lack}; give more with --node NAME:devices=N, or more nodes")


def _walk(state: Path, cluster: "subprocess.Popen[bytes]", log: Path, nodes: int) -> int:
    try:
        client = _connect(state, cluster, log)
        try:
            session = Session(client, FAKE)
            session.nodes_ready(nodes)
            wrong = Walkthrough(session).run()
        finally:
            client.close()
    except (DemoFailed, KubeError) as error:
        click.echo(f"demo failed: {error}", err=True)
        return 1
    _lines(f"WRONG: {text}" for text in wrong)
    if not wrong:
        _title("All five demos show what they should")
    return 1 if wrong else 0


def _options(nodes: int, named: Iterable[NodeConfig]) -> list[str]:
    counted = ["--nodes", str(nodes)] if nodes else []
    return [*counted, *(part for node in named for part in ("--node", node_text(node)))]


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


def _say_how_to_use(state: Path, cluster: "subprocess.Popen[bytes]") -> None:
    _title("The cluster stays up")
    _lines(
        [
            f"export KUBECONFIG={state / 'kubeconfig'}",
            "kubectl apply -f demo/fake-test1.yaml    # `make tools` puts a kubectl into .bin",
            f"kill {cluster.pid}    # when you are done",
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


def _table(head: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(row[n]) for row in [head, *rows]) + 3 for n in range(len(head))]
    for row in [head, *rows]:
        click.echo("".join(f"{cell:<{widths[n]}}" for n, cell in enumerate(row)).rstrip())


def _title(text: str) -> None:
    click.echo(f"\n== {text}")


def _lines(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


if __name__ == "__main__":
    main()
