import os
from pathlib import Path

import pytest

from bench import pods
from bench.pods import Account, Way

READ = (
    'echo "$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT $KUBECONFIG $MORE"; '
    "cat /var/run/secrets/kubernetes.io/serviceaccount/token"
)


def output(way: Way, directory: Path) -> str:
    log = directory / "log"
    with way.program("shell", ["sh", "-c", READ], log, {"MORE": "x"}) as program:
        assert program._process is not None
        program._process.wait(10)
    return log.read_text()


@pytest.fixture
def account(tmp_path: Path) -> Account:
    (tmp_path / "token").write_text("t0k")
    (tmp_path / "ca.crt").write_text("certificates")
    return Account("127.0.0.1", 6443, tmp_path)


@pytest.mark.skipif(not pods._may_mount(), reason="needs root and mount namespaces")
def test_program_finds_what_a_pod_would(account: Account, tmp_path: Path) -> None:
    way = Way(Path("/kubeconfig"), account)
    assert output(way, tmp_path) == "127.0.0.1:6443  x\nt0k"
    assert str(way) == "a service account"


@pytest.mark.parametrize("tls", [False, True], ids=["no-tls", "no-root"])
def test_program_gets_a_kubeconfig_where_there_is_no_other_way(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    for name in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    way = Way(Path("/kubeconfig"), account if tls else None)
    assert output(way, tmp_path).startswith(": /kubeconfig x\n")
    assert str(way) == "KUBECONFIG"
