"""The command line of `dra`."""

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any, Final

import click
import yaml

from api.errors import DriverError
from dra.driver import Driver
from dra.errors import NoDriver
from dra.manifests import Installation, manifests
from dra.run import program_of

_METHODS: Final = ("contract", "discover", "prepare", "unprepare")
_TARGET: Final = click.argument("target", metavar="MODULE:DRIVER")


def console() -> None:
    """Run as the console script: the modules of the working directory are found, after ours."""
    sys.path.append(os.getcwd())  # noqa: PTH109 - as Python itself would put it there
    main()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Work with a resource driver that is one class in a Python module."""


@main.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@_TARGET
@click.argument("settings", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def run(context: click.Context, target: str, settings: tuple[str, ...]) -> None:
    """Run a driver on this node: its kubelet plugin.

    SETTINGS are those of the driver's program; `dra run MODULE:DRIVER --help` lists them.
    """
    program_of(_loaded(target)).main(list(settings), prog_name=f"{context.command_path} {target}")


@main.command("manifests")
@_TARGET
@click.option("--image", required=True, help="Image with the driver's program.")
@click.option("--name", help="Of the objects, and label `app` of the pods; by default the class's.")
@click.option("--namespace", default="dra-system", show_default=True, help="To install into.")
@click.option("--class", "device_class", help="Name of the DeviceClass; by default the CDI class.")
@click.option(
    "--host-path",
    "host_paths",
    multiple=True,
    metavar="DIRECTORY",
    help="Directory of the host that the driver works on; may be repeated.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Environment variable of the driver's own settings; may be repeated.",
)
@click.option(
    "--rolling-update",
    is_flag=True,
    help="Start a new pod before the old one ends; for Kubernetes 1.33 and later.",
)
def print_manifests(target: str, settings: tuple[str, ...], **values: Any) -> None:
    """Print the objects that install a driver: kubectl apply -f - takes them."""
    make = _loaded(target)
    contract = make.contract  # type: ignore[attr-defined]
    default = contract.device_key
    wanted = Installation(
        contract,
        name=values["name"] or f"{default}-driver",
        namespace=values["namespace"],
        image=values["image"],
        command=("dra", "run", target),
        device_class=values["device_class"] or default,
        host_paths=values["host_paths"],
        settings=tuple(_pair(each) for each in settings),
        rolling_update=values["rolling_update"],
    )
    click.echo(yaml.safe_dump_all(manifests(wanted), sort_keys=False), nl=False)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE")
    return name, value


def _loaded(target: str) -> Callable[..., Driver]:
    try:
        return load(target)
    except DriverError as error:
        raise click.ClickException(str(error)) from error


def load(target: str) -> Callable[..., Driver]:
    """Return the driver's class that `module:Name` names.

    Raises:
        NoDriver: there is none; with what was found.
    """
    module, colon, name = target.partition(":")
    if not (colon and module and name):
        raise NoDriver(f"{target!r} is not MODULE:DRIVER, such as file_driver:FileDriver")
    try:
        found: Any = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        raise NoDriver(
            f"there is no module {error.name} in {', '.join(p or '.' for p in sys.path[-2:])}; "
            "run the command in the directory of the driver"
        ) from error
    missing = [each for each in _METHODS if not hasattr(found, each)]
    if missing:
        raise NoDriver(
            f"{target} is no driver, it lacks {', '.join(missing)}; see dra.driver.Driver"
        )
    made: Callable[..., Driver] = found
    return made
