"""The settings that the programs share, as click options and as one frozen value.

`common_options` adds the options to a program, `common_config` makes the value of what click read.
How options are declared, and what a wrong value does, is in `ops.settings`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from api.contract import FAKE, Contract
from api.limits import MAX_DRIVER_NAME
from api.validation import subdomain
from ops.endpoint import parse_endpoint
from ops.errors import ConfigError
from ops.settings import F, Rate, Verbosity, option

NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""Where the kubelet mounts the namespace of the pod."""

KUBERNETES: Final = "Kubernetes API"
HTTP: Final = "HTTP"
LOGGING: Final = "Logging"

_TAKEN_PATHS: Final = ("/healthz", "/readyz")
_MOST_QPS: Final = 10_000


@dataclass(frozen=True, slots=True)
class ServingConfig:
    """Settings of every program that serves and speaks to the API server.

    Attributes:
        kubeconfig: path; empty is the pod's service account, else what kubectl would use.
        kube_api_qps: requests a second to the API server, on average.
        kube_api_burst: requests that may go out at once.
        http_endpoint: `host:port` or `:port`; empty is off.
        metrics_path: URL path with its slash.
        pprof_path: URL path with its slash; empty is off.
        logging_format: `text` or `json`.
        verbosity: 0 to 10, see `ops.logs`.
        normal_events: whether events tell of successes, too.
    """

    kubeconfig: str
    kube_api_qps: float
    kube_api_burst: int
    http_endpoint: str
    metrics_path: str
    pprof_path: str
    logging_format: str
    verbosity: int
    normal_events: bool


@dataclass(frozen=True, slots=True)
class CommonConfig(ServingConfig):
    """Settings that the programs of the fake driver share.

    Attributes:
        namespace: of the NodeAllocationStates, which is the one that the driver runs in.
        contract: who the driver is.
    """

    namespace: str
    contract: Contract


def serving_config(values: Mapping[str, Any]) -> ServingConfig:
    """Make the value of the keywords that click passes to the program.

    Args:
        values: one for each attribute of ServingConfig; others are ignored.

    Raises:
        ConfigError: naming the flag, its environment variable, and the remedy.
    """
    config = ServingConfig(**_known(ServingConfig, values))
    _check(config)
    return config


def common_config(
    values: Mapping[str, Any], *, namespace_file: Path = NAMESPACE_FILE
) -> CommonConfig:
    """Make the value of the keywords that click passes to the program.

    Args:
        values: one for each attribute of CommonConfig; others are ignored.
        namespace_file: read when `namespace` is empty.

    Raises:
        ConfigError: naming the flag, its environment variable, and the remedy.
    """
    known = _known(CommonConfig, values) | {"namespace": namespace_of(values, namespace_file)}
    config = CommonConfig(**known)
    _check(config)
    return config


def _known(kind: type[ServingConfig], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in kind.__dataclass_fields__}


def namespace_of(values: Mapping[str, Any], namespace_file: Path = NAMESPACE_FILE) -> str:
    """Return `values["namespace"]`, else the namespace of the pod that the program runs in.

    Raises:
        ConfigError: there is neither.
    """
    namespace = str(values.get("namespace") or "") or _read_namespace(namespace_file)
    if not namespace:
        raise ConfigError(
            f"--namespace (env POD_NAMESPACE or NAMESPACE) is not set and {namespace_file} gives "
            "none; name the namespace that the driver is installed in, such as fake-system"
        )
    return namespace


