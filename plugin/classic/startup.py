"""Starts the plugin in the order that keeps its promises, and says how it is stopped.

The node's state is recovered before any call is served, the plugin socket serves before the kubelet
hears of it, and only then is the node Ready. The stop is the reverse: the kubelet lets go first,
calls under way end, files go unless a claim is prepared, the node is NotReady. Called by the
composition root.
Source: k8s.io/dynamic-resource-allocation kubeletplugin, which starts and stops in this order.
"""

from collections.abc import Mapping

from dra.startup import persist, serve
from ops.checks import Check
from ops.lifecycle import Lifecycle
from plugin.classic.wiring import STATUS, ClassicPlugin


def start(life: Lifecycle, plugin: ClassicPlugin) -> None:
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
    life.on_stop("files", plugin.plugin.state.leave)
    life.on_stop("sync", plugin.sync.stop)
    life.spawn("sync", plugin.sync.run)
    serve(life, plugin.plugin)
    plugin.readiness.serving(True)
    plugin.sync.request(STATUS)


def recover(plugin: ClassicPlugin) -> None:
    """Make the NAS and take up what an earlier process left; may be repeated.

    An earlier process that was killed has left the node Ready, which it is not.

    Raises:
        DriverError: it has to be tried again.
    """
    plugin.node_state.ensure()
    if plugin.node_state.current().ready:
        plugin.readiness.write()
    plugin.plugin.state.recover()


def readiness_checks(plugin: ClassicPlugin) -> Mapping[str, Check]:
    """Return what /readyz asks."""

    def watch() -> str | None:
        return None if plugin.cache.has_synced() else "no list yet of the NodeAllocationState"

    return {"watch": watch, "registration": lambda: plugin.plugin.registration.problem}
