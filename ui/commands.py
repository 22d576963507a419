"""`fake-dra ui`: the composition root of the page."""

import importlib
from datetime import UTC, datetime
from typing import Any, Final

import click

from api import __version__
from api.contract import Contract
from api.errors import UnsupportedVersion
from explain.commands import gates_option
from kube.client import Client
from ops.config import driver_option, eventless_options, serving_config
from ops.endpoint import listen, parse_endpoint
from ops.errors import ConfigError
from ops.lifecycle import Lifecycle
from ops.logs import configure
from ops.metrics import Metrics
from ops.settings import option, program
from ui.hosts import Hosts

PAGE: Final = "Page"
LISTEN: Final = "--listen (env UI_LISTEN)"


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@program("ui")
@option(
    "--listen",
    "UI_LISTEN",
    section=PAGE,
    metavar="[HOST]:PORT",
    default="127.0.0.1:8770",
    help="Address of the page. There is no login: whoever reaches it sees what you may read. Port "
    "0 is any free one.",
    remedy='give "127.0.0.1:8770", or ":8770" for all addresses of this machine',
)
@option(
    "--allowed-host,allowed_hosts",
    "UI_ALLOWED_HOSTS",
    section=PAGE,
    metavar="NAME",
    multiple=True,
    show_default="localhost and the address of --listen",
    help="Another name that the page may be asked for by, such as that of a Service; may be "
    "repeated, or several with spaces in the variable. Other names are refused, since they may be "
    "those of somebody else's page.",
    remedy="give a name without port, such as dra.example.com",
)
@option(
    "--namespace,-n",
    "UI_NAMESPACE",
    section=PAGE,
    metavar="NAME",
    default="",
    show_default="all",
    help="Namespace whose claims and pods are shown, for who may not read those of all.",
    remedy="give the name of a namespace",
)
@driver_option
@gates_option
@eventless_options
def ui(contract: Contract, **values: Any) -> int:
    """Show the devices of a cluster on a page: who holds what, what waits and why.

    Of any DRA driver, live, and only what you may read. Never a secret, and nothing is written.
    """
    config = serving_config({**values, "normal_events": False})
    configure(config.logging_format, config.verbosity)
    wiring, server = (importlib.import_module(f"ui.{name}") for name in ("wiring", "server"))
    host = parse_endpoint(values["listen"], LISTEN).host
    served = _asked(config.kubeconfig, wiring.served_by)
    subject = wiring.Subject(served, contract, values["namespace"], values["gates"])
    hosts = Hosts.of(host, values["allowed_hosts"])
    made = wiring.build(Lifecycle(), config, Metrics(), subject, hosts, now)
    shown = host if host not in ("", "0.0.0.0", "::") else "localhost"  # noqa: S104

    def say(port: int) -> None:
        click.echo(f"Devices are shown at http://{f'[{shown}]' if ':' in shown else shown}:{port}/")

    code: int = server.Server(made, listen(values["listen"], LISTEN), say).serve()
    return code


def _asked(kubeconfig: str, ask: Any) -> Any:
    """Ask the API server what it has, before there is a page."""
    client = Client.from_kubeconfig(
        kubeconfig, qps=0, burst=1, user_agent=f"fake-dra-ui/{__version__}"
    )
    try:
        return ask(client)
    except UnsupportedVersion as error:
        raise ConfigError(str(error)) from error
    finally:
        client.close()
