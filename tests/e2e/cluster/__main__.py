"""The command line: `python -m tests.e2e.cluster COMMAND`, as root."""

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from tests.e2e.cluster import network, versions
from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.errors import ClusterError
from tests.e2e.cluster.layout import ROOT, Layout

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _told(command: Callable[_P, _T]) -> Callable[_P, _T]:
    """Show errors of the cluster as messages instead of tracebacks."""

    @wraps(command)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return command(*args, **kwargs)
        except ClusterError as error:
            raise click.ClickException(str(error)) from error

    return guarded


def _layout() -> Layout:
    return Layout.from_environment(os.environ)


def _existing() -> Cluster:
    return Cluster.existing(_layout())


_k8s = click.option(
    "--k8s",
    metavar="VERSION",
    envvar="FAKE_DRA_E2E_K8S",
    show_envvar=True,
    default=versions.DEFAULT,
    show_default=True,
    help="Kubernetes, such as 1.30 or 1.30.14.",
)
_gates = click.option(
    "--gates",
    metavar="NAME=BOOL,…",
    default="",
    help="Feature gates to switch in every component, such as DRAPartitionableDevices=true.",
)
_component = click.argument("component")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Raise a real single-node Kubernetes on this machine, for end-to-end tests.

    Builds are kept in $FAKE_DRA_E2E_CACHE (~/.cache/fake-dra-e2e), the state of the cluster that is
    up in $FAKE_DRA_E2E_STATE (/var/lib/fake-dra-e2e).
    """


@main.command()
@_k8s
@_told
def build(k8s: str) -> None:
    """Build and install what `up` needs; goes on where it was interrupted."""
    Cluster(_layout(), versions.parse(k8s)).build()


@main.command()
@_k8s
@_gates
@_told
def up(k8s: str, gates: str) -> None:
    """Raise the cluster and wait until its node is Ready."""
    cluster = Cluster(_layout(), versions.parse(k8s, gates))
    cluster.up()
    click.echo(f"Kubernetes {cluster.version} is up:  export KUBECONFIG={cluster.kubeconfig}")


@main.command()
@_told
def down() -> None:
    """Take the cluster down, with everything that it left on this machine."""
    # also one whose `up` was interrupted before it knew its version, which makes no difference here
    Cluster(_layout(), versions.parse(versions.DEFAULT)).down()


@main.command()
@_told
def status() -> None:
    """Show what runs; ends with 1 unless everything does."""
    found = _existing().status()
    click.echo(f"Kubernetes {found.version}, node {'Ready' if found.node_ready else 'not Ready'}")
    for name, running in found.components.items():
        click.echo(f"  {name:20} {'running' if running else 'stopped'}")
    sys.exit(0 if found.node_ready and all(found.components.values()) else 1)


@main.command()
@_told
def kubeconfig() -> None:
    """Print the path of the administrator's kubeconfig."""
    click.echo(_existing().kubeconfig)


@main.command("load-image")
@click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_told
def load_image(archive: Path) -> None:
    """Load the images of ARCHIVE, as `docker save` writes it, into the node."""
    _existing().load_image(archive)


@main.command("build-image")
@click.argument("image")
@click.option(
    "--context",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=ROOT,
    help="Directory with the Dockerfile; by default this project.",
)
@click.option("--build-arg", "arguments", multiple=True, metavar="NAME=VALUE")
@_told
def build_image(image: str, context: Path, arguments: tuple[str, ...]) -> None:
    """Build IMAGE, a name with a tag; load it now and into every later cluster."""
    cluster = Cluster(_layout(), versions.parse(versions.DEFAULT))
    split = (argument.partition("=") for argument in arguments)
    click.echo(cluster.build_image(image, context, {name: value for name, _, value in split}))


@main.command()
@_component
@_told
def restart(component: str) -> None:
    """Stop and start COMPONENT, such as kubelet or containerd."""
    _existing().restart(component)


@main.command()
@click.option("--keep-sockets", is_flag=True, help="Leave the sockets of plugins as dead files.")
@_told
def reboot(keep_sockets: bool) -> None:
    """Do to the node what a reboot does."""
    _existing().reboot(keep_sockets=keep_sockets)


@main.command()
@_component
@click.option("--lines", default=50, show_default=True, help="How many, from the end.")
@_told
def logs(component: str, lines: int) -> None:
    """Print what COMPONENT wrote last."""
    click.echo(_existing().logs(component, lines), nl=False)


@main.command("in-node", context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@_told
def in_node(command: tuple[str, ...]) -> None:
    """Run COMMAND in the network of the node."""
    argv = network.inside(*command)
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    main(prog_name="python -m tests.e2e.cluster")
