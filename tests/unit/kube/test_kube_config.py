import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kube.config import current_namespace, load_access
from kube.errors import ConfigError

SERVER = "https://api.example:6443"


def kubeconfig(directory: Path, **user: str) -> Path:
    path = directory / "config"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": SERVER}}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(yaml.safe_dump(document))
    return path


def test_environment_names_the_file(tmp_path: Path) -> None:
    environ = {"KUBECONFIG": str(kubeconfig(tmp_path))}
    assert load_access(None, environ=environ).host == SERVER
    assert load_access("", environ=environ).host == SERVER


def test_given_file_wins_over_the_service_account(tmp_path: Path) -> None:
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    assert load_access(str(kubeconfig(tmp_path)), environ=environ).host == SERVER


def test_service_account_wins_over_the_environment(tmp_path: Path) -> None:
    environ = {
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
        "KUBERNETES_SERVICE_PORT": "443",
        "KUBECONFIG": str(kubeconfig(tmp_path)),
    }
    with pytest.raises(ConfigError, match="automountServiceAccountToken"):
        load_access(None, environ=environ)


def test_namespace_is_that_of_the_current_context(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path)
    assert current_namespace(str(path)) == ""
    document = yaml.safe_load(path.read_text())
    document["contexts"][0]["context"]["namespace"] = "mine"
    path.write_text(yaml.safe_dump(document))
    assert current_namespace(str(path)) == "mine"
    assert current_namespace(None, environ={"KUBECONFIG": str(path)}) == "mine"


def test_no_file_names_no_namespace(tmp_path: Path) -> None:
    assert current_namespace(str(tmp_path / "none")) == ""
    assert current_namespace(None, environ={"KUBERNETES_SERVICE_HOST": "10.0.0.1"}) == ""


def test_client_alone_leaves_the_models_of_kubernetes_on_the_disk() -> None:
    code = "import sys, kube.client; sys.exit('kubernetes' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
