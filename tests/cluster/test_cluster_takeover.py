"""Two controllers: one leads, and the other goes on when it ends, in order or without a word."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.objects import JSON
from api.resources import LEASES
from controller.election import LEASE_NAME
from demo.expect import DEMOS, problems
from demo.session import SYSTEM
from kube.errors import NotFound
from kube.leases import holder_of
from testing.waiting import until
from tests.support.embedded import Embedded, embedded

DEMO = DEMOS[0]
pytestmark = pytest.mark.xdist_group("takeover")

LEADS, STANDS_BY = '"leading"', '"another controller leads, standing by"'


@pytest.fixture(scope="module")
def pair() -> Iterator[Embedded]:
    """A cluster with two controllers."""
    # pytest's own temporary directories make socket paths too long
    with (
        tempfile.TemporaryDirectory(prefix="dra-") as path,
        embedded(Path(path), nodes=1, controllers=2) as cluster,
    ):
        yield cluster


def lease(cluster: Embedded) -> JSON:
    return cluster.client.get(LEASES, LEASE_NAME, SYSTEM)


def leader(cluster: Embedded) -> str:
    """Return the program that leads; wait until the others stand by."""

    def found() -> str | None:
        try:
            holder = holder_of(lease(cluster))
        except NotFound:  # before the first election
            return None
        last = {name: last_news(cluster, name) for name in cluster.config.controller_names}
        leads = [name for name, news in last.items() if LEADS in news and holder in news]
        waits = [name for name, news in last.items() if STANDS_BY in news and holder in news]
        return leads[0] if holder and len(leads) == len(waits) == 1 else None

    return until("one that leads and one that stands by", found, 40)


def last_news(cluster: Embedded, program: str) -> str:
    """Return the last line of a log that is about the election."""
    lines = cluster.whole_log(program).splitlines()
    return next((line for line in reversed(lines) if "leader election]" in line), "")


def demo_works(cluster: Embedded) -> None:
    cluster.session.apply(cluster.demo(DEMO.name))
    cluster.session.running(DEMO)
    assert problems(DEMO, cluster.session.logs(DEMO), cluster.session.states()) == []
    cluster.session.delete(DEMO)
    cluster.session.released([DEMO])


@pytest.mark.embedded
@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    ("number", "seconds"),
    [(signal.SIGTERM, 5.0), (signal.SIGKILL, 15.0)],
    ids=["stopped", "killed"],
)
def test_the_other_controller_takes_over(
    pair: Embedded, number: signal.Signals, seconds: float
) -> None:
    first = leader(pair)
    (other,) = set(pair.config.controller_names) - {first}
    before = holder_of(lease(pair))
    demo_works(pair)

    os.kill(pair.pid(first), number)
    # a second for requests and threads of a busy machine
    free = ("", before)
    until("a new holder", lambda: holder_of(lease(pair)) not in free, seconds + 1)
    demo_works(pair)
    assert leader(pair) == other
