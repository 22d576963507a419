"""Which kubelet asks: the same path carries other messages from 1.31 on.

The kubelets of 1.28 to 1.30 and that of 1.31 call the same method and expect different answers,
and nothing in the call tells them apart, so the Node is asked. Called by `dra.kubelet.service`.
"""

import re
import threading
import time
from collections.abc import Callable
from typing import Final

from api.objects import NodeName
from api.resources import NODES
from dra.errors import UnknownKubelet
from kube.client import Client
from kube.errors import NotFound
from ops.logs import get_logger

KEEP_SECONDS: Final = 60.0
"""A kubelet registers plugins before its Node shows the version that it was upgraded to."""

_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)(?:\D.*)?")
_LOG = get_logger("kubelet")


class Kubelet:
    """The kubelet of our node; its version is kept for a while."""

    def __init__(
        self,
        client: Client,
        node: NodeName,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask the Node object of `node` when it is needed; `clock` gives monotonic seconds."""
        self._client = client
        self._node = node
        self._clock = clock
        self._lock = threading.Lock()
        self._version: tuple[int, int] | None = None
        self._read_at = 0.0

    def version(self) -> tuple[int, int]:
        """Return major and minor version of the kubelet.

        Raises:
            UnknownKubelet: the Node is gone or tells no version.
            KubeError: the Node cannot be read.
        """
        with self._lock:
            now = self._clock()
            if self._version is None or now - self._read_at > KEEP_SECONDS:
                self._version, self._read_at = self._read(), now
                _LOG.debug("Kubelet version found", version="{}.{}".format(*self._version))
            return self._version

    def forget(self) -> None:
        """Read the version again when it is next needed: the kubelet may have been replaced."""
        with self._lock:
            self._version = None

    def _read(self) -> tuple[int, int]:
        try:
            node = self._client.get(NODES, self._node)
        except NotFound as error:
            raise UnknownKubelet(
                f"Node {self._node} does not exist; wait until its kubelet has registered"
            ) from error
        reported = ((node.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion")
        return parse_version(str(reported or ""), self._node)


def parse_version(reported: str, node: NodeName) -> tuple[int, int]:
    """Return major and minor of a version such as `v1.30.14-gke.100`.

    Raises:
        UnknownKubelet: it is empty or no version.
    """
    match = _VERSION.fullmatch(reported)
    if match is None:
        raise UnknownKubelet(
            f"Node {node} reports kubelet version {reported!r}, which cannot be read; wait until "
            "its kubelet has posted status.nodeInfo.kubeletVersion"
        )
    return int(match[1]), int(match[2])
