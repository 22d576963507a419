"""Starts a plugin in the order that keeps its promises, and says how it is stopped.

The node's state is recovered before any call is served, and the plugin socket serves before the
kubelet hears of it. The stop is the reverse: the kubelet lets go first, calls under way end, files
go unless a claim is prepared. Called by the composition roots.
Source: k8s.io/dynamic-resource-allocation kubeletplugin, which starts and stops in this order.
"""

import gc
import itertools
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Final, TypeVar

from api import __version__
from api.contract import Contract
from api.errors import DriverError
from api.objects import NodeName
from dra.errors import CannotServe, StoppedEarly
from dra.patience import Patience
from dra.places import NodeLock
from dra.settings import NodeConfig
from dra.wiring import GRACE_SECONDS, Plugin, Surroundings
from kube.backoff import Backoff
from kube.errors import ConfigError
from ops.config import ServingConfig
from ops.events import event_recorder
from ops.lifecycle import Lifecycle
from ops.logs import get_logger
from ops.metrics import Metrics
from ops.serving import connect

SWITCH_SECONDS: Final = 0.0005
"""For which a thread that waits lets another run on; Python's own 5 ms are as long as a call."""

BACKOFF: Final = Backoff(first=0.5, longest=15.0)

T = TypeVar("T")

_LOG = get_logger("plugin")


def answer_of(life: Lifecycle, method: str, ask: Callable[[], T], told_each: int = 100) -> T:
    """Return what code of the driver answers; that it has not yet is in the log.

    Args:
        life: of the program.
        method: of the driver, for the log.
        ask: calls it, in a thread of its own: nothing else ends what hangs in it.
        told_each: tenths of a second between two lines of the log.

    Raises:
        StoppedEarly: a signal came first.
        Exception: what `ask` raises.
    """
    answer: Future[T] = Future()
    threading.Thread(target=lambda: _keep(answer, ask), name="driver", daemon=True).start()
    for tenths in itertools.count(1):
        if wait([answer], timeout=0.1).done:
            break
        if life.stop.is_set():
            raise StoppedEarly(f"the program was stopped while the driver was in {method}")
        if tenths % told_each == 0:
            _LOG.warning("Driver has not returned yet", method=method, seconds=tenths / 10)
    return answer.result()


def _keep(answer: "Future[T]", ask: Callable[[], T]) -> None:
    try:
        answer.set_result(ask())
    except BaseException as error:  # noqa: BLE001 - who waits for it raises it
        answer.set_exception(error)


def surroundings(
    life: Lifecycle, contract: Contract, config: NodeConfig, common: ServingConfig, program: str
) -> tuple[Surroundings, NodeLock]:
    """Make the node's directories usable, lock them, and find a way to the API server.

    Args:
        life: of the program, whose end unlocks them.
        contract: of the driver.
        config: of the node.
        common: of the API server.
        program: name of it.

    Raises:
        ConfigError: of kube or ops; nothing can run with these settings.
        CannotServe: nothing can run on this machine as it is.
    """
    places = config.places(contract)
    places.make_usable()
    lock = NodeLock(places.directory, shared=bool(config.rolling_update))
    life.on_stop("node lock", lock.release)
    metrics, agent = Metrics(), f"{program}/{__version__}"
    client = connect(life, common, metrics, user_agent=agent, logger="plugin")
    events = event_recorder(client, common, contract.driver_name, host=config.node_name)
    node, patience = NodeName(config.node_name), Patience(life.stop.wait)
    return Surroundings(client, events, metrics, node, places, patience), lock


def run(life: Lifecycle, around: Surroundings, start: Callable[[], None]) -> int:
    """Run a plugin until a signal or a crashed thread; return the exit code.

    Args:
        life: of the program.
        around: what the plugin works with.
        start: starts the plugin.
    """
    around.events.start()
    life.on_stop("events", around.events.stop)
    start()
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()
    return life.wait()


def serve(life: Lifecycle, plugin: Plugin) -> None:
    """Let the kubelet call and hear of the plugin.

    Raises:
        CannotServe: a socket is unusable.
    """
    plugin.plugin_server.start()
    life.on_stop("plugin socket", lambda: plugin.plugin_server.stop(GRACE_SECONDS))
    if plugin.health is not None:
        life.on_stop("health", plugin.health.stop)
    plugin.registration_server.start()
    life.on_stop("registration socket", lambda: plugin.registration_server.stop(0))
    life.spawn("sockets", lambda: plugin.sockets.run(life.stop))


def persist(action: Callable[[], None], stop: threading.Event) -> bool:
    """Repeat an action until it succeeds, with growing pauses; each reason is logged once.

    Returns:
        False when `stop` was set first.

    Raises:
        CannotServe: trying again is of no use.
        ConfigError: of kube; likewise.
    """
    failures, reason = 0, ""
    while not stop.is_set():
        try:
            action()
        except (CannotServe, ConfigError):
            raise
        except DriverError as error:
            if str(error) != reason:
                reason = str(error)
                _LOG.warning("Not started yet, trying again", err=reason)
        else:
            return True
        failures += 1
        stop.wait(BACKOFF.pause(failures))
    return False
