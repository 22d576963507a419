"""What the program consists of for each kind of claims, put together; nothing works yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from api.claims.versions import STRUCTURED, choose
from api.names import RESOURCE_GROUP
from controller.classes import ClassKeeper
from controller.election import new_identity
from controller.leftovers import Leftovers
from controller.upkeep import Upkeep
from controller.wiring import Controller, Site, build
from controller.workers import Workers
from kube.client import Client
from kube.events import EventRecorder
from ops.checks import Check
from ops.communication import Communication
from ops.config import CommonConfig
from ops.lifecycle import Lifecycle
from ops.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Around:
    """What the program works with, whatever the kind.

    Attributes:
        life: of the program.
        common: settings.
        client: the API server.
        events: the recorder of events.
        metrics: of the program.
    """

    life: Lifecycle
    common: CommonConfig
    client: Client
    events: EventRecorder
    metrics: Metrics


class Crew(Protocol):
    """What only the leader may do."""

    def start(self) -> None:
        """Begin to work; of no effect while the program stops."""

    def stop(self) -> None:
        """End, so that nothing is written any more."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the program consists of.

    Attributes:
        crews: that work while this controller leads.
        checks: what /readyz asks.
    """

    crews: Sequence[Crew]
    checks: Mapping[str, Check]

    def start(self) -> None:
        """Let everybody work."""
        for crew in self.crews:
            crew.start()

    def stop(self) -> None:
        """Let everybody end, the last one first."""
        for crew in reversed(self.crews):
            crew.stop()


def classic(
    around: Around,
    keeper: ClassKeeper,
    version: str,
    workers: int,
    unprepare_timeout: float,
    communication: Communication,
) -> Parts:
    """Return what allocates claims; its caches are being filled.

    Args:
        around: what it works with.
        keeper: of the classes.
        version: of resource.k8s.io, for as long as the program runs.
        workers: how many claims and pods are worked on at the same time.
        unprepare_timeout: seconds that freeing a claim waits for its node.
        communication: where allocations are written down.
    """
    life, common = around.life, around.common
    site = Site(version, common.namespace, unprepare_timeout, communication, new_identity())
    controller = build(around.client, common.contract, around.events, around.metrics, site)
    for name, body in controller.caches.threads(life.stop):
        life.spawn(name, body)
    life.on_stop("watches", controller.caches.stop)
    upkeep = Upkeep(life, lambda: version, {"classes": keeper.look})
    crew = (upkeep, Workers(life, controller, workers))
    return Parts(crew, {"caches": partial(_caches, controller)})


def structured(around: Around, keeper: ClassKeeper) -> Parts:
    """Return what is left to do where kube-scheduler allocates: little, and without caches."""
    leftovers = Leftovers(around.client, around.common.contract, around.common.namespace)
    tasks = {"classes": keeper.look, "leftovers": leftovers.look}
    return Parts([Upkeep(around.life, partial(_newest, around.client), tasks)], {})


def _newest(client: Client) -> str:
    """Return the newest version with structured claims, which an upgrade changes."""
    return choose(client.versions(RESOURCE_GROUP), STRUCTURED)


def _caches(controller: Controller) -> str | None:
    missing = controller.caches.unsynced()
    return f"no list yet of {', '.join(missing)}" if missing else None
