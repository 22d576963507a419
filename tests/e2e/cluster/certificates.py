"""The certificate authority of the cluster, and who gets a certificate of it.

Every client has one, as kubeadm sets it up: user and groups are the common name and the
organizations of the certificate. Node and RBAC authorization tell them apart.
"""

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from api.objects import JSON
from tests.e2e.cluster import network
from tests.e2e.cluster.commands import run

ADMIN: Final = "admin"
SCHEDULER: Final = "scheduler"
CONTROLLER_MANAGER: Final = "controller-manager"
KUBELET: Final = "kubelet"
API_SERVER: Final = "apiserver"
API_SERVER_TO_KUBELET: Final = "apiserver-kubelet"

_DAYS = "30"
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")
_SERVER_NAMES = (
    "DNS:localhost",
    "DNS:kubernetes",
    "DNS:kubernetes.default",
    "DNS:kubernetes.default.svc",
    "DNS:kubernetes.default.svc.cluster.local",
    "IP:127.0.0.1",
    f"IP:{network.NODE_IP}",
    f"IP:{network.API_SERVICE_IP}",
)


class Authority:
    """The files of one certificate authority, all in one directory."""

    def __init__(self, directory: Path) -> None:
        """Keep keys and certificates in `directory`."""
        self._directory = directory

    def certificate(self, name: str) -> Path:
        """Return the file of a certificate; `ca` is the authority's own."""
        return self._directory / f"{name}.crt"

    def key(self, name: str) -> Path:
        """Return the file of a private key."""
        return self._directory / f"{name}.key"

    def kubeconfig(self, name: str) -> Path:
        """Return the kubeconfig of a client."""
        return self._directory / f"{name}.kubeconfig"

    @property
    def service_account_public_key(self) -> Path:
        """What tokens of service accounts are checked with."""
        return self._directory / "service-account.pub"

    def issue_all(self, node: str) -> None:
        """Make the authority, the keys and the certificates of one cluster.

        Args:
            node: name of the node.

        Raises:
            CommandFailed: openssl could not; it has to be version 3.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._self_signed()
        self._service_account_key()
        self._issue(API_SERVER, "/CN=kube-apiserver", "serverAuth", ",".join(_SERVER_NAMES))
        for name, subject in _clients(node).items():
            self._issue(name, subject, "clientAuth")
            self._write_kubeconfig(name)

    def _self_signed(self) -> None:
        subject = ["-subj", "/CN=fake-dra-e2e", "-days", _DAYS]
        run("openssl", "req", "-x509", *_KEY, *self._files("ca"), *subject)

    def _service_account_key(self) -> None:
        key = self.key("service-account")
        run("openssl", "genrsa", "-out", key, "2048")
        run("openssl", "rsa", "-in", key, "-pubout", "-out", self.service_account_public_key)

    def _issue(self, name: str, subject: str, usage: str, names: str = "") -> None:
        signer = ["-CA", str(self.certificate("ca")), "-CAkey", str(self.key("ca"))]
        extensions = ["basicConstraints=critical,CA:FALSE", f"extendedKeyUsage={usage}"]
        if names:
            extensions.append(f"subjectAltName={names}")
        added = [word for extension in extensions for word in ("-addext", extension)]
        described = ["-subj", subject, "-days", _DAYS, *added]
        run("openssl", "req", "-x509", *_KEY, *signer, *self._files(name), *described)

    def _files(self, name: str) -> list[str]:
        return ["-keyout", str(self.key(name)), "-out", str(self.certificate(name))]

    def _write_kubeconfig(self, name: str) -> None:
        data = [self.certificate("ca"), self.certificate(name), self.key(name)]
        text = json.dumps(kubeconfig(name, *(path.read_bytes() for path in data)), indent=1)
        self.kubeconfig(name).write_text(text, encoding="utf-8")
        self.kubeconfig(name).chmod(0o600)


def kubeconfig(name: str, authority: bytes, certificate: bytes, key: bytes) -> JSON:
    """Return a kubeconfig that stands for itself; the three are PEM."""
    authority64, certificate64, key64 = _base64([authority, certificate, key])
    server = f"https://{network.NODE_IP}:{network.API_PORT}"
    cluster = {"server": server, "certificate-authority-data": authority64}
    user = {"client-certificate-data": certificate64, "client-key-data": key64}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "fake-dra-e2e", "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": "fake-dra-e2e", "user": name}}],
        "current-context": name,
    }


def _clients(node: str) -> dict[str, str]:
    """Return the subject of each client. Source: kubeadm, certificates of a control plane."""
    return {
        ADMIN: "/O=system:masters/CN=kubernetes-admin",
        SCHEDULER: "/CN=system:kube-scheduler",
        CONTROLLER_MANAGER: "/CN=system:kube-controller-manager",
        KUBELET: f"/O=system:nodes/CN=system:node:{node}",
        API_SERVER_TO_KUBELET: "/O=system:masters/CN=kube-apiserver-kubelet-client",
    }


def _base64(contents: Iterable[bytes]) -> list[str]:
    return [base64.b64encode(content).decode("ascii") for content in contents]
