"""`python -m devcluster`: the command line of the embedded cluster."""

from pathlib import Path

import click

from devcluster.config import ClusterConfig
from devcluster.errors import StateDirError
from devcluster.kubelet.dialect import DIALECTS
from devcluster.server import Server

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=_CONTEXT)
def main() -> None:
    """A small Kubernetes cluster in one process, for Dynamic Resource Allocation."""


@main.command(context_settings=_CONTEXT)
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".devcluster"),
    show_default=True,
    help="Directory for the kubeconfig, logs, sockets and CDI files. It has to be new or empty: a "
    "cluster keeps its objects in memory and starts from nothing.",
)
@click.option("--nodes", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option(
    "--num-devices",
    type=click.IntRange(0, 128),
    default=8,
    show_default=True,
    help="Fake devices of each node.",
)
@click.option(
    "--kubelet-version",
    type=click.Choice(sorted(DIALECTS)),
    default="1.30",
    show_default=True,
    help="Kubernetes minor that the virtual kubelets behave like towards the driver.",
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
    nodes: int,
    num_devices: int,
    kubelet_version: str,
    port: int,
    without_driver: bool,
    controllers: int,
    verbosity: int,
) -> None:
    """Run a cluster until SIGTERM or Ctrl-C; STATE_DIR/kubeconfig appears when it can be used."""
    config = ClusterConfig(
        state_dir.resolve(),
        nodes,
        num_devices,
        kubelet_version,
        port,
        not without_driver,
        controllers,
    )
    try:
        prepare(config)
    except StateDirError as error:
        raise click.ClickException(str(error)) from error
    click.echo("starting the embedded cluster; containers are processes of this machine")
    Server(config, verbosity=verbosity, say=lambda text: click.echo(f"  {text}")).run()


def prepare(config: ClusterConfig) -> None:
    """Make the state directory.

    Raises:
        StateDirError: it is not empty, or cannot be made.
    """
    path = config.state_dir
    try:
        config.logs.mkdir(parents=True, exist_ok=True)
        used = [item.name for item in path.iterdir() if item != config.logs]
    except OSError as error:
        raise StateDirError(
            f"--state-dir {path}: {error.strerror}; name a directory that you can write to"
        ) from error
    if used:
        raise StateDirError(
            f"--state-dir {path} is not empty; name a new directory, or delete it if no cluster "
            "runs there any more"
        )


if __name__ == "__main__":
    main()
