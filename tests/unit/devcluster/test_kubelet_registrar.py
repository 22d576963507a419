"""The calls to a registration socket, against a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.kubelet import registrar
from devcluster.kubelet.errors import PluginCallFailed
from devcluster.kubelet.plugins import PluginInfo
from tests.support.fakedriver import Driver, serving, short_directory


@pytest.fixture
def socket() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory / "reg.sock"


def test_a_plugin_says_who_it_is(socket: Path) -> None:
    driver = Driver(endpoint="/plugins/d/plugin.sock", versions=["1.0.0", "v1.DRAPlugin"])
    with serving(driver, socket):
        found = registrar.get_info(socket)
    assert found == PluginInfo(
        "DRAPlugin", "driver.example.com", Path("/plugins/d/plugin.sock"), ("1.0.0", "v1.DRAPlugin")
    )


def test_without_an_endpoint_the_registration_socket_serves_everything(socket: Path) -> None:
    with serving(Driver(), socket):
        assert registrar.get_info(socket).endpoint == socket


@pytest.mark.parametrize(("error", "notified"), [("", (True, "")), ("too old", (False, "too old"))])
def test_the_outcome_is_reported(socket: Path, error: str, notified: tuple[bool, str]) -> None:
    with serving(Driver(), socket) as driver:
        registrar.notify(socket, error)
    assert driver.notified == [notified]


def test_a_plugin_that_does_not_take_the_outcome(socket: Path) -> None:
    with (
        serving(Driver(refuses_notification=True), socket),
        pytest.raises(PluginCallFailed, match=r"NotifyRegistrationStatus .* not now"),
    ):
        registrar.notify(socket, "")


def test_a_socket_without_a_server(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registrar, "GET_INFO_SECONDS", 0.05)
    with pytest.raises(PluginCallFailed, match=r"GetInfo on .*reg\.sock failed"):
        registrar.get_info(socket)
