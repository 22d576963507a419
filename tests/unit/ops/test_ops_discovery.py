"""How a program comes to its version; which one that is, is tested with api.claims."""

import threading

import pytest

from api.objects import JSON
from kube.errors import ConnectFailed, Forbidden, KubeError
from ops import discovery
from ops.discovery import Inquiry, until_kind_changes
from ops.errors import ConfigError

AWAY = ConnectFailed("refused")
FORBIDDEN = Forbidden(403, "Forbidden", 'User "jane" cannot get path "/apis/resource.k8s.io"')


class Server:
    """Is away for the first calls."""

    def __init__(
        self,
        away: int,
        served: str = "v1alpha2",
        minor: str = "30",
        error: KubeError = AWAY,
    ) -> None:
        self.away = away
        self.error = error
        self.served = served
        self.minor = minor

    def versions(self, group: str) -> list[str]:
        self.away -= 1
        if self.away >= 0:
            raise self.error
        return [self.served]

    def server_version(self) -> JSON:
        return {"minor": self.minor}


def test_server_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "RETRY_SECONDS", 0)
    assert Inquiry(Server(2), "classic").served_version(threading.Event()) == "v1alpha2"


@pytest.mark.parametrize(
    ("error", "logged"),
    [
        pytest.param(AWAY, "API server is away", id="away"),
        pytest.param(FORBIDDEN, "API server refuses to tell what it serves", id="forbidden"),
    ],
)
def test_what_the_program_waits_for_is_told(
    error: KubeError, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    inquiry = Inquiry(Server(1, error=error), "classic")
    untold = "the API server has not told yet what it serves"
    assert inquiry.problem() == untold
    assert inquiry.served_version(Looks(0)) == "v1alpha2"
    assert inquiry.problem() == f"{untold}: {error}"
    assert caplog.messages == [f"{logged}, trying again"]


def test_server_without_classic_claims_ends_the_program() -> None:
    with pytest.raises(ConfigError, match=r"Kubernetes 1\.32, .* removed in 1\.32"):
        Inquiry(Server(0, "v1alpha3", "32"), "classic").served_version(threading.Event())


def test_waiting_ends_with_the_program() -> None:
    stop = threading.Event()
    stop.set()
    assert Inquiry(Server(1), "classic").served_version(stop) is None


CLASSIC_31 = ["v1alpha3"]
STRUCTURED_32 = ["v1beta1", "v1alpha3"]


class Upgraded:
    """A server that serves something else at each look; the last for ever."""

    def __init__(self, *looks: list[str] | None) -> None:
        self.looks = list(looks)
        self.asked: list[str] = []

    def versions(self, group: str) -> list[str]:
        self.asked.append(group)
        found = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if found is None:
            raise ConnectFailed("refused")
        return found

    def server_version(self) -> JSON:
        self.asked.append("/version")
        return {"minor": "32" if "v1beta1" in (self.looks[0] or []) else "31"}


class Looks(threading.Event):
    """A stop that lets so many looks pass, and is set then."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.left = number
        self.paused: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.paused.append(timeout)
        self.left -= 1
        return self.is_set() or self.left < 0


@pytest.mark.parametrize(
    ("kind", "version", "looks", "said"),
    [
        pytest.param("auto", "v1alpha3", [STRUCTURED_32], "structured", id="1.31-to-1.32"),
        pytest.param("auto", "v1beta1", [CLASSIC_31], "classic", id="1.32-to-1.31"),
        pytest.param("auto", "v1alpha2", [CLASSIC_31], "classic", id="1.30-to-1.31"),
        pytest.param("classic", "v1alpha2", [CLASSIC_31], "classic", id="forced-to-classic"),
        pytest.param("auto", "v1alpha3", [None, [], STRUCTURED_32], "structured", id="away-first"),
        pytest.param("auto", "v1alpha3", [CLASSIC_31], "", id="same"),
        pytest.param("auto", "v1beta2", [["v1"]], "", id="newer-structured"),
        pytest.param("auto", "v1alpha3", [[]], "", id="no-group"),
        pytest.param("auto", "v1alpha3", [None], "", id="away"),
        pytest.param("structured", "v1beta1", [CLASSIC_31], "", id="forced-to-structured"),
        pytest.param("classic", "v1alpha3", [STRUCTURED_32], "", id="classic-has-nothing-there"),
    ],
)
def test_program_ends_once_it_is_the_wrong_one(
    kind: str,
    version: str,
    looks: list[list[str] | None],
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="discovery")
    stop = Looks(5)
    until_kind_changes(Upgraded(*looks), kind, version, stop)
    assert caplog.messages == ([f"restarting as {said}"] if said else [])
    assert stop.is_set() is bool(said)


@pytest.mark.parametrize(
    ("looks", "ends"),
    [
        pytest.param([["v1beta1"], ["v1"]], True, id="another"),
        pytest.param([["v1beta1"], ["v1", "v1beta1"]], True, id="a-newer-one-beside-it"),
        pytest.param([["v1beta1"], None, []], False, id="away"),
    ],
)
def test_program_that_does_not_ask_again_ends_with_its_version(
    looks: list[list[str] | None], ends: bool
) -> None:
    stop = Looks(5)
    until_kind_changes(Upgraded(*looks), "structured", "v1beta1", stop, pinned=True)
    assert stop.is_set() is ends


def test_a_look_at_what_has_not_changed_is_one_request() -> None:
    server, stop = Upgraded(CLASSIC_31), Looks(5)
    until_kind_changes(server, "auto", "v1alpha3", stop)
    assert server.asked == ["resource.k8s.io", "/version", *["resource.k8s.io"] * 4]
    assert set(stop.paused) == {30.0}
