"""The pod behind a PodSchedulingContext.

Pods that wait for a node are in a watch cache of unscheduled pods; one that has spec.nodeName from
the start is fetched when it is needed.
"""

from api.objects import object_key
from api.pods import Pod
from api.resources import PODS
from kube.client import Client
from kube.errors import NotFound
from kube.store import Store

UNSCHEDULED = "spec.nodeName="


class PodSource:
    """Finds pods by name."""

    def __init__(self, client: Client, unscheduled: Store) -> None:
        """Look into a cache of the pods that match UNSCHEDULED, then ask the API server."""
        self._client = client
        self._unscheduled = unscheduled

    def get(self, namespace: str, name: str, uid: str | None) -> Pod | None:
        """Return the pod with this uid, None when it does not exist (any more).

        Args:
            namespace: of the pod.
            name: of the pod.
            uid: another pod of the same name is not meant.
        """
        cached = self._unscheduled.get(object_key(namespace, name))
        pod = Pod(cached) if cached is not None else None
        if pod is None or pod.uid != uid:
            try:
                pod = Pod(self._client.get(PODS, name, namespace))
            except NotFound:
                return None
        return pod if pod.uid == uid else None
