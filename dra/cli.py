"""The command line of `dra`."""

import importlib
import os
import shlex
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import click
import yaml

from api.contract import Contract
from api.errors import DriverError
from dra.driver import Driver, ReadsNode
from dra.errors import NoDriver
from dra.manifests import API_VERSIONS, Installation, faults, manifests
from dra.newproject import create
from dra.run import program_of
from dra.settings import check_given
from ops.settings import Program, UsageFailure

_METHODS: Final = ("contract", "discover", "prepare", "unprepare")
_OURS: Final = (*(f"{Path(__file__).parents[1] / name}/" for name in ("api", "dra")), "<")
"""How names of files begin that are no driver's; those that Python makes up are in brackets."""

_ELSEWHERE: Final = "run the command in the directory of the driver"
_TARGET: Final = click.argument("target", metavar="MODULE:DRIVER")


def console() -> None:
    """Run as the console script: the modules of the working directory are found, after ours."""
    sys.path.append(os.getcwd())  # noqa: PTH109 - as Python itself would put it there
    main()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Work with a resource driver that is one class in a Python module."""


@main.command()
@click.argument("name")
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    help="To make the project in; by default one of that name, here.",
)
def new(name: str, directory: Path | None) -> None:
    """Make the project of a new driver, with a test that passes.

    NAME is what the devices are called, such as gpu or serial-port: the driver becomes
    NAME.example.com until you give it a domain of yours.
    """
    where = directory or Path(name)
    try:
        made = create(name, where)
    except DriverError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"made in {where}: {', '.join(path.name for path in made)}")
    click.echo(f"next: cd {shlex.quote(str(where))} && python -m pytest")


@main.command(
    # what follows the driver is for its program, also --help
    context_settings={"allow_interspersed_args": False},
    options_metavar="",
)
@_TARGET
@click.argument("settings", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def run(context: click.Context, target: str, settings: tuple[str, ...]) -> None:
    """Run a driver on this node: its kubelet plugin.

    SETTINGS are those of the driver's program; `dra run MODULE:DRIVER --help` lists them.
    """
    program = _program(_loaded(target))
    program.main(list(settings), prog_name=f"{context.command_path} {target}")


@main.command("manifests")
@_TARGET
@click.option("--image", required=True, help="Image that has the driver and the command dra.")
@click.option(
    "--name",
    help="Of the objects, and label app of the pods; by default the class of the devices, and "
    "-driver.",
)
@click.option("--namespace", default="dra-system", show_default=True, help="To install into.")
@click.option(
    "--class",
    "device_class",
    help="Name of the DeviceClass that users' claims name; by default the class of the devices.",
)
@click.option(
    "--api-version",
    type=click.Choice(API_VERSIONS),
    default=API_VERSIONS[0],
    show_default=True,
    help="Of the DeviceClass; Kubernetes 1.32 and 1.33 need v1beta1. The driver finds out by "
    "itself what is served.",
)
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
    help="Setting of the driver by its environment variable, such as FILES=3; may be repeated.",
)
@click.option(
    "--publish-status",
    "publishes_status",
    is_flag=True,
    help="Allow the driver to call publish_status: to write status.devices of claims, from "
    "Kubernetes 1.36 on only its own entries in claims of its node.",
)
@click.option(
    "--rolling-update",
    is_flag=True,
    help="Start a new pod before the old one ends; for Kubernetes 1.33 and later.",
)
def print_manifests(target: str, settings: tuple[str, ...], **values: Any) -> None:
    """Print the objects that install a driver: kubectl apply -f - takes them.

    \b
    Namespace                    for the driver; pods with directories of the host may run there
    ServiceAccount, ClusterRole  what the driver may do, and its binding
    ValidatingAdmissionPolicy    it may write the ResourceSlices of its own node only
    DeviceClass                  all devices of the driver
    DaemonSet                    the driver on every Linux node

    \b
    Example:
      dra manifests gpu_driver:GpuDriver --image gpu-driver:0.1.0 | kubectl apply -f -
    """  # noqa: D301 - click wants the backspace itself
    make = _loaded(target)
    contract: object = make.contract  # type: ignore[attr-defined]
    if not isinstance(contract, Contract):
        raise click.ClickException(f"{target}.contract is not known without making the driver")
    kind = contract.device_key
    wanted = Installation(
        contract,
        command=("dra", "run", target),
        settings=tuple(_pair(each) for each in settings),
        reads_node=isinstance(make, ReadsNode),
        **{
            **values,
            "name": values["name"] or f"{kind}-driver",
            "device_class": values["device_class"] or kind,
        },
    )
    for each in faults(wanted):
        raise UsageFailure(each)
    check_given(_program(make), wanted.settings)
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
        raise click.ClickException(" ".join(str(error).split())) from error


def _program(make: Callable[..., Driver]) -> Program:
    try:
        return program_of(make)
    except DriverError as error:
        raise click.ClickException(str(error)) from error


def load(target: str) -> Callable[..., Driver]:
    """Return the driver's class that `module:Name` names.

    Raises:
        NoDriver: there is none; with what was found.
    """
    module, colon, name = target.partition(":")
    if not (colon and name and all(part.isidentifier() for part in module.split("."))):
        raise NoDriver(f"{target!r} is not MODULE:DRIVER, such as file_driver:FileDriver")
    loaded = _imported(module)
    found: Any = getattr(loaded, name, None)
    if found is None:
        raise NoDriver(f"module {module} has no {name}")
    missing = [each for each in _METHODS if not hasattr(found, each)]
    if missing:
        raise NoDriver(
            f"{target} is no driver, it lacks {', '.join(missing)}; see dra.driver.Driver"
        )
    if not isinstance(found.contract, Contract | property):
        raise NoDriver(f"{target}.contract has to be a Contract, such as Contract('a.b', 'gpu')")
    if not callable(found):
        raise NoDriver(f"{target} is an object; name what makes it, class {type(found).__name__}")
    made: Callable[..., Driver] = found
    return made


def _imported(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise NoDriver(_missing(module, error.name or "")) from error
    except (Exception, SystemExit) as error:
        place = _place(error)
        raise NoDriver(
            f"module {module} cannot be loaded: {type(error).__name__}: {error} ({place.filename}, "
            f"line {place.lineno})"
        ) from error


def _missing(module: str, name: str) -> str:
    """Return what a person does about a module that is not there."""
    if not f"{module}.".startswith(f"{name}."):
        return f"module {module} needs {name}, which is not installed; install what has it"
    stem = module.removesuffix(".py")
    remedy = f"name {stem} without .py" if stem != module else _ELSEWHERE
    where = ", ".join(path or "." for path in sys.path[-2:])
    return f"there is no module {name} in {where}; {remedy}"


def _place(error: BaseException) -> traceback.FrameSummary:
    """Return where an error comes from: not of ours, if the driver has called that."""
    places = traceback.extract_tb(error.__traceback__)
    theirs = [each for each in places if not each.filename.startswith(_OURS)]
    return (theirs or places)[-1]
