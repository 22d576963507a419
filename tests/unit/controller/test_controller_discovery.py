"""Which version the controller works with, and what it says to a server without classic claims."""

import threading

import pytest

from api.objects import JSON
from api.resources import DRA_VERSIONS
from controller.versions import discovery
from controller.versions.discovery import choose, served_version
from kube.errors import ConnectFailed
from ops.errors import ConfigError


@pytest.mark.parametrize(
    ("served", "minor", "version"),
    [
        (["v1alpha2"], "27", "v1alpha2"),
        (["v1alpha2"], "30+", "v1alpha2"),
        (["v1alpha3"], "31", "v1alpha3"),
        (["v1alpha3"], "", "v1alpha3"),
        (["v1alpha3", "v1alpha2"], "31", "v1alpha2"),
    ],
    ids=["1.27", "1.30-with-suffix", "1.31", "unknown-minor", "both"],
)
def test_version_is_one_that_is_served(served: list[str], minor: str, version: str) -> None:
    assert choose(served, {"major": "1", "minor": minor}) == version
    assert version in DRA_VERSIONS


OLD = "--runtime-config=resource.k8s.io/v1alpha2=true"
NEW = "--runtime-config=resource.k8s.io/v1alpha3=true"


@pytest.mark.parametrize(
    ("served", "minor", "told", "not_told"),
    [
        ([], "30", ["no version", OLD, "DynamicResourceAllocation"], [NEW, "DRAControlPlane"]),
        (["v1alpha1"], "26", ["in v1alpha1", OLD], [NEW]),
        ([], "31", [NEW, "DynamicResourceAllocation", "DRAControlPlaneController"], [OLD]),
        ([], "", [OLD, NEW], []),
        (["v1beta1"], "32", ["removed in 1.32", "1.27 to 1.31"], [OLD, NEW]),
        (["v1alpha3", "v1beta1"], "33", ["Kubernetes 1.33", "removed in 1.32"], [OLD, NEW]),
        (["v1"], "35", ["removed in 1.32"], [OLD, NEW]),
    ],
    ids=[
        "1.30-off",
        "1.26",
        "1.31-off",
        "unknown-minor",
        "1.32",
        "1.33-with-a-v1alpha3-of-its-own",
        "1.35",
    ],
)
def test_server_without_classic_claims_is_told_what_to_do(
    served: list[str], minor: str, told: list[str], not_told: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        choose(served, {"major": "1", "minor": minor})
    assert all(text in str(caught.value) for text in told)
    assert not any(text in str(caught.value) for text in not_told)


class Server:
    """Is away for the first calls."""

    def __init__(self, away: int) -> None:
        self.away = away

    def versions(self, group: str) -> list[str]:
        self.away -= 1
        if self.away >= 0:
            raise ConnectFailed("refused")
        return ["v1alpha2"]

    def server_version(self) -> JSON:
        return {"minor": "30"}


def test_server_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "RETRY_SECONDS", 0)
    assert served_version(Server(2), threading.Event()) == "v1alpha2"


def test_waiting_ends_with_the_program() -> None:
    stop = threading.Event()
    stop.set()
    assert served_version(Server(1), stop) is None
