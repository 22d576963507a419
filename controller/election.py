"""Which of several controllers works: settings of the election, and what follows from it.

A controller that does not lead keeps its caches warm and does nothing else. One that has lost ends
at once, in the middle of whatever it was writing, since somebody else may write in a moment; every
write may be replayed, so nothing is left that the next leader does not find. That two controllers
at the same time could do no harm either is not this module's business, see ADR 7.
"""

import os
import socket
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import click
from prometheus_client import Gauge

from api.resources import LEASES
from kube.client import Client
from kube.elector import Elector
from kube.errors import KubeError
from kube.leases import Timing
from kube.reflector import Reflector
from kube.store import Store
from ops.apiserver import watch_failures
from ops.errors import ConfigError
from ops.lifecycle import Lifecycle
from ops.logs import get_logger
from ops.metrics import Metrics
from ops.settings import F, option

LEASE_NAME: Final = "fake-dra-controller"
"""In the driver's namespace; the chart's RBAC rules name it."""

EXIT_CODE: Final = 1

_SECTION: Final = "Leader election"
_DEFAULT: Final = Timing()
_LOG = get_logger("leader election")


def election_options(command: F) -> F:
    """Add the options of the election to a program; `election_timing` reads them."""
    for decorate in reversed(_OPTIONS):
        command = decorate(command)
    return command


_OPTIONS: Final = (
    option(
        "--leader-election",
        "LEADER_ELECTION",
        section=_SECTION,
        type=bool,
        default=True,
        help="Work only while this controller holds the Lease of the driver's controllers, so "
        "that several can run and one of them works. Off is for one controller alone.",
        remedy="give true or false",
    ),
    option(
        "--lease-duration",
        "LEASE_DURATION",
        section=_SECTION,
        type=click.IntRange(1, 3600),
        default=_DEFAULT.duration,
        help="Seconds after the last renewal until another controller takes over from a leader "
        "that died without a word.",
        remedy="give whole seconds from 1 to 3600",
    ),
    option(
        "--renew-deadline",
        "RENEW_DEADLINE",
        section=_SECTION,
        type=click.FloatRange(0, 3600, min_open=True),
        default=_DEFAULT.renew_deadline,
        help="Seconds after its last renewal until a leader that cannot renew the Lease ends; "
        "less than the lease duration.",
        remedy="give seconds above 0, less than the lease duration",
    ),
    option(
        "--retry-period",
        "RETRY_PERIOD",
        section=_SECTION,
        type=click.FloatRange(0, 3600, min_open=True),
        default=_DEFAULT.retry_period,
        help="Seconds between two renewals of the leader, and two looks of the others.",
        remedy="give seconds above 0, clearly less than the renew deadline",
    ),
)


def election_timing(values: Mapping[str, Any]) -> Timing | None:
    """Return the times of the election, None if there is none.

    Args:
        values: the keywords that click passes to the program.

    Raises:
        ConfigError: the times do not fit together.
    """
    if not values["leader_election"]:
        return None
    timing = Timing(values["lease_duration"], values["renew_deadline"], values["retry_period"])
    problem = timing.problem()
    if problem:
        raise ConfigError(
            "--lease-duration, --renew-deadline, --retry-period (env LEASE_DURATION, "
            f"RENEW_DEADLINE, RETRY_PERIOD): {problem}; 15, 10 and 5 are usual"
        )
    return timing


class Leadership:
    """What the controller does about the election; a `kube.elector.Listener`.

    Attributes:
        identity: of this controller.
        watch_failed: hears how the watch of the Lease fares.
    """

    def __init__(
        self,
        metrics: Metrics,
        start: Callable[[], None],
        *,
        identity: str,
        leave: Callable[[int], object] = os._exit,
    ) -> None:
        """Stand by.

        Args:
            metrics: gets `leader_election_master_status`, as client-go calls it.
            start: what only the leader may do.
            identity: of this controller, never used before.
            leave: ends the process without a further step.
        """
        self._leads = _gauge(metrics)
        self.watch_failed = watch_failures(_LOG, LEASES, metrics)
        self._start = start
        self.identity = identity
        self._leave = leave

    def started(self) -> None:
        """Begin to work."""
        _LOG.info("leading", lease=LEASE_NAME, identity=self.identity)
        self._leads.set(1)
        self._start()

    def lost(self) -> None:
        """End the process, without one more write."""
        _LOG.error("leadership lost, ending", lease=LEASE_NAME, identity=self.identity)
        self._leads.set(0)
        self._leave(EXIT_CODE)

    def standby(self, holder: str) -> None:
        """Say who leads."""
        _LOG.info("another controller leads, standing by", lease=LEASE_NAME, holder=holder)

    def failed(self, error: KubeError) -> None:
        """Say why the Lease could not be read or written."""
        _LOG.warning("lease not reached, trying again", lease=LEASE_NAME, error=str(error))


def new_identity() -> str:
    """Return who this process is, in the way of client-go's programs; never used before."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


def take_part(
    life: Lifecycle, client: Client, leadership: Leadership, namespace: str, timing: Timing
) -> Callable[[], None]:
    """Start the threads of the election.

    Args:
        life: spawns them, and stops the watch of the Lease.
        client: answers or fails well within the renew deadline, and does not retry.
        leadership: hears how it goes.
        namespace: of the Lease.
        timing: of the election.

    Returns:
        What leaves the election: it releases the Lease, so nothing may be written afterwards.
    """
    elector = Elector(
        client,
        leadership,
        namespace=namespace,
        name=LEASE_NAME,
        identity=leadership.identity,
        timing=timing,
    )
    store = Store()
    store.subscribe(elector.saw)
    watch = Reflector(
        client,
        LEASES,
        store,
        namespace=namespace,
        field_selector=f"metadata.name={LEASE_NAME}",
        on_error=leadership.watch_failed,
    )
    life.spawn("reflector-lease", partial(watch.run, life.stop))
    life.on_stop("watch of the lease", watch.stop)
    life.spawn("election-guard", elector.guard)
    life.spawn("election", elector.run)
    return elector.stop


def _gauge(metrics: Metrics) -> Gauge:
    gauge = metrics.gauge(
        "leader_election_master_status",
        "1 while this controller leads, 0 while it stands by.",
        {"name": [LEASE_NAME]},
    )
    return gauge.labels(LEASE_NAME)
