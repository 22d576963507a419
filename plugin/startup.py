"""Starts the plugin in the order that keeps its promises, and says how it is stopped.

The node's state is recovered before any call is served, the plugin socket serves before the kubelet
hears of it, and only then is the node Ready. The stop is the reverse: the kubelet lets go first,
calls under way end, files go unless a claim is prepared, the node is NotReady. Called by the
composition root.
Source: k8s.io/dynamic-resource-allocation kubeletplugin, which starts and stops in this order.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Final

from api.errors import DriverError
from dra.errors import CannotServe
from kube.backoff import Backoff
from kube.errors import ConfigError
from ops.checks import Check
from ops.lifecycle import Lifecycle
from ops.logs import get_logger
from plugin.wiring import GRACE_SECONDS, Plugin

BACKOFF: Final = Backoff(first=0.5, longest=15.0)

_LOG = get_logger("plugin")


def start(life: Lifecycle, plugin: Plugin) -> None:
    """Start everything; returns early, with parts not started, when `life` stops meanwhile.

    Raises:
        CannotServe: a socket or the checkpoint is unusable.
        ConfigError: of kube; there is no way to the API server.
    """
    life.on_stop("watch", plugin.reflector.stop)
    life.spawn("reflector", lambda: plugin.reflector.run(life.stop))
    if not persist(lambda: recover(plugin), life.stop):
        return
    life.on_stop("heartbeat", plugin.heartbeats.end)
    life.on_stop("status", plugin.readiness.end)
    life.on_stop("files", plugin.state.leave)
    life.on_stop("sync", plugin.queue.shutdown)
    life.spawn("sync", plugin.sync.run)
    plugin.plugin_server.start()
    life.on_stop("plugin socket", lambda: plugin.plugin_server.stop(GRACE_SECONDS))
    plugin.registration_server.start()
    life.on_stop("registration socket", lambda: plugin.registration_server.stop(0))
    life.spawn("sockets", lambda: plugin.sockets.run(life.stop))
    plugin.readiness.serving(True)
    plugin.sync.status_changed()


def recover(plugin: Plugin) -> None:
    """Make the NAS and take up what an earlier process left; may be repeated.

    An earlier process that was killed has left the node Ready, which it is not.

    Raises:
        DriverError: it has to be tried again.
    """
    plugin.node_state.ensure()
    if plugin.node_state.current().ready:
        plugin.readiness.write()
    plugin.state.recover()


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


def readiness_checks(plugin: Plugin) -> Mapping[str, Check]:
    """Return what /readyz asks."""

    def watch() -> str | None:
        return None if plugin.cache.has_synced() else "no list yet of the NodeAllocationState"

    return {"watch": watch, "registration": lambda: plugin.registration.problem}
