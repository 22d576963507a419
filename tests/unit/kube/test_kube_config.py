from pathlib import Path

import pytest
import yaml

from kube import config
from kube.config import load_configuration
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


def test_file_gives_server_and_token(tmp_path: Path) -> None:
    found = load_configuration(str(kubeconfig(tmp_path, token="t0k")), pool=7, environ={})
    assert found.host == SERVER
    assert found.get_api_key_with_prefix("BearerToken", alias="authorization") == "Bearer t0k"
    assert found.connection_pool_maxsize == 7


def test_only_our_own_policy_retries(tmp_path: Path) -> None:
    found = load_configuration(str(kubeconfig(tmp_path)), pool=1, environ={})
    assert found.retries is False


def test_environment_names_the_file(tmp_path: Path) -> None:
    environ = {"KUBECONFIG": str(kubeconfig(tmp_path))}
    assert load_configuration(None, pool=1, environ=environ).host == SERVER
    assert load_configuration("", pool=1, environ=environ).host == SERVER


def test_given_file_wins_over_the_service_account(tmp_path: Path) -> None:
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    path = str(kubeconfig(tmp_path))
    assert load_configuration(path, pool=1, environ=environ).host == SERVER


def test_service_account_inside_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(client_configuration) -> None:
        client_configuration.host = "https://10.0.0.1:443"

    monkeypatch.setattr(config, "_load_service_account", load)
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBECONFIG": "/nowhere"}
    assert load_configuration(None, pool=1, environ=environ).host == "https://10.0.0.1:443"


def test_pod_without_a_token_is_told_what_to_do() -> None:
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    with pytest.raises(ConfigError, match="automountServiceAccountToken"):
        load_configuration(None, pool=1, environ=environ)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="missing"),
        pytest.param("", id="empty"),
        pytest.param("{", id="not-yaml"),
        pytest.param("- a", id="list"),
        pytest.param("contexts: 3", id="wrong-type"),
        pytest.param("current-context: x\ncontexts: []\n", id="no-such-context"),
    ],
)
def test_unreadable_file_is_named_with_the_remedy(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_configuration(str(path), pool=1, environ={})
    assert str(path) in str(caught.value)
    assert "--kubeconfig" in str(caught.value)


def test_dead_peers_are_noticed(tmp_path: Path) -> None:
    options = load_configuration(str(kubeconfig(tmp_path)), pool=1, environ={}).socket_options
    assert any(value == 30_000 for _, _, value in options)
