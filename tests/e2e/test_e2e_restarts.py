"""Whatever restarts on a node, its pods keep their devices and new pods get others."""

import pytest

from api.contract import FAKE
from api.objects import JSON
from dra.devicestate.cdi import claim_file
from testing.waiting import until
from tests.support.anycluster import CONTROLLER, plugin_of
from tests.support.manifests import ClaimRequest
from tests.support.nodeevents import NODE_EVENTS, Event
from tests.support.realcluster import RaisedCluster
from tests.support.space import Space

OLD = ("whole", "halves")
PATIENCE = 150.0

pytestmark = [pytest.mark.raised, pytest.mark.timeout(500)]


EVENTS: tuple[Event[RaisedCluster], ...] = (
    Event("plugin", lambda it: it.crash(plugin_of(it.nodes[0]))),
    Event("controller", lambda it: it.crash(CONTROLLER)),
    *NODE_EVENTS,
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_pods_keep_their_devices(
    space: Space, raised: RaisedCluster, event: Event[RaisedCluster]
) -> None:
    space.apply(*space.claim("whole"), *space.claim("halves", ClaimRequest(count=2, split=2)))
    space.apply(*(space.pod(name, name) for name in OLD))
    space.ready(*OLD)
    devices = {name: space.devices(name) for name in OLD}
    containers = {name: container_id(space.get("pod", name)) for name in OLD}
    (before,) = space.states()

    event.happen(raised)

    if event.ends_pods:
        until("pods run anew", lambda: all(anew(space, n, containers[n]) for n in OLD), PATIENCE)
    space.ready(*OLD, seconds=PATIENCE)
    unchanged = [container_id(space.get("pod", n)) == containers[n] for n in OLD]
    assert unchanged == [not event.ends_pods] * len(OLD)
    assert {name: space.devices(name) for name in OLD} == devices
    raised.session.nodes_ready(1)
    (after,) = space.states()
    assert after.allocatable == before.allocatable
    assert after.prepared == before.prepared
    assert after.holders == before.holders

    space.apply(*space.claim("new", ClaimRequest(count=5)), space.pod("new", "new"))
    space.ready("new", seconds=PATIENCE)
    nothing_is_given_twice(space)
    files = sorted(claim_file(FAKE, space.uid(name)) for name in (*OLD, "new"))
    assert raised.cdi_files() == files

    space.delete(*(f"pod/{name}" for name in (*OLD, "new")))
    for name in (*OLD, "new"):
        space.freed(name)
    raised.settled()


def nothing_is_given_twice(space: Space) -> None:
    """Check that no device is in two allocated claims."""
    (state,) = space.states()
    given = [device.id for claim in state.holders.values() for device in claim.devices]
    assert len(given) == len(set(given)) == 8


def container_id(pod: JSON) -> str:
    """Return the id of the container of a pod."""
    (status,) = pod["status"]["containerStatuses"]
    return str(status["containerID"])


def anew(space: Space, pod: str, old: str) -> bool:
    """Tell whether another container of a pod runs than the old one."""
    (status,) = space.get("pod", pod)["status"]["containerStatuses"]
    return bool(status["ready"] and status["containerID"] != old)
