"""What a user is told when a demo does not come to what it should."""

from pathlib import Path

import pytest
import yaml

from api.contract import FAKE
from api.objects import JSON
from api.resources import EVENTS
from demo.expect import Demo
from demo.session import DemoFailed, Session
from testing.apiserver import MemoryApi
from tests.support.build import NAMESPACE

DEMO = Demo(NAMESPACE, ((("pod0", "ctr0"),),))

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "pod0", "namespace": NAMESPACE},
    "spec": {"containers": []},
}


def event(name: str, pod: str, message: str, last: str | None) -> JSON:
    return {
        "metadata": {"name": name, "namespace": NAMESPACE},
        "involvedObject": {"kind": "Pod", "name": pod},
        "type": "Warning",
        "reason": "FailedScheduling",
        "message": message,
        "lastTimestamp": last,
    }


@pytest.fixture
def api() -> MemoryApi:
    api = MemoryApi()
    for each in (
        event("pod0.2", "pod0", "the last", "2026-01-01T00:00:02Z"),
        event("pod0.1", "pod0", "the first", "2026-01-01T00:00:01Z"),
        event("pod1.3", "pod1", "of another pod", "2026-01-01T00:00:03Z"),
    ):
        api.create(EVENTS, each, NAMESPACE)
    return api


def test_a_pod_without_node_is_told_with_its_last_event(api: MemoryApi, tmp_path: Path) -> None:
    manifest = tmp_path / "pod.yaml"
    manifest.write_text(yaml.safe_dump(POD), encoding="utf-8")
    with pytest.raises(DemoFailed) as failed:
        Session(api, FAKE, timeout=0.0).apply(manifest, in_turn=True)
    assert str(failed.value).splitlines() == [
        f"not seen in 0 s: pod {NAMESPACE}/pod0 has a node",
        "Warning Pod/pod0 FailedScheduling: the last",
    ]


def test_a_container_without_devices_is_told_with_the_last_event_of_its_pod(api: MemoryApi) -> None:
    with pytest.raises(DemoFailed) as failed:
        Session(api, FAKE, timeout=0.0).logs(DEMO)
    assert str(failed.value).splitlines() == [
        f"not seen in 0 s: {NAMESPACE} pod0 ctr0 has printed its environment",
        "Warning Pod/pod0 FailedScheduling: the last",
    ]


def test_a_pod_without_events_is_told_alone() -> None:
    with pytest.raises(DemoFailed, match=r"^not seen in 0 s: \w+ pod0 ctr0 has printed .*$"):
        Session(MemoryApi(), FAKE, timeout=0.0).logs(DEMO)
