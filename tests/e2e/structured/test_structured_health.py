"""What pods show of the health of their devices, and shares of a device: cases 120 to 131.

The numbers are those of docs/compatibility.md.
Source: kubernetes test/e2e_node/dra_test.go v1.37.2.
"""

import pytest

from api.objects import JSON
from testing.waiting import until
from tests.support.controlleddriver import ENV, SHARED
from tests.support.controlledplugin import CLASS, CONTRACT, ControlledPlugin, stays
from tests.support.filecluster import FileCluster, claim
from tests.support.structuredcluster import pod

pytestmark = [pytest.mark.raised, pytest.mark.timeout(400)]


def health(files: FileCluster) -> list[str]:
    """Return the health of the devices in the status of the pod's container."""
    resources = files.container("pod").get("allocatedResourcesStatus") or []
    return [str(each["health"]) for entry in resources for each in entry["resources"]]


@pytest.fixture
def healthy(files: FileCluster, plugin: ControlledPlugin) -> ControlledPlugin:
    """A plugin that says that a pod's device is healthy, as its status shows."""
    if files.minor < 36:
        pytest.skip("before 1.36 the kubelet asks for no health")
    plugin.say("health", "Healthy")
    stays(files)
    files.ready("pod")
    until("healthy", lambda: health(files) == ["Healthy"], 60)
    return plugin


def test_node_120_health_in_the_status_of_the_pod(
    files: FileCluster, healthy: ControlledPlugin
) -> None:
    healthy.say("health", "Unhealthy")
    until("unhealthy", lambda: health(files) == ["Unhealthy"], 60)
    healthy.say("health", "Healthy")
    until("healthy again", lambda: health(files) == ["Healthy"], 60)


def test_node_124_health_is_unknown_while_the_plugin_is_away(
    files: FileCluster, healthy: ControlledPlugin
) -> None:
    healthy.stop()
    until("unknown", lambda: health(files) == ["Unknown"], 120)
    healthy.start()
    until("healthy again", lambda: health(files) == ["Healthy"], 60)


def test_node_125_calls_while_health_is_reported(
    files: FileCluster, healthy: ControlledPlugin
) -> None:
    names = ("one", "two", "three")
    files.apply(*(claim(each, CLASS) for each in names), *(pod(each, each) for each in names))
    for said in ("Unhealthy", "Healthy", "Unhealthy"):
        healthy.say("health", said)
        until(said, lambda: health(files) == [said], 60)  # noqa: B023 - called at once
    files.ready(*names)
    assert [healthy.calls(f"prepare {each} done") for each in names] == [1, 1, 1]


def test_node_126_no_health_where_the_gate_is_off(
    files: FileCluster, plugin: ControlledPlugin
) -> None:
    if files.minor >= 36:
        pytest.skip("from 1.36 on the gate is on")
    plugin.say("health", "Healthy")
    stays(files)
    files.ready("pod")
    assert health(files) == []


def shares(count: int) -> JSON:
    """Return a claim for shares of the device that may be shared."""
    named = f"device.attributes['{CONTRACT.driver_name}'].name == '{SHARED}'"
    made = claim("c", *[CLASS] * count)
    for request in made["spec"]["devices"]["requests"]:
        request["exactly"]["selectors"] = [{"cel": {"expression": named}}]
        request["exactly"]["capacity"] = {"requests": {"units": "1"}}
    return made


def share_ids(files: FileCluster) -> list[str]:
    """Return the shares of the claim."""
    results = files.kubectl.get("resourceclaim/c")["status"]["allocation"]["devices"]["results"]
    return [str(each["shareID"]) for each in results if each["device"] == SHARED]


@pytest.mark.parametrize("count", [1, 2])
def test_node_131_shares_of_a_device(
    files: FileCluster, plugin: ControlledPlugin, count: int
) -> None:
    """With their health, which is case 130."""
    if files.minor < 36:
        pytest.skip("before 1.36 devices are not shared unless a gate is on")
    plugin.say("health", "Healthy")
    files.apply(shares(count), pod("pod", "c"))
    files.ready("pod")
    assert len(set(share_ids(files))) == count
    until("healthy", lambda: health(files) == ["Healthy"] * count, 60)
    shown = files.kubectl.run("exec", "pod", "--", "sh", "-c", f"echo ${ENV}").strip()
    assert shown == ",".join([SHARED] * count)
    plugin.say("health", "Unhealthy")
    until("unhealthy", lambda: health(files) == ["Unhealthy"] * count, 60)
    files.delete("pod/pod")
    assert plugin.calls("unprepare c done") == 1
