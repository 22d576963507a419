"""Plugins that go silent, and API servers that do not store what they write, each on a cluster."""

import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from api.objects import JSON
from api.resources import DEFINITIONS, NAMESPACES
from demo.session import SYSTEM
from testing.waiting import until
from tests.support.anycluster import CONTROLLER, DEVICES, ROOT, plugin_of
from tests.support.embedded import Embedded, embedded
from tests.support.manifests import ClaimRequest, namespace
from tests.support.outage import driven
from tests.support.space import Space

HEARTBEAT_SECONDS = 1
"""So that a plugin is silent after three."""

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(180)]


@contextmanager
def beating(*, nodes: int, driver: bool = True) -> Iterator[Embedded]:
    """A cluster whose plugins give a heartbeat each second."""
    # pytest's own temporary directories make socket paths too long
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(prefix="dra-") as path,
    ):
        patch.setenv("HEARTBEAT_PERIOD", str(HEARTBEAT_SECONDS))
        with embedded(Path(path), nodes=nodes, driver=driver) as cluster:
            yield cluster


def space_of(cluster: Embedded, name: str) -> Space:
    cluster.client.create(NAMESPACES, namespace(name))
    return Space(cluster, name)


def renewed(cluster: Embedded, node: str) -> str:
    """Return when the plugin of a node gave its last heartbeat, as kubectl tells it."""
    path = "-o=jsonpath={.heartbeat.renewTime}"
    return cluster.kubectl.run("get", "-n", SYSTEM, f"nas/{node}", path)


def test_pods_and_claims_go_to_other_nodes_than_one_whose_plugin_hangs() -> None:
    with beating(nodes=2) as cluster:
        space = space_of(cluster, "silence")
        hung, other = cluster.nodes
        until("a heartbeat", lambda: renewed(cluster, hung))
        rest = DEVICES - 4
        with cluster.frozen(hung):
            cluster.logged(CONTROLLER, "plugin has gone silent")
            for number in range(3):
                space.apply(*space.claim(f"c{number}"), space.pod(f"p{number}", f"c{number}"))
            space.ready("p0", "p1", "p2")
            space.apply(*space.claim("now", ClaimRequest(immediate=True)))
            space.allocated("now")
            names = ("c0", "c1", "c2", "now")
            assert {space.node_with(name) for name in names} == {other}

            # what no other node can serve goes there, and runs when its plugin does
            large = ClaimRequest(count=rest + 1)
            space.apply(*space.claim("large", large), space.pod("waits", "large"))
            space.allocated("large")
            assert space.node_with("large") == hung
        space.ready("waits", seconds=120)
        shown = cluster.kubectl.run("get", "-n", SYSTEM, "nas").splitlines()
        assert shown[0].split() == ["NAME", "STATUS", "DEVICES", "FREE", "USED", "HEARTBEAT", "AGE"]
        cluster.logged(CONTROLLER, "plugin is not silent any more")


def definition() -> tuple[JSON, JSON]:
    """Return the definition of a NAS, and its only version to be changed."""
    text = files("api").joinpath("nas_crd.yaml").read_text(encoding="utf-8")
    found: JSON = yaml.safe_load(text)
    (version,) = found["spec"]["versions"]
    return found, version


def before_heartbeats() -> JSON:
    """Return the definition of a NAS as it was before there were heartbeats."""
    found, version = definition()
    del version["schema"]["openAPIV3Schema"]["properties"]["heartbeat"]
    columns = version["additionalPrinterColumns"]
    version["additionalPrinterColumns"] = [c for c in columns if c["name"] != "Heartbeat"]
    return found


def before_sharing() -> JSON:
    """Return the definition of a NAS as it was before claims shared devices."""
    found, version = definition()
    known = version["schema"]["openAPIV3Schema"]["properties"]
    spec = known["spec"]["properties"]
    for field in ("allocatedClaims", "preparedDevices"):
        own = spec[field]["additionalProperties"]["properties"]["fake"]["properties"]
        del own["devices"]["items"]["properties"]["timeSliced"]
    del spec["sharing"], known["summary"]["properties"]["shared"]
    return found


def test_an_old_definition_is_named_with_the_command_that_renews_it() -> None:
    with beating(nodes=1, driver=False) as cluster:
        cluster.client.create(DEFINITIONS, before_heartbeats())
        with driven(cluster, cluster.config.kubeconfig):
            space = space_of(cluster, "old")
            (node,) = cluster.nodes
            text = until("an event", lambda: outdated(cluster))
            cluster.logged(plugin_of(node), text)
            space.apply(*space.claim("c"), space.pod("p", "c"))
            space.ready("p")
            assert not any("heartbeat" in obj for obj in cluster.session.state_objects())

            program, *command = shlex.split(text.partition("run: ")[2])
            assert program == "kubectl"
            *options, path = command
            cluster.kubectl.run(*options, str(ROOT / path))
            until("a heartbeat", lambda: renewed(cluster, node))
            assert cluster.whole_log(plugin_of(node)).count("OutdatedDefinition") == 1


def test_nothing_is_shared_while_the_definition_is_old() -> None:
    with beating(nodes=1, driver=False) as cluster:
        cluster.client.create(DEFINITIONS, before_sharing())
        with driven(cluster, cluster.config.kubeconfig):
            space = space_of(cluster, "old")
            (node,) = cluster.nodes
            text = until("an event", lambda: outdated(cluster))
            assert text.startswith("the API server does not store spec.sharing: ")
            cluster.logged(plugin_of(node), text)
            with space.classes("time-sliced", sharing="TimeSliced", maxClients=2):
                for name in ("a", "b"):
                    asked = ClaimRequest(of="time-sliced")
                    space.apply(*space.claim(name, asked), space.pod(name, name))
                told = space.told("resourceclaim", "a", "NoSuitableNode")
                command = text.partition("run: ")[2]
                assert (
                    f"too old to record that claims share devices; upgrade both: {command}" in told
                )
                assert not space.given()
                space.apply(*space.claim("alone"), space.pod("alone", "alone"))
                space.ready("alone")

                program, *options, path = shlex.split(command)
                assert program == "kubectl"
                cluster.kubectl.run(*options, str(ROOT / path))
                space.ready("a", "b")
                assert space.devices("a") == space.devices("b")
                assert cluster.whole_log(plugin_of(node)).count("OutdatedDefinition") == 1
                space.delete("pod/a", "pod/b", "resourceclaim/a", "resourceclaim/b")


def outdated(cluster: Embedded) -> str:
    """Return the message of the event about the definition."""
    events = cluster.kubectl.get("events", "-n", SYSTEM)["items"]
    (event,) = [e for e in events if e["reason"] == "OutdatedDefinition"]
    return str(event["message"])
