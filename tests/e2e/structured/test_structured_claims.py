"""What a driver shows of its devices: in the claim's status, and in files of the containers."""

import json
from pathlib import Path

import pytest

from api.objects import JSON
from testing.waiting import until
from tests.support.controlledplugin import CLASS, CONTRACT, ControlledPlugin
from tests.support.filecluster import FileCluster, claim
from tests.support.structuredcluster import NODE, pod

FOLDER = "/var/run/kubernetes.io/dra-device-attributes/resourceclaims"
SPACED = '{"z": 1, "a": {"nested": "with: a colon"}}'
"""As Python's json writes it, which the API server compares with every later write."""

pytestmark = [pytest.mark.raised, pytest.mark.timeout(200)]


def shown(files: FileCluster) -> list[JSON]:
    """Return what is shown of the devices of the claim `c`."""
    return list(files.kubectl.get("resourceclaim/c")["status"].get("devices", []))


def parameters() -> JSON:
    opaque = {"driver": CONTRACT.driver_name, "parameters": json.loads(SPACED)}
    made = claim("c", CLASS)
    made["spec"]["devices"]["config"] = [{"opaque": opaque}]
    return made


@pytest.mark.since(33, "claims show no status of devices")
@pytest.mark.parametrize("text", [", ", ","], ids=["spaced", "compact"])
def test_status_of_devices(
    files: FileCluster, plugin: ControlledPlugin, tmp_path: Path, text: str
) -> None:
    body = tmp_path / "claim.json"
    separators = (text, ": " if text == ", " else ":")
    made = files.served(parameters())
    body.write_text(json.dumps(made, separators=separators), encoding="utf-8")
    path = f"/apis/{made['apiVersion']}/namespaces/default/resourceclaims"
    files.kubectl.run("create", "--raw", path, "-f", str(body))
    files.apply(pod("pod", "c"))
    files.ready("pod")
    (device,) = until("status", lambda: shown(files))
    assert (device["driver"], device["pool"]) == (CONTRACT.driver_name, NODE)
    assert device["data"] == {"claim": "c"}
    (condition,) = device["conditions"]
    assert (condition["type"], condition["status"]) == ("Ready", "True")
    assert plugin.calls("prepare c done") == 1


def test_metadata_in_the_container(files: FileCluster, plugin: ControlledPlugin) -> None:
    files.apply(claim("c", CLASS), pod("pod", "c"))
    files.ready("pod")
    name = f"{FOLDER}/c/r0/{CONTRACT.driver_name}-metadata.json"
    text = files.kubectl.run("exec", "pod", "--", "cat", name)
    newest, _ = json.JSONDecoder().raw_decode(text)
    (device,) = newest["requests"][0]["devices"]
    assert device["attributes"] == {"name": {"string": device["name"]}}
    assert device["name"] in plugin.devices()
