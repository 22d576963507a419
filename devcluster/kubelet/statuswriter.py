"""Publishes a pod's status: computes it, and writes what the API server does not have yet."""

from collections.abc import Callable, Mapping

from api.objects import JSON
from api.pods import Pod
from api.resources import PODS
from devcluster.kubelet.podlife import States
from devcluster.kubelet.podstatus import NO_RESOURCES, changed, pod_status
from kube.client import Client
from kube.errors import NotFound


class StatusWriter:
    """The published status of one pod."""

    def __init__(self, api: Client, address: str, wall: Callable[[], float]) -> None:
        """Write to `api`; node and pods have the same `address`; `wall` is seconds since epoch."""
        self._api = api
        self._address = address
        self._wall = wall
        self._written: JSON = {}

    def publish(
        self,
        pod: Pod,
        states: States,
        phase: str | None,
        resources: Mapping[str, list[JSON]] = NO_RESOURCES,
    ) -> None:
        """Write what changed; a pod that is gone meanwhile is fine.

        Args:
            pod: as last seen, perhaps without what was written since.
            states: of its containers.
            phase: the final phase, None while it may go on.
            resources: how the devices of containers are, by container name.

        Raises:
            KubeError: try again later.
        """
        known = {**(pod.raw.get("status") or {}), **self._written}
        status = pod_status(
            Pod(pod.raw | {"status": known}),
            states,
            phase=phase,
            host_ip=self._address,
            pod_ip=self._address if states else "",
            now=self._wall(),
            resources=resources,
        )
        news = changed(known, status)
        if not news:
            return
        patch: JSON = {"metadata": {"uid": pod.uid}, "status": news}
        try:
            self._api.patch(PODS, pod.name, patch, namespace=pod.namespace, subresource="status")
        except NotFound:
            return
        self._written |= news
