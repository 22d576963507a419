"""Devices that claims share, and the nodes that Immediate claims get."""

import re

import pytest

from api.selectors import only_node
from demo.session import SYSTEM
from testing.waiting import until
from tests.support.anycluster import DEVICES, ROOT, Cluster
from tests.support.manifests import ClaimRequest
from tests.support.space import Space

WAKE_SECONDS = 10.0
"""Well below the 30 s after which a refused claim is looked at again anyway."""

ASKED = ClaimRequest(of="time-sliced")

pytestmark = pytest.mark.timeout(180)


def told(space: Space, pod: str, *, container: str = "main") -> dict[str, str]:
    """Return what a container has printed of its device, by the ends of the variables' names."""
    line = re.compile(r"""FAKE_DEVICE_0(?:_(\w+))?=['"]?([\w-]+)""")

    def printed() -> dict[str, str]:
        return dict(line.findall(space.run("logs", pod, "-c", container)))

    return until(f"a device in the log of {pod}", printed)


def two_clients(space: Space) -> None:
    """Run the pods p0 and p1 with the claims c0 and c1, which ask for a share each."""
    for number in range(2):
        space.apply(*space.claim(f"c{number}", ASKED), space.pod(f"p{number}", f"c{number}"))
    space.ready("p0", "p1")


def test_claims_share_a_device_and_the_next_one_waits_until_one_of_them_ends(space: Space) -> None:
    node = space.cluster.nodes[0]
    offer = {"sharing": "TimeSliced", "maxClients": 2}
    with space.classes("time-sliced", nodes=only_node(node), **offer):
        others = ClaimRequest(count=DEVICES - 1)
        space.apply(*space.claim("others", others), space.pod("others", "others", nodeName=node))
        space.ready("others")
        two_clients(space)
        first, second = told(space, "p0"), told(space, "p1")
        assert first[""] == second[""]
        assert {first["SHARING"], second["SHARING"]} == {"TimeSliced"}
        assert {first["CLIENT"], second["CLIENT"]} == {"0", "1"}

        space.apply(*space.claim("late", ASKED), space.pod("late", "late"))
        why = "asked for 1 share of devices with at most 2 clients, not free at present"
        assert why in space.told("resourceclaim", "late", "NoSuitableNode")
        assert space.phase("late") == "Pending"
        space.delete("pod/p0", "resourceclaim/c0")
        space.ready("late", seconds=WAKE_SECONDS)
        assert told(space, "late") == first
        assert told(space, "p1") == second
        space.delete("pod/p1", "pod/late", "pod/others")
        space.delete("resourceclaim/c1", "resourceclaim/late", "resourceclaim/others")


@pytest.mark.nas
def test_a_node_shows_how_many_clients_a_device_has(space: Space) -> None:
    node = space.cluster.nodes[0]
    with space.classes("time-sliced", sharing="TimeSliced", maxClients=2, nodes=only_node(node)):
        two_clients(space)
        described = space.cluster.kubectl.run("describe", "-n", SYSTEM, f"nas/{node}")
        (shared,) = re.findall(
            rf"Clients: +(\d)\n +Max Clients: +(\d)\n +Uuid: +{told(space, 'p0')['']}", described
        )
        assert shared == ("2", "2")
        space.delete("pod/p0", "pod/p1", "resourceclaim/c0", "resourceclaim/c1")


def test_the_demo_shows_which_client_each_pod_is(cluster: Cluster) -> None:
    version = "" if cluster.shapes.version == "v1alpha2" else "-1.31"
    path = str(ROOT / f"demo/sharing/time-sliced{version}.yaml")
    cluster.kubectl.run("apply", "-f", path)
    ready = ("--for=condition=Ready", "pod", "--all", "--timeout=60s")
    cluster.kubectl.run("wait", "-n", "time-sliced", *ready)
    space = Space(cluster, "time-sliced")
    shown = [told(space, f"pod{number}", container="ctr0") for number in range(3)]
    assert {each["SHARING"] for each in shown} == {"TimeSliced"}
    clients = {(each[""], each["CLIENT"]) for each in shown}
    assert len(clients) == 3
    assert {client for _, client in clients} <= {"0", "1"}
    cluster.kubectl.run("delete", "-f", path)
    cluster.settled()
