"""The Node object of a virtual node, and the Lease that says that its kubelet is alive.

Source: kubernetes pkg/kubelet/kubelet_node_status.go, pkg/kubelet/nodestatus and
pkg/kubelet/nodelease.
"""

import os
import platform
from collections.abc import Callable
from typing import Final

from api.nodefit import is_ready
from api.objects import JSON
from api.resources import LEASES, NODES
from api.times import micro_time, timestamp
from kube.client import Client
from kube.errors import AlreadyExists, NotFound

LEASE_NAMESPACE: Final = "kube-node-lease"
LEASE_SECONDS: Final = 40
RENEW_SECONDS: Final = 10.0
MAX_PODS: Final = 110

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_PRESSURES: Final = ("MemoryPressure", "DiskPressure", "PIDPressure")


def node_labels(name: str) -> dict[str, str]:
    """Return the labels that a kubelet gives its node."""
    return {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": _architecture(),
    }


def node_status(name: str, version: str, address: str, now: float) -> JSON:
    """Return the status of a node that is ready.

    Args:
        name: of the node.
        version: of the kubelet, e.g. `v1.30.14`.
        address: IP address of the machine.
        now: seconds since the epoch.
    """
    capacity = {
        "cpu": str(os.cpu_count() or 1),
        "memory": f"{_memory_kibibytes()}Ki",
        "pods": str(MAX_PODS),
    }
    return {
        "addresses": [
            {"type": "InternalIP", "address": address},
            {"type": "Hostname", "address": name},
        ],
        "capacity": capacity,
        "allocatable": capacity,
        "conditions": _conditions(now),
        "nodeInfo": {
            "architecture": _architecture(),
            "operatingSystem": "linux",
            "osImage": "processes of this machine",
            "kernelVersion": platform.release(),
            "containerRuntimeVersion": "devcluster://1",
            "kubeletVersion": version,
            "kubeProxyVersion": version,
            "machineID": name,
            "systemUUID": name,
            "bootID": name,
        },
    }


class NodeAgent:
    """Registers one node and keeps its Lease fresh."""

    def __init__(
        self, api: Client, name: str, version: str, address: str, wall: Callable[[], float]
    ) -> None:
        """Speak for the node `name`; for the others see `node_status`."""
        self._api = api
        self._name = name
        self._version = version
        self._address = address
        self._wall = wall

    def register(self) -> None:
        """Create the Node, or bring one that exists up to date.

        Raises:
            KubeError: try again later.
        """
        labels = node_labels(self._name)
        status = node_status(self._name, self._version, self._address, self._wall())
        body: JSON = {
            "apiVersion": NODES.api_version,
            "kind": NODES.kind,
            "metadata": {"name": self._name, "labels": labels},
            "spec": {},
            "status": status,
        }
        try:
            self._api.create(NODES, body)
        except AlreadyExists:
            self._api.patch(NODES, self._name, {"metadata": {"labels": labels}})
        self._api.patch(NODES, self._name, {"status": status}, subresource="status")

    def confirm(self) -> None:
        """Register a node anew that was deleted; take back that it is not ready.

        Raises:
            KubeError: try again later.
        """
        try:
            ready = is_ready(self._api.get(NODES, self._name))
        except NotFound:
            ready = False
        if not ready:
            self.register()

    def renew(self) -> None:
        """Say that the node is alive.

        Raises:
            KubeError: try again later.
        """
        fields = {"renewTime": micro_time(self._wall())}
        try:
            self._api.patch(LEASES, self._name, {"spec": fields}, namespace=LEASE_NAMESPACE)
        except NotFound:
            self._api.create(LEASES, self._lease(fields), LEASE_NAMESPACE)

    def _lease(self, fields: JSON) -> JSON:
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": self._name, "namespace": LEASE_NAMESPACE},
            "spec": {
                "holderIdentity": self._name,
                "leaseDurationSeconds": LEASE_SECONDS,
                **fields,
            },
        }


def _conditions(now: float) -> list[JSON]:
    times = {"lastHeartbeatTime": timestamp(now), "lastTransitionTime": timestamp(now)}
    fine: list[JSON] = [
        {"type": kind, "status": "False", "reason": f"KubeletHasNo{kind}", **times}
        for kind in _PRESSURES
    ]
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    return [*fine, {**ready, "message": "kubelet is posting ready status", **times}]


def _architecture() -> str:
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def _memory_kibibytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024
