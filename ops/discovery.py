"""Asks the API server which kind of claims it has, until it tells.

Classic claims are allocated by a driver's controller, structured ones by kube-scheduler; no server
has both for one driver, see `api.claims.versions`.
"""

import threading
from collections.abc import Mapping
from typing import Final

import click

from api.claims.versions import CLASSIC, STRUCTURED, choose
from api.errors import UnsupportedVersion
from api.names import RESOURCE_GROUP
from kube.client import Client
from kube.errors import KubeError
from ops.config import KUBERNETES
from ops.errors import ConfigError
from ops.logs import get_logger
from ops.settings import option

RETRY_SECONDS: Final = 2.0

KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "auto": (*CLASSIC, *STRUCTURED),
    "classic": CLASSIC,
    "structured": STRUCTURED,
}
"""What --kind may be, with the versions of resource.k8s.io that it means."""

_LOG = get_logger("discovery")

kind_option: Final = option(
    "--kind",
    "KIND",
    section=KUBERNETES,
    type=click.Choice(list(KINDS)),
    default="auto",
    help="Kind of the claims: classic (Kubernetes 1.27 to 1.31, the driver's controller allocates) "
    "or structured (1.32 and later, kube-scheduler allocates). By itself the program takes the "
    "kind that the API server has.",
    remedy=f"give one of {', '.join(KINDS)}",
)
"""Decorator that adds --kind."""


def served_version(client: Client, kind: str, stop: threading.Event) -> str | None:
    """Return the version of resource.k8s.io to use; waits for an API server that is away.

    Args:
        client: the API server.
        kind: one of KINDS.
        stop: ends the waiting.

    Returns:
        None when `stop` was set first.

    Raises:
        ConfigError: the server has no version with such claims.
    """
    while not stop.is_set():
        try:
            return choose(client.versions(RESOURCE_GROUP), KINDS[kind], client.server_version())
        except UnsupportedVersion as error:
            raise ConfigError(str(error)) from error
        except KubeError as error:
            _LOG.warning("API server is away, trying again", error=str(error))
            stop.wait(RETRY_SECONDS)
    return None
