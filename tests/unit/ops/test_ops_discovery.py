"""How a program comes to its version; which one that is, is tested with api.claims."""

import threading

import pytest

from api.objects import JSON
from kube.errors import ConnectFailed
from ops import discovery
from ops.discovery import served_version
from ops.errors import ConfigError


class Server:
    """Is away for the first calls."""

    def __init__(self, away: int, served: str = "v1alpha2", minor: str = "30") -> None:
        self.away = away
        self.served = served
        self.minor = minor

    def versions(self, group: str) -> list[str]:
        self.away -= 1
        if self.away >= 0:
            raise ConnectFailed("refused")
        return [self.served]

    def server_version(self) -> JSON:
        return {"minor": self.minor}


def test_server_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "RETRY_SECONDS", 0)
    assert served_version(Server(2), "classic", threading.Event()) == "v1alpha2"


def test_server_without_classic_claims_ends_the_program() -> None:
    with pytest.raises(ConfigError, match=r"Kubernetes 1\.32, .* removed in 1\.32"):
        served_version(Server(0, "v1alpha3", "32"), "classic", threading.Event())


def test_waiting_ends_with_the_program() -> None:
    stop = threading.Event()
    stop.set()
    assert served_version(Server(1), "classic", stop) is None
