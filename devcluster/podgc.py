"""Deletes by force the pods that no kubelet will ever end.

They are on a node that does not exist, on one that is declared out of service, or they are to go
and were never on any. Part of the node controller.
Source: kubernetes pkg/controller/podgc.
"""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from api.conditions import condition, with_condition
from api.nodefit import is_ready
from api.objects import JSON
from api.pods import Pod
from api.resources import PODS
from devcluster.apiserver.clock import system_clock, timestamp
from devcluster.podclaims import is_finished, node_of
from kube.client import Client
from kube.errors import Conflict, KubeError, NotFound
from kube.store import Store
from ops.logs import get_logger

QUARANTINE_SECONDS: Final = 15.0
"""For which a node has to be missing: longer than its kubelet takes to register it again."""

ORPHANED: Final = "node no longer exists"

_OUT_OF_SERVICE: Final = "node.kubernetes.io/out-of-service"

_log = get_logger("pod-garbage-collector")


def why_garbage(pod: Pod, node: JSON | None, gone: Collection[str]) -> str | None:
    """Tell why nobody will end a pod; None if somebody may.

    Args:
        pod: to judge.
        node: that it is on, None if there is none.
        gone: names of nodes that have been missing for long.
    """
    if node_of(pod) in gone:
        return ORPHANED
    if not pod.deleting:
        return None
    if not node_of(pod):
        return "terminating, and on no node"
    if node is not None and not is_ready(node) and _is_out_of_service(node):
        return "terminating on a node that is out of service"
    return None


def failed_status(pod: Pod, why: str, now: str) -> JSON:
    """Return the changes of a pod's status before it is deleted."""
    if why != ORPHANED:
        return {"phase": "Failed"}
    target = condition("DisruptionTarget", "True", "DeletionByPodGC", f"PodGC: {why}")
    had = (pod.raw.get("status") or {}).get("conditions") or []
    return {"phase": "Failed", "conditions": with_condition(had, target, now)}


class PodGarbage:
    """Looks for such pods."""

    def __init__(
        self,
        client: Client,
        pods: Store,
        nodes: Store,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look in caches of pods and nodes, and delete through `client`."""
        self._client = client
        self._pods = pods
        self._nodes = nodes
        self._clock = clock
        self._missing: dict[str, float] = {}

    def collect(self) -> None:
        """Delete what is garbage now; what fails is for the next time."""
        nodes = {str(node["metadata"]["name"]): node for node in self._nodes.list()}
        pods = [Pod(raw) for raw in self._pods.list()]
        gone = self._gone(pods, nodes)
        for pod in pods:
            why = why_garbage(pod, nodes.get(node_of(pod) or ""), gone)
            if why is not None:
                self._delete(pod, why)

    def _gone(self, pods: Collection[Pod], nodes: Mapping[str, JSON]) -> set[str]:
        now = self._clock()
        named = {name for pod in pods if (name := node_of(pod)) and name not in nodes}
        self._missing = {name: self._missing.get(name, now) for name in named}
        return {n for n, since in self._missing.items() if now - since >= QUARANTINE_SECONDS}

    def _delete(self, pod: Pod, why: str) -> None:
        try:
            if not is_finished(pod):
                self._client.patch(
                    PODS,
                    pod.name,
                    {
                        "metadata": {"uid": pod.uid},
                        "status": failed_status(pod, why, timestamp(system_clock())),
                    },
                    namespace=pod.namespace,
                    subresource="status",
                )
            self._client.delete(PODS, pod.name, pod.namespace, uid=pod.uid, grace_seconds=0)
        except (NotFound, Conflict):
            return
        except KubeError as error:
            _log.warning("Pod not deleted", err=error, pod=f"{pod.namespace}/{pod.name}")
        else:
            _log.info("Pod deleted by force", pod=f"{pod.namespace}/{pod.name}", why=why)


def _is_out_of_service(node: JSON) -> bool:
    taints = (node.get("spec") or {}).get("taints") or []
    return any(taint.get("key") == _OUT_OF_SERVICE for taint in taints)
