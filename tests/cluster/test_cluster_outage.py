"""API server away, late or busy, or sockets removed, while a demo comes and goes: nothing is lost.

`make reliability` does the same for longer. On a cluster of its own, whose driver alone reaches the
API server through a proxy.
"""

import time
from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from api.contract import FAKE
from api.resources import NAMESPACES
from testing.waiting import until
from tests.support.anycluster import plugin_of
from tests.support.embedded import Embedded
from tests.support.manifests import ClaimRequest, namespace
from tests.support.outage import behind_proxy, lived_through
from tests.support.sickapi import SickApi
from tests.support.space import Space

pytestmark = [
    pytest.mark.embedded,
    pytest.mark.timeout(180),
    pytest.mark.xdist_group("outage"),
]
AWAY_SECONDS = 2.0
MOMENT_SECONDS = 1.0
LATE_SECONDS = 1.0


@pytest.fixture(scope="module")
def sick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Embedded, SickApi]]:
    with behind_proxy(tmp_path_factory.mktemp("o") / "c") as made:
        yield made


def test_api_server_that_is_away(sick: tuple[Embedded, SickApi]) -> None:
    cluster, api = sick
    assert lived_through(cluster, api.away, seconds=AWAY_SECONDS) == []


@pytest.mark.parametrize("how", ["away", pytest.param("broken", marks=pytest.mark.nas)])
def test_outage_of_a_moment_costs_no_failed_prepare(
    sick: tuple[Embedded, SickApi], how: str
) -> None:
    cluster, api = sick
    cluster.client.create(NAMESPACES, namespace(how))
    space = Space(cluster, how)
    space.apply(*space.claim("c", ClaimRequest(immediate=True)))
    space.allocated("c")
    with api.away() if how == "away" else api.broken("PATCH"):
        space.apply(space.pod("user", "c"))
        until("pod bound", lambda: space.get("pod", "user")["spec"].get("nodeName"))
        if how == "away":
            time.sleep(MOMENT_SECONDS)
        else:
            cluster.logged(plugin_of(space.node_with("c")), "Waiting for what passes by itself")
    space.ready("user")
    assert "Prepare" not in space.warnings("pod", "user") + space.warnings("resourceclaim", "c")
    space.delete("pod/user", "resourceclaim/c")
    cluster.settled()


def test_api_server_that_is_late(sick: tuple[Embedded, SickApi]) -> None:
    cluster, api = sick
    assert lived_through(cluster, lambda: api.late(LATE_SECONDS)) == []


def test_retry_after_is_kept(sick: tuple[Embedded, SickApi]) -> None:
    cluster, api = sick
    assert lived_through(cluster, lambda: api.busy(3, 1)) == []
    assert api.refused > 0
    assert api.hasty == []


def test_sockets_that_somebody_removed_come_back(sick: tuple[Embedded, SickApi]) -> None:
    cluster, _ = sick
    for node in cluster.nodes:
        root = cluster.config.node_root(node)
        sockets = (
            root / "plugins" / FAKE.driver_name / "plugin.sock",
            root / "plugins_registry" / f"{FAKE.driver_name}-reg.sock",
        )
        for path in sockets:
            path.unlink()
            until(f"{path} is there again", path.is_socket)
        cluster.logged(plugin_of(node), "SocketMissing")
    assert lived_through(cluster, nullcontext) == []
