"""The driver sees what happens, though etcd was restored, and though its connections are silent."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from api.objects import JSON
from testing.waiting import until
from tests.e2e.cluster import network
from tests.support.anycluster import CONTROLLER, plugin_of
from tests.support.choice import helm_install
from tests.support.realcluster import RaisedCluster
from tests.support.relay import Relay
from tests.support.space import Space

OBJECTS = 60
RESTORED_SECONDS = 120.0
SILENT_SECONDS = 150.0
NO_ELECTION = {"controller": {"leaderElection": {"enabled": False}}}

pytestmark = [pytest.mark.raised, pytest.mark.timeout(900)]


@pytest.fixture
def steady(raised: RaisedCluster) -> Iterator[RaisedCluster]:
    """The cluster with a controller that does not end when it cannot renew its Lease."""
    helm_install(raised.machine.kubeconfig, NO_ELECTION)
    raised.session.nodes_ready(1)
    yield raised
    helm_install(raised.machine.kubeconfig)
    raised.session.nodes_ready(1)


def test_driver_goes_on_after_a_restore_of_etcd(space: Space, steady: RaisedCluster) -> None:
    space.apply(*space.claim("kept"), space.pod("kept", "kept"))
    space.ready("kept")
    devices = space.devices("kept")
    steady.machine.back_up()
    space.apply(*(config_map(space.name, f"lost{number}") for number in range(OBJECTS)))
    space.apply(*space.claim("lost"), space.pod("lost", "lost"))
    space.ready("lost")
    before = instances(steady)

    steady.machine.restore()

    space.apply(*space.claim("new"), space.pod("new", "new"))
    space.ready("new", seconds=RESTORED_SECONDS)
    assert instances(steady) == before
    for program in steady.programs:
        steady.logged(program, "the API server went back from resourceVersion")
    assert space.devices("kept") == devices
    given = {space.uid("kept"), space.uid("new")}
    until("the node forgets the claim that was lost", lambda: space.prepared() == given, 120)
    assert space.given() == given
    assert len(steady.cdi_files()) == len(given)
    for name in ("kept", "new"):
        space.delete(f"pod/{name}")
        space.freed(name)


def test_driver_sees_what_happens_behind_silent_connections(
    space: Space, raised: RaisedCluster
) -> None:
    upstream = (network.NODE_IP, network.API_PORT)
    with closing(Relay(upstream, network.HOST_IP)) as relay:
        with network.detour(relay.address[1]):
            raised.crash(*raised.programs)
            space.apply(*space.claim("before"), space.pod("before", "before"))
            space.ready("before")
            before = instances(raised)

            relay.forget()
            space.apply(*space.claim("behind"), space.pod("behind", "behind"))
            space.ready("behind", seconds=SILENT_SECONDS)
        for program in raised.programs:
            raised.logged(program, "no event or bookmark for 130 s, renewed from resourceVersion")
        assert instances(raised) == before
        for name in ("before", "behind"):
            space.delete(f"pod/{name}")
            space.freed(name)
    raised.crash(*raised.programs)


def instances(raised: RaisedCluster) -> dict[str, tuple[str, int]]:
    """Return which instance of each program runs: the pod, and how often it was restarted."""
    found = {}
    for program in (CONTROLLER, plugin_of(raised.nodes[0])):
        pod = raised.pod(program)
        (status,) = pod["status"]["containerStatuses"]
        found[program] = (str(pod["metadata"]["uid"]), int(status["restartCount"]))
    return found


def config_map(namespace: str, name: str) -> JSON:
    meta = {"namespace": namespace, "name": name}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"key": "value"}}
