"""Says that a node is not ready whose kubelet has stopped to renew its Lease.

A node without a Lease never had a kubelet and is left alone. When the kubelet is back, it says
itself that its node is ready. Part of the node controller.
Source: kubernetes pkg/controller/nodelifecycle.
"""

import time
from collections.abc import Callable
from typing import Final

from api.nodefit import is_ready
from api.objects import JSON, object_key
from api.resources import NODES
from devcluster.apiserver.clock import system_clock, timestamp
from devcluster.kubelet.node import LEASE_NAMESPACE
from kube.client import Client
from kube.errors import KubeError
from kube.store import Store
from ops.logs import get_logger

GRACE_SECONDS: Final = 40.0

_log = get_logger("node-lifecycle")


def unknown_status(node: JSON, now: str) -> JSON:
    """Return the change of a node's status when nobody speaks for it any more."""
    told = {
        "status": "Unknown",
        "reason": "NodeStatusUnknown",
        "message": "Kubelet stopped posting node status.",
        "lastTransitionTime": now,
    }
    conditions = (node.get("status") or {}).get("conditions") or []
    return {"conditions": [{**each, **told} for each in conditions]}


class NodeLifecycle:
    """Watches over the Leases of nodes."""

    def __init__(
        self,
        client: Client,
        nodes: Store,
        leases: Store,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look at caches of nodes and Leases, and write nodes through `client`."""
        self._client = client
        self._nodes = nodes
        self._leases = leases
        self._clock = clock
        self._renewed: dict[str, tuple[str, float]] = {}

    def check(self) -> None:
        """Mark the nodes that have gone silent; what fails is for the next time."""
        for node in self._nodes.list():
            name = str(node["metadata"]["name"])
            lease = self._leases.get(object_key(LEASE_NAMESPACE, name))
            if lease is not None and self._is_silent(name, lease) and is_ready(node):
                self._mark(name, node)

    def _is_silent(self, name: str, lease: JSON) -> bool:
        """Tell whether a Lease has stayed as it is, by our own clock."""
        now, renewed = self._clock(), str(lease["spec"].get("renewTime"))
        seen, since = self._renewed.get(name, ("", now))
        if seen != renewed:
            self._renewed[name] = (renewed, now)
            return False
        return now - since > GRACE_SECONDS

    def _mark(self, name: str, node: JSON) -> None:
        status = unknown_status(node, timestamp(system_clock()))
        patch = {"metadata": {"uid": node["metadata"]["uid"]}, "status": status}
        try:
            self._client.patch(NODES, name, patch, subresource="status")
        except KubeError as error:
            _log.warning("Node not marked as unknown", err=error, node=name)
        else:
            _log.warning("Node does not renew its Lease, marked as unknown", node=name)