def _read_namespace(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _check(config: ServingConfig) -> None:
    if config.http_endpoint:
        parse_endpoint(config.http_endpoint)
    served = [*_TAKEN_PATHS, config.metrics_path]
    if config.metrics_path in _TAKEN_PATHS:
        raise ConfigError(
            f"--metrics-path (env METRICS_PATH): {config.metrics_path} is a health check; "
            "give another path, such as /metrics"
        )
    if config.pprof_path in served:
        raise ConfigError(
            f"--pprof-path (env PPROF_PATH): {config.pprof_path} is served already; "
            "give another path, such as /debug/pprof, or nothing to switch it off"
        )


def _url_path(_context: click.Context, param: click.Parameter, value: str) -> str:
    """Check a path that is served; empty is allowed where the default is."""
    path = value.rstrip("/")
    if value == param.default == "":
        return value
    if not path.startswith("/") or not path.isprintable() or set(path) & set("<>?# "):
        raise click.BadParameter(f"{value!r} is no path below /")
    return path


def namespace_option(show_default: str) -> Callable[[F], F]:
    """Return a decorator that adds --namespace; `show_default` tells which it is if none is given.

    `namespace_of` reads it.
    """
    return option(
        "--namespace",
        ("POD_NAMESPACE", "NAMESPACE"),
        section=KUBERNETES,
        default="",
        show_default=show_default,
        help="Namespace of the driver, where the NodeAllocationState of every node is kept. "
        "Controller and plugins have to agree on it.",
        remedy="give the name of a namespace",
    )


kubeconfig_option: Final = option(
    "--kubeconfig",
    "KUBECONFIG",
    section=KUBERNETES,
    default="",
    show_default="the pod's service account, else ~/.kube/config",
    help="File with the address of the API server and the credentials. Not needed in a pod.",
    remedy="give the path of a kubeconfig file",
)
"""Decorator that adds --kubeconfig."""


def named_driver(_context: click.Context, _param: click.Parameter, value: str) -> Contract:
    """Return the driver of that name: a callback of click.

    Raises:
        BadParameter: no driver can have it.
    """
    if len(value) > MAX_DRIVER_NAME or subdomain(value):
        raise click.BadParameter(f"{value!r} is no name of a driver")
    return FAKE.renamed(value)


driver_option: Final = option(
    "--driver-name,contract",
    "DRIVER_NAME",
    section=KUBERNETES,
    metavar="NAME",
    callback=named_driver,
    default=FAKE.driver_name,
    help="Name of the driver, as classes and claims have it, and all that derives from it: "
    "finalizer, CDI kind, socket and directory of the plugin. Controller, plugins and the class "
    "have to agree on it; it stays as it is while claims are allocated.",
    remedy=f"give a DNS name of at most {MAX_DRIVER_NAME} lower-case characters",
)
"""Decorator that adds --driver-name, which gives the keyword `contract`."""

_NAMESPACE: Final = namespace_option("the pod's own")

_RATES: Final = (
    option(
        "--kube-api-qps",
        "KUBE_API_QPS",
        section=KUBERNETES,
        type=Rate(0, _MOST_QPS, min_open=True),
        default=50.0,
        help="Requests a second that the program sends to the API server at most, on average; "
        "events have as many again, so that they hold nothing up. Lower it when many nodes share a "
        "small API server.",
        remedy=f"give a number above 0, up to {_MOST_QPS}",
    ),
    option(
        "--kube-api-burst",
        "KUBE_API_BURST",
        section=KUBERNETES,
        type=click.IntRange(1, _MOST_QPS),
        default=100,
        help="Requests that may go out at once before --kube-api-qps holds them back.",
        remedy=f"give a whole number from 1 to {_MOST_QPS}",
    ),
)

_EVENTS: Final = (
    option(
        "--normal-events",
        "NORMAL_EVENTS",
        section=KUBERNETES,
        type=bool,
        default=True,
        help="Tell users by events of successes, too: Allocated and Prepared, one of each for a "
        "claim, of each program 25 at once and then two a second. Off, events tell of problems "
        "only.",
        remedy="give true or false",
    ),
)

_HTTP: Final = (
    option(
        "--http-endpoint",
        "HTTP_ENDPOINT",
        section=HTTP,
        metavar="[HOST]:PORT",
        default="",
        show_default="off",
        help='Address that /healthz, /readyz and the metrics are served on, without TLS: ":8080" '
        'for all addresses, "127.0.0.1:8080" for this machine only.',
        remedy='give ":8080" or "127.0.0.1:8080", or nothing to switch HTTP off',
    ),
    option(
        "--metrics-path",
        "METRICS_PATH",
        section=HTTP,
        metavar="PATH",
        callback=_url_path,
        default="/metrics",
        help="URL path of the Prometheus metrics.",
        remedy="give a path that starts with a slash, such as /metrics",
    ),
    option(
        "--pprof-path",
        "PPROF_PATH",
        section=HTTP,
        metavar="PATH",
        callback=_url_path,
        default="",
        show_default="off",
        help="URL path that shows what every thread is doing; with ?seconds=10 it samples for that "
        "long and answers stacks for a flame graph. It tells much about the program: switch it on "
        "to look for a fault.",
        remedy="give a path that starts with a slash, such as /debug/pprof",
    ),
)

_LOGGING: Final = (
    option(
        "--logging-format",
        "LOGGING_FORMAT",
        section=LOGGING,
        type=click.Choice(["text", "json"]),
        default="text",
        help="Form of the log lines on standard error: text for people, json for collectors.",
        remedy="give text or json",
    ),
    option(
        "-v,--v,verbosity",
        "V",
        section=LOGGING,
        type=Verbosity(0, 10),
        default=2,
        help="How much is logged: 0 warnings and errors, 2 also facts and decisions, 4 also their "
        "flow, 6 also what the libraries report.",
        remedy="give a whole number from 0 to 10",
    ),
)


def cluster_options(function: F) -> F:
    """Add --kubeconfig and --namespace, all that a one-shot tool needs."""
    return _add(function, (kubeconfig_option, _NAMESPACE))


def logging_options(function: F) -> F:
    """Add --logging-format and -v."""
    return _add(function, _LOGGING)


def common_options(command: F) -> F:
    """Add every setting of CommonConfig, after the program's own if it is the last decorator."""
    shared = (*_RATES, *_EVENTS, *_HTTP, *_LOGGING)
    return _add(command, (kubeconfig_option, _NAMESPACE, driver_option, *shared))


def eventless_options(command: F) -> F:
    """Add every setting of ServingConfig but --normal-events, for who tells nothing by events."""
    return _add(command, (kubeconfig_option, *_RATES, *_HTTP, *_LOGGING))


def serving_options(command: F) -> F:
    """Add every setting of ServingConfig."""
    return _add(command, (kubeconfig_option, *_RATES, *_EVENTS, *_HTTP, *_LOGGING))


def _add(function: F, options: Sequence[Callable[[F], F]]) -> F:
    for decorate in reversed(options):
        function = decorate(function)
    return function
