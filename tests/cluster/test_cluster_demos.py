"""The five demos with the real kubectl, up and down."""

import pytest

from demo.expect import DEMOS, Demo, problems
from testing.waiting import until
from tests.support.anycluster import DEVICES, Cluster

DEMO_IDS = [demo.name for demo in DEMOS]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("demo", DEMOS, ids=DEMO_IDS)
def test_a_demo_shows_what_it_should_and_leaves_nothing(cluster: Cluster, demo: Demo) -> None:
    path = str(cluster.demo(demo.name))
    cluster.kubectl.run("apply", "-f", path)
    ready = ("--for=condition=Ready", "pod", "--all", "--timeout=60s")
    cluster.kubectl.run("wait", "-n", demo.name, *ready)
    logs = cluster.session.logs(demo)
    states = cluster.session.states()
    assert problems(demo, logs, states) == []
    assert len(cluster.cdi_files()) == sum(len(s.holders) for s in states) == len(demo.claims)
    shown = [s for s in states if s.prepared_here]
    assert [s.holders.keys() for s in shown] == [s.prepared.keys() for s in shown]
    assert cluster.kubectl.run("apply", "-f", path).count("unchanged") > 1
    cluster.kubectl.run("delete", "-f", path)
    states = cluster.settled()
    assert all(len(state.allocatable) == DEVICES for state in states)
    no_claims = lambda: not cluster.kubectl.run("get", "resourceclaims", "-A").strip()  # noqa: E731
    until("no claim is left", no_claims)
