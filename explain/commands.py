"""`fake-dra explain …` and `fake-dra why-not`: the composition root of explanations."""

import importlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import click

from api import __version__
from api.errors import DriverError
from explain.diagnosis import Cause, Diagnosis, Overview
from explain.document import as_json
from explain.features import parse_flag
from explain.reading import Reading
from explain.text import as_text
from kube.client import Client
from kube.config import current_namespace
from ops.config import driver_option, kubeconfig_option
from ops.settings import F, UsageFailure, option, program

OUTPUT: Final = "Output"
WHERE: Final = "Where"
_ENDS: Final = (Cause.RUNS, Cause.ENDED)
_CODES: Final = {True: 0, False: 1, None: 3}


def _gates(_context: click.Context, _param: click.Parameter, value: str) -> Mapping[str, bool]:
    try:
        return parse_flag(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


_namespace: Final = option(
    "--namespace,-n",
    "EXPLAIN_NAMESPACE",
    section=WHERE,
    metavar="NAME",
    default="",
    show_default="that of the kubeconfig's context, else default",
    help="Namespace of what is explained.",
    remedy="give the name of a namespace",
)
gates_option: Final = option(
    "--feature-gates,gates",
    "EXPLAIN_FEATURE_GATES",
    section=WHERE,
    metavar="NAME=BOOL,...",
    default="",
    show_default="what the API server's metrics say, else the defaults of its minor version",
    callback=_gates,
    help="Feature gates of kube-scheduler.",
    remedy="give them as kube-scheduler has them, such as DRADeviceTaints=true",
)
"""Decorator that adds --feature-gates, which gives the keyword `gates`."""

_OPTIONS: Final = (
    option(
        "--output,-o",
        "EXPLAIN_OUTPUT",
        section=OUTPUT,
        type=click.Choice(["text", "json"]),
        default="text",
        help="Text for people, or an object for programs.",
        remedy="give text or json",
    ),
    option(
        "--verbose,-v",
        "EXPLAIN_VERBOSE",
        section=OUTPUT,
        is_flag=True,
        help="Tell of each device which rule refuses it.",
        remedy="give it without a value",
    ),
    option(
        "--watch,-w",
        "EXPLAIN_WATCH",
        section=OUTPUT,
        is_flag=True,
        help="Look every --interval, and tell what has changed, until the pod runs.",
        remedy="give it without a value",
    ),
    option(
        "--interval",
        "EXPLAIN_INTERVAL",
        section=OUTPUT,
        type=click.FloatRange(0.1, 3600),
        default=2.0,
        help="Seconds between two looks of --watch.",
        remedy="give a number of seconds from 0.1 to 3600",
    ),
    gates_option,
    kubeconfig_option,
)


def _options(function: F) -> F:
    for each in reversed(_OPTIONS):
        function = each(function)
    return function


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def explain() -> None:
    """Tell why a pod waits for devices, of any driver.

    Reads only what the caller may read, never a secret, and writes nothing.

    Exit codes:

    \b
      0  it fits now, or runs
      1  it does not fit
      2  it could not look: wrong usage, no answer, no such object, no right to read it
      3  it can't be told
    """  # noqa: D301 - click wants the backspace itself


@program("pod")
@click.argument("name")
@_namespace
@driver_option
@_options
def pod(**values: Any) -> int:
    """Tell why a pod waits: which rule refuses which devices on which node, and what would help."""
    run = _run()
    where = (values["name"], _namespace_of(values), values["contract"])
    return _told(values, lambda reading: run.pod(reading, *where))


@program("claim")
@click.argument("name")
@_namespace
@driver_option
@_options
def claim(**values: Any) -> int:
    """Tell where a claim is in its life, who uses it, and what keeps it from devices."""
    run = _run()
    where = (values["name"], _namespace_of(values), values["contract"])
    return _told(values, lambda reading: run.claim(reading, *where))


@program("node")
@click.argument("name")
@_options
def node(**values: Any) -> int:
    """Tell which devices a node offers, and who or what keeps claims from them."""
    run = _run()
    return _told(values, lambda reading: run.node(reading, values["name"]))


@program("class")
@click.argument("name")
@_options
def class_(**values: Any) -> int:
    """Tell which devices a class selects, and where."""
    run = _run()
    return _told(values, lambda reading: run.class_(reading, values["name"]))


for _command in (pod, claim, node, class_):
    explain.add_command(_command)


@program("why-not")
@option(
    "--selector",
    "EXPLAIN_SELECTOR",
    section=WHERE,
    metavar="CEL",
    required=True,
    help="Expression to try, as a request or a class has it.",
    remedy="give a CEL expression, such as 'device.driver == \"gpu.example.com\"'",
)
@option(
    "--class,device_class",
    "EXPLAIN_CLASS",
    section=WHERE,
    metavar="NAME",
    default="",
    show_default="devices of any class",
    help="DeviceClass whose selectors have to hold, too.",
    remedy="give the name of a DeviceClass",
)
@_options
def why_not(**values: Any) -> int:
    """Try a selector on the devices of the cluster: where it holds, and which term does not."""
    run = _run()
    return _told(
        values, lambda reading: run.selector(reading, values["selector"], values["device_class"])
    )


def _namespace_of(values: Mapping[str, Any]) -> str:
    return values["namespace"] or current_namespace(values["kubeconfig"]) or "default"


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def _run() -> Any:
    """Return what explains; it needs the library for CEL."""
    try:
        return importlib.import_module("explain.run")
    except ImportError as error:
        raise UsageFailure(
            f"explaining needs a library for CEL ({error.name}); install it with "
            "pip install 'fake-dra-driver[explain]'"
        ) from error


def _told(values: Mapping[str, Any], look: Callable[[Reading], Diagnosis | Overview]) -> int:
    client = Client.from_kubeconfig(
        values["kubeconfig"], qps=0, burst=1, user_agent=f"fake-dra-explain/{__version__}"
    )
    try:
        return watched(lambda: look(Reading(client, values["gates"], now)), values)
    except DriverError as error:
        raise UsageFailure(str(error)) from error
    finally:
        client.close()


def watched(
    look: Callable[[], Diagnosis | Overview],
    values: Mapping[str, Any],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Print an explanation, with --watch each that differs from the one before.

    Args:
        look: explains.
        values: of the command.
        sleep: waits for some seconds.

    Returns:
        The exit code for the last of them.
    """
    last: Diagnosis | Overview | None = None
    while True:
        found = look()
        if last is None or _lasting(last) != _lasting(found):
            text = as_text(found, verbose=values["verbose"])
            click.echo(as_json(found) if values["output"] == "json" else text)
        if not values["watch"] or (isinstance(found, Diagnosis) and found.cause in _ENDS):
            return _CODES[found.fits]
        last = found
        sleep(values["interval"])


def _lasting(found: Diagnosis | Overview) -> Diagnosis | Overview:
    """Return an explanation without the texts that tell ages, which always differ."""
    if isinstance(found, Overview):
        return replace(found, facts=())
    return replace(found, helps=(), facts=())
