from pathlib import Path
from unittest.mock import Mock

import pytest
import yaml
from kubernetes.client import configuration
from kubernetes.config import ConfigException

from kube import kubeconfig
from kube.errors import ConfigError
from kube.kubeconfig import read_kubeconfig
from tests.support.tables import cases

SERVER = "https://api.example:6443"


def write(directory: Path, user: dict[str, object], **cluster: object) -> str:
    path = directory / "config"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": SERVER, **cluster}}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(yaml.safe_dump(document))
    return str(path)


@cases(
    ("user", "expected"),
    {
        "token": ({"token": "t0k"}, "Bearer t0k"),
        "password": ({"username": "a", "password": "b"}, "Basic YTpi"),
        "nobody": ({}, ""),
    },
)
def test_user_becomes_the_authorization(tmp_path: Path, user, expected: str) -> None:
    found = read_kubeconfig(write(tmp_path, user))
    assert found.host == SERVER
    assert found.authorization() == expected


def test_proxies_of_the_environment_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    found = read_kubeconfig(write(tmp_path, {"token": "t0k"}))
    assert found.proxy is None
    looked = Mock(return_value={})
    monkeypatch.setattr(configuration, "getproxies", looked)
    found.authorization()
    looked.assert_not_called()


def test_certificates_are_files(tmp_path: Path) -> None:
    names = {}
    for name in ("ca", "cert", "key"):
        (tmp_path / name).write_text(name)
        names[name] = str(tmp_path / name)
    user = {"client-certificate": names["cert"], "client-key": names["key"]}
    path = write(tmp_path, user, **{"certificate-authority": names["ca"]})
    found = read_kubeconfig(path)
    files = (found.ca_file, found.cert_file, found.key_file)
    assert [Path(str(file)).read_text() for file in files] == ["ca", "cert", "key"]
    assert found.verify


def test_cluster_says_how_it_is_reached(tmp_path: Path) -> None:
    cluster = {
        "insecure-skip-tls-verify": True,
        "tls-server-name": "name",
        "proxy-url": "http://proxy:3128",
    }
    found = read_kubeconfig(write(tmp_path, {}, **cluster))
    assert not found.verify
    assert found.server_name == "name"
    assert found.proxy == "http://proxy:3128"


@pytest.mark.parametrize("failure", [ConfigException("expired"), OSError("no such file")])
def test_credentials_that_cannot_be_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def load(client_configuration, **_: object) -> None:
        def refresh(_: object) -> None:
            raise failure

        client_configuration.refresh_api_key_hook = refresh

    monkeypatch.setattr(kubeconfig, "_load", load)
    found = read_kubeconfig(str(tmp_path))
    with pytest.raises(ConfigError, match="credentials cannot be read"):
        found.authorization()


@cases(
    "content",
    {
        "empty": "",
        "not-yaml": "{",
        "list": "- a",
        "wrong-type": "contexts: 3",
        "no-such-context": "current-context: x\ncontexts: []\n",
    },
)
def test_unreadable_file_is_named_with_the_remedy(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        read_kubeconfig(str(path))
    assert str(path) in str(caught.value)
    assert "--kubeconfig" in str(caught.value)


@cases("content", {"list": "- a", "number": "3", "text": "apiVersion"})
def test_what_is_no_kubeconfig_is_said_to_be_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(ConfigError, match=f"kubeconfig {path}: it is no kubeconfig; set "):
        read_kubeconfig(str(path))


@cases("given", {"one": "{0}/none", "several": "{0}/none:{0}/neither", "home": "~/.kube/none"})
def test_missing_file_is_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = given.format(tmp_path)
    with pytest.raises(ConfigError) as caught:
        read_kubeconfig(path)
    assert str(caught.value) == (
        f"kubeconfig {path}: no such file; "
        "set --kubeconfig or KUBECONFIG to a kubeconfig that this user can read"
    )


def test_of_several_files_some_may_be_missing(tmp_path: Path) -> None:
    found = read_kubeconfig(f"{tmp_path}/none:{write(tmp_path, {})}")
    assert found.host == SERVER
