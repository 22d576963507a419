"""API servers to measure on: a real kube-apiserver with its etcd, or the embedded one.

Both listen on free ports of the loopback interface, keep everything in one directory, and end with
the context. Nothing else of a cluster runs: no scheduler, controller manager or kubelet that could
get in between. (The embedded cluster has its own, which look at nothing of ours.)
"""

import json
import shutil
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.names import RESOURCE_GROUP
from api.objects import JSON
from bench.errors import NotStarted
from bench.pods import Account, Way
from bench.programs import Program

_START_SECONDS: Final = 60.0
_HOST: Final = "127.0.0.1"
_CLASSIC: Final = (
    f"--runtime-config={RESOURCE_GROUP}/v1alpha2=true",
    "--feature-gates=DynamicResourceAllocation=true",
)
_LAST_CLASSIC: Final = 30
_TOKEN: Final = "bench"  # noqa: S105 - of a server that lives for minutes on the loopback


@dataclass(frozen=True, slots=True)
class ApiServer:
    """One that runs.

    Attributes:
        name: for the report.
        way: how programs find it.
        metrics: returns the text of /metrics; None if the server counts no requests.
        classic: whether it has classic claims; else it has those that kube-scheduler allocates.
    """

    name: str
    way: Way
    metrics: Callable[[], str] | None
    classic: bool = True


@contextmanager
def real(binary: Path, etcd: str, directory: Path) -> Iterator[ApiServer]:
    """Run a kube-apiserver of Kubernetes 1.27 or newer on an etcd of its own.

    Args:
        binary: kube-apiserver.
        etcd: program name or path.
        directory: new; for data, certificates and logs.

    Raises:
        NotStarted: one of them did not come up.
    """
    client, peer, port = _free_port(), _free_port(), _free_port()
    directory.mkdir(parents=True, exist_ok=True)
    _make_keys(directory)
    store = Program("etcd", _etcd(etcd, directory, client, peer), directory / "etcd.log")
    command = _kube_apiserver(binary, directory, client, port)
    server = Program("kube-apiserver", command, directory / "kube-apiserver.log")
    with store, server:
        certificate = directory / "apiserver.crt"
        server.until("its certificate", certificate.exists, _START_SECONDS)

        def get(path: str) -> str:
            return _get(f"https://{_HOST}:{port}{path}", certificate)

        server.until("to be ready", lambda: _answers(get), _START_SECONDS)
        version = json.loads(get("/version"))["gitVersion"]
        kubeconfig = _kubeconfig(directory, f"https://{_HOST}:{port}", certificate)
        way = Way(kubeconfig, _account(directory, port, certificate))
        classic = _is_classic(binary)
        yield ApiServer(f"kube-apiserver {version}", way, lambda: get("/metrics"), classic)


@contextmanager
def embedded(directory: Path) -> Iterator[ApiServer]:
    """Run the embedded cluster without the driver.

    Raises:
        NotStarted: it did not come up.
    """
    state = directory / "devcluster"
    command = [sys.executable, "-m", "devcluster", "up", "--without-driver", "-v", "0"]
    program = Program(
        "devcluster", [*command, "--state-dir", str(state)], directory / "devcluster.log"
    )
    with program:
        kubeconfig = state / "kubeconfig"
        program.until("its kubeconfig", kubeconfig.exists, _START_SECONDS)
        yield ApiServer("devcluster", Way(kubeconfig), None)


def _etcd(program: str, directory: Path, client: int, peer: int) -> list[str]:
    return [
        program,
        f"--data-dir={directory / 'etcd'}",
        f"--listen-client-urls=http://{_HOST}:{client}",
        f"--advertise-client-urls=http://{_HOST}:{client}",
        f"--listen-peer-urls=http://{_HOST}:{peer}",
        "--unsafe-no-fsync",
    ]


def _kube_apiserver(binary: Path, directory: Path, etcd: int, port: int) -> list[str]:
    return [
        str(binary),
        f"--etcd-servers=http://{_HOST}:{etcd}",
        f"--bind-address={_HOST}",
        f"--secure-port={port}",
        f"--cert-dir={directory}",
        f"--token-auth-file={directory / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={directory / 'service-account.key'}",
        f"--service-account-signing-key-file={directory / 'service-account.key'}",
        # nobody makes service accounts here
        "--disable-admission-plugins=ServiceAccount",
        *(_CLASSIC if _is_classic(binary) else ()),
    ]


def _is_classic(binary: Path) -> bool:
    command = [str(binary), "--version"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    return int(text.split(".")[1]) <= _LAST_CLASSIC


def _make_keys(directory: Path) -> None:
    (directory / "tokens.csv").write_text(f'{_TOKEN},bench,bench,"system:masters"\n', "ascii")
    key = directory / "service-account.key"
    command = ["openssl", "genrsa", "-out", str(key), "2048"]
    try:
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotStarted(f"openssl made no key for service accounts: {error}") from error


def _kubeconfig(directory: Path, url: str, certificate: Path) -> Path:
    name = "bench"
    cluster = {"server": url, "certificate-authority": str(certificate)}
    config: JSON = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": {"token": _TOKEN}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    path = directory / "kubeconfig"
    path.write_text(json.dumps(config, indent=1), encoding="utf-8")
    return path


def _account(directory: Path, port: int, certificate: Path) -> Account:
    files = directory / "serviceaccount"
    files.mkdir()
    (files / "token").write_text(_TOKEN, encoding="ascii")
    shutil.copyfile(certificate, files / "ca.crt")
    return Account(_HOST, port, files)


def _answers(get: Callable[[str], str]) -> bool:
    try:
        return get("/readyz") == "ok"
    except (OSError, urllib.error.URLError):
        return False


def _get(url: str, certificate: Path) -> str:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {_TOKEN}"})  # noqa: S310
    trust = ssl.create_default_context(cafile=str(certificate))
    # this machine, which the standard library would reach by way of HTTPS_PROXY
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
    )
    with opener.open(request, timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
    return port
