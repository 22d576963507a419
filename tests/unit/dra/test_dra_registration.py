from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import Mock, create_autospec

import pytest
from prometheus_client import CollectorRegistry

from api.contract import FAKE
from dra.kubelet.registration import Registration
from dra.kubelet.server import UnixServer
from dra.kubelet.services import CLASSIC_SERVICES, SERVICES, Service
from dra.kubelet.version import Kubelet
from dra.metrics import PluginMetrics
from dra.places import Place
from testing.kubeletcalls import KubeletCalls


class Registered:
    """A registration, and the kubelet that talks to it."""

    def __init__(
        self, directory: Path, services: Sequence[Service[Any]] = CLASSIC_SERVICES
    ) -> None:
        self.registry = CollectorRegistry()
        self.kubelet = create_autospec(Kubelet, instance=True, spec_set=True)
        self.changes, self.registrations = Mock(), Mock()
        self.registration = Registration(
            FAKE.driver_name,
            Path("/plugins/plugin.sock"),
            self.kubelet,
            PluginMetrics(self.registry),
            services=services,
            on_change=self.changes,
            on_registered=self.registrations,
        )
        place = Place(directory / "x-reg.sock", "--x")
        self.server = UnixServer(place, self.registration.handlers(), workers=1)
        self.server.start()
        self.calls = KubeletCalls(place.path)

    def gauge(self) -> float | None:
        return self.registry.get_sample_value("fake_dra_plugin_registered")


@pytest.fixture
def registered(short_path: Path) -> Iterator[Registered]:
    made = Registered(short_path)
    with made.calls:
        yield made
    made.server.stop(0)


def test_info_is_what_kubelets_look_for(registered: Registered) -> None:
    info = registered.calls.get_info()
    assert info.type == "DRAPlugin"
    assert info.name == "fake.resource.3-shake.com"
    assert info.endpoint == "/plugins/plugin.sock"
    assert list(info.supported_versions) == ["1.0.0"]


def test_everything_that_is_served_is_listed_newest_first(short_path: Path) -> None:
    made = Registered(short_path, SERVICES)
    with made.calls:
        assert list(made.calls.get_info().supported_versions) == [
            "v1.DRAPlugin",
            "v1beta1.DRAPlugin",
            "v1.DRAResourceHealth",
            "v1alpha1.DRAResourceHealth",
            "1.0.0",
        ]
        made.calls.notify("no")
    assert "1.27 or later" in str(made.registration.problem)
    made.server.stop(0)


def test_every_registration_is_told_and_no_refusal(registered: Registered) -> None:
    for error, count in (("", 1), ("no", 1), ("", 2), ("", 3)):
        registered.calls.notify(error)
        assert registered.registrations.call_count == count


def test_version_of_the_kubelet_is_read_anew_when_one_asks(registered: Registered) -> None:
    registered.calls.get_info()
    registered.kubelet.forget.assert_called_once_with()


def test_nobody_has_registered_us_at_first(registered: Registered) -> None:
    assert "not registered the plugin yet" in str(registered.registration.problem)
    assert not registered.registration.refused
    assert registered.gauge() == 0


def test_acceptance(registered: Registered) -> None:
    registered.calls.notify()
    assert registered.registration.problem is None
    assert not registered.registration.refused
    assert registered.gauge() == 1
    registered.changes.assert_not_called()


@pytest.mark.parametrize("reason", ["already registered", "x" * 100_000])
def test_refusal(registered: Registered, reason: str) -> None:
    registered.calls.notify()
    registered.calls.notify(reason)
    assert registered.registration.refused
    assert reason[:100] in str(registered.registration.problem)
    assert registered.gauge() == 0
    registered.changes.assert_called_once_with()


def test_acceptance_after_a_refusal(registered: Registered) -> None:
    registered.calls.notify("already registered")
    registered.calls.notify()
    assert registered.changes.call_count == 2
    assert registered.registration.problem is None
    assert registered.gauge() == 1
