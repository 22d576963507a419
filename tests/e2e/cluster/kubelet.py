"""The kubelet of the node: its configuration and its command line."""

import json
from pathlib import Path
from typing import Final

from api.objects import JSON
from tests.e2e.cluster import certificates as who
from tests.e2e.cluster import network
from tests.e2e.cluster.certificates import Authority
from tests.e2e.cluster.layout import Layout
from tests.e2e.cluster.versions import Version

NAME: Final = "kubelet"

SOCKET_DIRECTORIES: Final = ("plugins", "plugins_registry", "device-plugins", "pod-resources")
"""Below the kubelet root; what is served there ends with the programs that serve it."""

_PODS = 240
"""As many as the addresses of the pod network are for."""

_STATUS_SECONDS = 2
_SYNC_SECONDS = 10


def config(layout: Layout, version: Version, pki: Authority) -> JSON:
    """Return the KubeletConfiguration."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki.certificate("ca"))},
        },
        "authorization": {"mode": "Webhook"},
        "featureGates": dict(version.kubelet_gates),
        "cgroupDriver": "cgroupfs",
        "failSwapOn": False,
        "maxPods": _PODS,
        # also makes the kubelet report itself as often, which `up` and `restart` wait for
        "nodeStatusUpdateFrequency": f"{_STATUS_SECONDS}s",
        # up to 1.30, a pod whose devices cannot be prepared is tried again no sooner than this
        "syncFrequency": f"{_SYNC_SECONDS}s",
        "volumePluginDir": str(layout.volume_plugins),
        "clusterDNS": [network.DNS_SERVICE_IP],
        "clusterDomain": "cluster.local",
        # a machine of tests is not a good judge of what is too full
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        **_since(27, version, containerRuntimeEndpoint=_endpoint(layout)),
        # from 1.35 on a kubelet does not start on a machine with cgroup v1 otherwise
        **_since(31, version, failCgroupV1=False),
    }


def _since(minor: int, version: Version, **fields: object) -> JSON:
    """Return fields that kubelets know from a minor version on."""
    return fields if version.minor >= minor else {}


def _endpoint(layout: Layout) -> str:
    return f"unix://{layout.containerd_socket}"


def write_config(layout: Layout, version: Version, pki: Authority) -> None:
    """Write the file that the kubelet starts with."""
    text = json.dumps(config(layout, version, pki), indent=1)
    (layout.state / "kubelet.json").write_text(text, encoding="utf-8")


def command(layout: Layout, version: Version, pki: Authority, node: str) -> list[str]:
    """Return the command line of the kubelet.

    Args:
        layout: where everything is.
        version: of the kubelet.
        pki: has its kubeconfig.
        node: name of the node.
    """
    return [
        str(layout.kubernetes_programs(version) / "kubelet"),
        f"--config={layout.state / 'kubelet.json'}",
        f"--kubeconfig={pki.kubeconfig(who.KUBELET)}",
        f"--root-dir={layout.kubelet_root}",
        *([f"--container-runtime-endpoint={_endpoint(layout)}"] if version.minor < 27 else []),
        f"--hostname-override={node}",
        f"--node-ip={network.NODE_IP}",
        "--v=4",
    ]


def remove_sockets(kubelet_root: Path) -> None:
    """Remove the sockets of the kubelet and of the plugins of the node."""
    for name in SOCKET_DIRECTORIES:
        for path in (kubelet_root / name).rglob("*"):
            if path.is_socket():
                path.unlink()
