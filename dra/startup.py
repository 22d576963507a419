"""Starts a plugin in the order that keeps its promises, and says how it is stopped.

The node's state is recovered before any call is served, and the plugin socket serves before the
kubelet hears of it. The stop is the reverse: the kubelet lets go first, calls under way end, files
go unless a claim is prepared. Called by the composition roots.
Source: k8s.io/dynamic-resource-allocation kubeletplugin, which starts and stops in this order.
"""

import threading
from collections.abc import Callable
from typing import Final

from api.errors import DriverError
from dra.errors import CannotServe
from dra.wiring import GRACE_SECONDS, Plugin
from kube.backoff import Backoff
from kube.errors import ConfigError
from ops.lifecycle import Lifecycle
from ops.logs import get_logger

BACKOFF: Final = Backoff(first=0.5, longest=15.0)

_LOG = get_logger("plugin")


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
