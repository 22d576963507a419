"""`python -m devcluster`: the command line of the embedded cluster."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from api.contract import FAKE
from devcluster.config import ClusterConfig, NodeConfig
from devcluster.controls import request_control
from devcluster.errors import ControlFailed, PortUnusable, StateDirError
from devcluster.kubelet.dialect import DIALECTS, NEWEST_CLASSIC
from devcluster.nodeoption import MAX_NODES, SYNTAX, check_nodes, node_option
from devcluster.server import Server, listen
from devcluster.statedir import clear, state_directory
from ops.config import named_driver
from plugin.devices import MAX_DEVICES

_F = TypeVar("_F", bound=Callable[..., Any])

_CONTEXT: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_ACTIONS: Final = {
    "stop-plugin": "Stop the driver's plugin of NODE, which takes leave as at an upgrade.",
    "start-plugin": "Start the plugin of NODE again.",
    "stop-node": "Stop NODE as when its power goes: kubelet, containers and plugin are gone at "
    "once. It is NotReady after 40 s.",
    "start-node": "Start NODE again; its pods start anew.",
}


def state_dir_option(text: str) -> Callable[[_F], _F]:
    """Return the option that names the directory of a cluster."""
    return click.option(
        "--state-dir",
        type=click.Path(file_okay=False, path_type=Path, resolve_path=True),
        default=Path(".devcluster"),
        show_default=True,
        help=text,
    )


@click.group(context_settings=_CONTEXT)
def main() -> None:
    """A small Kubernetes cluster in one process, for Dynamic Resource Allocation."""


@main.command(context_settings=_CONTEXT)
@state_dir_option(
    "Directory for the kubeconfig, logs, sockets and CDI files. It has to be new, empty, or that "
    "of a cluster that has ended: a cluster keeps its objects in memory and starts from nothing."
)
@click.option(
    "--nodes",
    type=click.IntRange(1, MAX_NODES),
    show_default="1, or none with --node",
    help="How many nodes with names as kind gives them.",
)
@click.option(
    "--node",
    "named",
    type=node_option,
    metavar=SYNTAX,
    multiple=True,
    help="A node with a name, and if you like a number and a model of devices, of its own; may be "
    "given several times.",
)
@click.option(
    "--num-devices",
    type=click.IntRange(0, MAX_DEVICES),
    default=8,
    show_default=True,
    help="Fake devices of each node.",
)
@click.option(
    "--kubernetes",
    "--kubelet-version",
    "kubernetes",
    type=click.Choice(sorted(DIALECTS)),
    default="1.30",
    show_default=True,
    help="Kubernetes minor that the cluster is like: up to 1.31 claims are allocated by drivers, "
    "from 1.34 on by the scheduler, from ResourceSlices. With 1.31 only the virtual kubelets are "
    f"of that minor, the API server is of {NEWEST_CLASSIC}, as its objects are.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port of the API server on 127.0.0.1; any free one by default.",
)
@click.option(
    "--without-driver",
    is_flag=True,
    help="Leave out the driver's definitions, class, controller and plugins, to run your own.",
)
@click.option(
    "--driver-name",
    "contract",
    metavar="NAME",
    default=FAKE.driver_name,
    show_default=True,
    callback=named_driver,
    help="Name of the driver.",
)
@click.option(
    "--controllers",
    type=click.IntRange(1, 8),
    default=1,
    show_default=True,
    help="Controllers of the driver; of several one leads and the others stand by.",
)
@click.option(
    "-v",
    "--verbosity",
    type=click.IntRange(0, 10),
    default=2,
    show_default=True,
    help="How much the cluster logs.",
)
def up(
    state_dir: Path,
    nodes: int | None,
    named: tuple[NodeConfig, ...],
    verbosity: int,
    without_driver: bool,
    **settings: Any,
) -> None:
    """Run a cluster until SIGTERM or Ctrl-C; STATE_DIR/kubeconfig appears when it can be used."""
    count = check_nodes(nodes, named)
    config = ClusterConfig(
        state_dir, nodes=count, named=named, driver=not without_driver, **settings
    )
    try:
        with listen(config.port) as listener, state_directory(config):
            click.echo("starting the embedded cluster; containers are processes of this machine")
            server = Server(config, listener, verbosity=verbosity, say=_say)
            raise SystemExit(_finish(config, server.serve()))
    except (StateDirError, PortUnusable) as error:
        raise click.ClickException(str(error)) from error


def _finish(config: ClusterConfig, code: int) -> int:
    """Tidy up, unless something went wrong that the files may explain; say what stays."""
    if code:
        click.echo(f"the cluster failed; its files and logs stay in {config.state_dir}", err=True)
    else:
        clear(config)
        click.echo(f"the cluster has stopped; its logs stay in {config.logs}")
    return code


def _say(text: str) -> None:
    click.echo(f"  {text}")


def _add_control(action: str, text: str) -> None:
    @main.command(action, help=text, context_settings=_CONTEXT)
    @click.argument("node")
    @state_dir_option("Directory of the cluster, as given to `up`.")
    def control(node: str, state_dir: Path) -> None:
        try:
            click.echo(request_control(state_dir, action, node))
        except ControlFailed as error:
            raise click.ClickException(str(error)) from error


for _action, _text in _ACTIONS.items():
    _add_control(_action, _text)


if __name__ == "__main__":
    main()
