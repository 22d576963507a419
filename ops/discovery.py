"""Asks the API server which kind of claims it has, until it tells.

Classic claims are allocated by a driver's controller, structured ones by kube-scheduler; no server
has both for one driver, see `api.claims.versions`.
"""

import threading
from collections.abc import Mapping
from typing import Final, Protocol

import click

from api.claims.versions import CLASSIC, STRUCTURED, choose
from api.errors import UnsupportedVersion
from api.names import RESOURCE_GROUP
from api.objects import JSON
from kube.errors import ApiError, KubeError
from ops.config import KUBERNETES
from ops.errors import ConfigError
from ops.logs import get_logger
from ops.settings import option

RETRY_SECONDS: Final = 2.0
PERIOD_SECONDS: Final = 30.0
"""From one look at what the API server has to the next."""

KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "auto": (*CLASSIC, *STRUCTURED),
    "classic": CLASSIC,
    "structured": STRUCTURED,
}
"""What --kind may be, with the versions of resource.k8s.io that it means."""

_UNKNOWN: Final = "the API server has not told yet what it serves"

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


class Server(Protocol):
    """What is needed of kube.client.Client."""

    def versions(self, group: str) -> list[str]:
        """Return the served versions of an API group."""

    def server_version(self) -> JSON:
        """Return the answer of `GET /version`."""


class Inquiry:
    """Asks until the API server tells which version of resource.k8s.io to use."""

    def __init__(self, client: Server, kind: str) -> None:
        """Ask `client` for a version of a kind of KINDS."""
        self._client = client
        self._kind = kind
        self._last = ""

    def problem(self) -> str:
        """Say why the program is not ready while it asks; a check of ops.checks."""
        return f"{_UNKNOWN}: {self._last}" if self._last else _UNKNOWN

    def served_version(self, stop: threading.Event) -> str | None:
        """Return the version to use, None when `stop` was set first.

        Raises:
            ConfigError: the server has no version with such claims.
        """
        while not stop.is_set():
            try:
                served = self._client.versions(RESOURCE_GROUP)
                return choose(served, KINDS[self._kind], self._client.server_version())
            except UnsupportedVersion as error:
                raise ConfigError(str(error)) from error
            except KubeError as error:
                self._last = str(error)
                refused = isinstance(error, ApiError)
                what = "refuses to tell what it serves" if refused else "is away"
                _LOG.warning(f"API server {what}, trying again", error=self._last)
                stop.wait(RETRY_SECONDS)
        return None


def until_kind_changes(
    client: Server, kind: str, version: str, stop: threading.Event, *, pinned: bool = False
) -> None:
    """End the program once it is the wrong one for the API server; runs on a thread of its own.

    That is after an upgrade or downgrade of the control plane. The program ends as if it were told
    to, with exit code 0, and its pod is started again. A version of structured claims is as good as
    another to programs that ask for the version each time; a classic one is not. A server that is
    away, or has no version at all for a while, changes nothing.

    Args:
        client: the API server.
        kind: one of KINDS, as the program was told.
        version: of resource.k8s.io, with which the program was started.
        stop: ends the program, and this.
        pinned: the program does not ask again, so that any other version ends it.
    """
    known: list[str] = []
    while not stop.wait(PERIOD_SECONDS):
        try:
            served = client.versions(RESOURCE_GROUP)
            if served == known:
                continue
            found = choose(served, KINDS[kind], client.server_version())
            known = served
        except (KubeError, UnsupportedVersion) as error:
            _LOG.debug("No usable version at this moment", error=str(error))
            continue
        if found != version and (pinned or not {found, version} <= set(STRUCTURED)):
            _LOG.info(f"restarting as {kind_of(found)}", version=found, before=version)
            stop.set()


def kind_of(version: str) -> str:
    """Return the kind of the claims of a version, `classic` or `structured`."""
    return "classic" if version in CLASSIC else "structured"
