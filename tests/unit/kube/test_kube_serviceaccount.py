from pathlib import Path

import pytest

from kube.errors import ConfigError
from kube.serviceaccount import service_account
from tests.support.tables import cases

POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("one\n")
    (tmp_path / "ca.crt").write_text("certificates")
    return tmp_path


@cases(
    ("host", "expected"),
    {
        "v4": ("10.0.0.1", "https://10.0.0.1:443"),
        "v6": ("fd00::1", "https://[fd00::1]:443"),
        "name": ("api.example", "https://api.example:443"),
    },
)
def test_server_is_in_the_environment(files: Path, host: str, expected: str) -> None:
    environ = {**POD, "KUBERNETES_SERVICE_HOST": host}
    assert service_account(environ, directory=files).host == expected


def test_server_is_checked_and_gets_the_token(files: Path) -> None:
    found = service_account(POD, directory=files)
    assert found.authorization() == "Bearer one"
    assert found.ca_file == str(files / "ca.crt")
    assert found.verify


def test_token_is_read_again_after_a_minute(files: Path, clock) -> None:
    found = service_account(POD, directory=files, clock=clock)
    (files / "token").write_text("two")
    clock.advance(59)
    assert found.authorization() == "Bearer one"
    clock.advance(1)
    assert found.authorization() == "Bearer two"


def test_token_that_is_gone_is_a_config_error(files: Path, clock) -> None:
    found = service_account(POD, directory=files, clock=clock)
    (files / "token").unlink()
    clock.advance(60)
    with pytest.raises(ConfigError, match="token"):
        found.authorization()


@pytest.mark.parametrize("name", list(POD))
@pytest.mark.parametrize("value", [None, ""])
def test_variable_that_is_missing(files: Path, name: str, value: str | None) -> None:
    environ = {key: text for key, text in POD.items() if key != name}
    if value is not None:
        environ[name] = value
    with pytest.raises(ConfigError, match="KUBERNETES_SERVICE_PORT have to be set"):
        service_account(environ, directory=files)


@pytest.mark.parametrize("name", ["token", "ca.crt"])
@pytest.mark.parametrize("content", [None, b"", b"\xff"])
def test_file_that_is_no_use(files: Path, name: str, content: bytes | None) -> None:
    (files / name).unlink()
    if content is not None:
        (files / name).write_bytes(content)
    with pytest.raises(ConfigError, match="automountServiceAccountToken"):
        service_account(POD, directory=files)
