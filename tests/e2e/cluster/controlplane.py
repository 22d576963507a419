"""Command lines of etcd, the API server, the scheduler and the controller manager.

All of them run in the network of the node. What the tests need of a control plane is the same as in
a cluster of kubeadm: Node and RBAC authorization, NodeRestriction, tokens of service accounts, and
controllers that act as service accounts of their own.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from tests.e2e.cluster import certificates as who
from tests.e2e.cluster import network
from tests.e2e.cluster.certificates import Authority
from tests.e2e.cluster.versions import Version, gates_text

ETCD: Final = "etcd"
API_SERVER: Final = "apiserver"
SCHEDULER: Final = "scheduler"
CONTROLLER_MANAGER: Final = "controller-manager"

STARTING_ORDER: Final = (ETCD, API_SERVER, SCHEDULER, CONTROLLER_MANAGER)

_ETCD_URL = "http://127.0.0.1:2379"
_PEER_URL = "http://127.0.0.1:2380"


def etcd(data: Path) -> list[str]:
    """Return the command line of etcd, which may lose data in a power cut."""
    return [
        "etcd",
        f"--data-dir={data}",
        f"--listen-client-urls={_ETCD_URL}",
        f"--advertise-client-urls={_ETCD_URL}",
        f"--listen-peer-urls={_PEER_URL}",
        "--unsafe-no-fsync",
    ]


def api_server(programs: Path, version: Version, pki: Authority) -> list[str]:
    """Return the command line of the API server."""
    to_kubelet = who.API_SERVER_TO_KUBELET
    return [
        str(programs / "kube-apiserver"),
        f"--etcd-servers={_ETCD_URL}",
        f"--secure-port={network.API_PORT}",
        f"--advertise-address={network.NODE_IP}",
        f"--service-cluster-ip-range={network.SERVICES}",
        f"--tls-cert-file={pki.certificate(who.API_SERVER)}",
        f"--tls-private-key-file={pki.key(who.API_SERVER)}",
        f"--client-ca-file={pki.certificate('ca')}",
        f"--service-account-key-file={pki.service_account_public_key}",
        f"--service-account-signing-key-file={pki.key('service-account')}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        # to the pods of a webhook's Service, since nothing here leads to the Service itself
        "--enable-aggregator-routing=true",
        "--allow-privileged=true",
        f"--kubelet-client-certificate={pki.certificate(to_kubelet)}",
        f"--kubelet-client-key={pki.key(to_kubelet)}",
        "--kubelet-preferred-address-types=InternalIP",
        *runtime_config(version.resource_apis),
        *gates(version.gates),
    ]


def scheduler(programs: Path, version: Version, pki: Authority) -> list[str]:
    """Return the command line of the scheduler."""
    return [
        str(programs / "kube-scheduler"),
        *_client(pki.kubeconfig(who.SCHEDULER)),
        *gates(version.gates),
    ]


def controller_manager(
    programs: Path, version: Version, pki: Authority, volume_plugins: Path
) -> list[str]:
    """Return the command line of the controller manager."""
    return [
        str(programs / "kube-controller-manager"),
        *_client(pki.kubeconfig(who.CONTROLLER_MANAGER)),
        f"--service-account-private-key-file={pki.key('service-account')}",
        f"--root-ca-file={pki.certificate('ca')}",
        "--use-service-account-credentials=true",
        f"--flex-volume-plugin-dir={volume_plugins}",
        *gates(version.gates),
    ]


def gates(switched: Mapping[str, bool]) -> list[str]:
    """Return the flag that switches features, if there are any."""
    return [f"--feature-gates={gates_text(switched)}"] if switched else []


def runtime_config(versions: Iterable[str]) -> list[str]:
    """Return the flag that serves versions of the API, if there are any."""
    value = gates_text(dict.fromkeys(versions, True))
    return [f"--runtime-config={value}"] if value else []


def _client(kubeconfig: Path) -> list[str]:
    flags = ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
    return [*(f"--{flag}={kubeconfig}" for flag in flags), "--leader-elect=false"]
