"""The five demos with the real kubectl, up and down."""

import pytest

from demo.expect import DEMOS, Demo, problems
from tests.support.embedded import ROOT, Embedded

DEMO_IDS = [demo.name for demo in DEMOS]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("demo", DEMOS, ids=DEMO_IDS)
def test_a_demo_shows_what_it_should_and_leaves_nothing(cluster: Embedded, demo: Demo) -> None:
    manifest = str(ROOT / "demo" / f"fake-{demo.name}.yaml")
    cluster.kubectl.run("apply", "-f", manifest)
    ready = ("--for=condition=Ready", "pod", "--all", "--timeout=60s")
    cluster.kubectl.run("wait", "-n", demo.name, *ready)
    logs = {
        (pod, ctr): cluster.kubectl.run("logs", "-n", demo.name, pod, "-c", ctr)
        for pod, ctr in demo.containers
    }
    states = cluster.session.states()
    assert problems(demo, logs, states) == []
    assert len(cluster.cdi_files()) == sum(len(s.prepared) for s in states) == len(demo.claims)
    assert cluster.kubectl.run("apply", "-f", manifest).count("unchanged") > 1
    cluster.kubectl.run("delete", "-f", manifest)
    states = cluster.settled()
    assert all(len(state.allocatable) == 8 for state in states)
    assert cluster.kubectl.run("get", "resourceclaims", "-A").strip() == ""
