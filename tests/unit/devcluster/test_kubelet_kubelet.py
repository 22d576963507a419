"""A whole kubelet: real sockets, files and processes, with only the API server faked."""

import json
import select
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.contract import FAKE
from api.objects import JSON
from api.resources import DRA_V1ALPHA2, PODS
from devcluster.apiserver.remotecommand import Command
from devcluster.errors import StateDirError
from devcluster.kubelet.dialect import DIALECTS
from devcluster.kubelet.errors import StartFailed
from devcluster.kubelet.kubelet import Kubelet
from testing.apiserver import MemoryApi
from testing.waiting import until
from tests.support.build import allocated, claim, reserved
from tests.support.fakedriver import Driver, serving, short_directory
from tests.support.podrig import FakeEvents, bound_pod, container

KEY = "default/pod"


class Node:
    """A kubelet on a directory; may be stopped and started again."""

    def __init__(self, root: Path, minor: str = "1.30") -> None:
        self.root = root
        self.minor = minor
        self.kube = MemoryApi()
        self.events = FakeEvents()
        self.kubelet = self.start()

    def start(self) -> Kubelet:
        self.kubelet = Kubelet(
            self.kube,  # type: ignore[arg-type]
            "node-1",
            self.root,
            dialect=DIALECTS[self.minor],
            events=self.events,
            api_server=("127.0.0.1", 6443),
            driver_name=FAKE.driver_name,
        )
        self.kubelet.start()
        return self.kubelet

    def phase(self, *wanted: str) -> JSON:
        def is_wanted(pod: JSON | None) -> bool:
            return pod is not None and pod["status"].get("phase") in wanted

        return self.kube.wait_for(PODS, KEY, is_wanted)

    def stored(self) -> JSON:
        return self.kube.find(PODS, "pod", "default")

    def log(self, name: str = "main", **options: Any) -> str:
        chosen = {"follow": False, "previous": False, "tail": None, **options}
        return b"".join(self.kubelet.read(self.stored(), name, **chosen)).decode()

    @property
    def registry(self) -> Path:
        return self.root / "plugins_registry"


@pytest.fixture
def node() -> Iterator[Node]:
    with short_directory() as root:
        made = Node(root)
        try:
            yield made
        finally:
            made.kubelet.stop()


def shell(script: str, name: str = "main", **fields: Any) -> JSON:
    return container(name, "ash", "-c", script, **fields)


def claiming_pod(script: str, **spec: Any) -> JSON:
    resources = {"claims": [{"name": "gpu"}]}
    entries = [{"name": "gpu", "source": {"resourceClaimName": "claim"}}]
    return bound_pod(shell(script, resources=resources), resourceClaims=entries, **spec)


def define_device(root: Path) -> None:
    spec = {
        "cdiVersion": "0.3.0",
        "kind": "cdi.example/dev",
        "devices": [{"name": "one", "containerEdits": {"env": ["FAKE_DEVICE_0=FAKE-1"]}}],
    }
    (root / "cdi" / "spec.json").write_text(json.dumps(spec))


def test_a_pod_runs_and_its_log_can_be_read(node: Node) -> None:
    script = "echo one; echo $HOSTNAME $KUBERNETES_SERVICE_PORT >&2; pwd; exit 3"
    node.kube.put(PODS, bound_pod(shell(script), restartPolicy="Never"))
    failed = node.phase("Failed")
    assert failed["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3
    first, second, third = node.log().splitlines()
    assert (first, second) == ("one", "pod 6443")
    assert third == str((node.root / "pods" / "uid-pod" / "main").resolve())
    assert node.log(tail=1).splitlines() == [third]


def test_a_command_runs_in_a_container_only_while_that_runs(node: Node) -> None:
    pod = bound_pod(shell("sleep 60", env=[{"name": "A", "value": "1"}]), restartPolicy="Never")
    command = Command(["sh", "-c", 'test "$A" = 1'], False, frozenset())
    with pytest.raises(StartFailed, match=r'container not found \("main"\)'):
        node.kubelet.execute(pod, "main", command)
    node.kube.put(PODS, pod)
    node.phase("Running")
    execution = node.kubelet.execute(pod, "main", command)
    try:
        assert select.select([execution.ended], [], [], 10)[0]
        assert execution.exit_code == 0
    finally:
        execution.close()
    with pytest.raises(StartFailed, match=r'container not found \("other"\)'):
        node.kubelet.execute(pod, "other", command)


def test_a_claim_from_registration_to_unprepare(node: Node) -> None:
    define_device(node.root)
    made = reserved(allocated(claim()))
    node.kube.put(DRA_V1ALPHA2.claims, made)
    endpoint = node.root / "plugins" / "plugin.sock"
    driver = Driver(
        name=FAKE.driver_name, endpoint=str(endpoint), ids={"uid-claim": ["cdi.example/dev=one"]}
    )
    node.kube.put(PODS, claiming_pod("echo $FAKE_DEVICE_0; sleep 60"))
    with serving(driver, endpoint, node.registry / "d-reg.sock"):
        node.phase("Running")
        follower = iter(
            node.kubelet.read(node.stored(), "main", follow=True, previous=False, tail=None)
        )
        assert next(filter(None, follower)) == b"FAKE-1\n"
        node.kube.delete(PODS, "pod", "default")
        node.kube.wait_for(PODS, KEY, lambda pod: pod is None)
        assert b"".join(follower) == b""
    assert driver.calls == [
        (f"v1alpha3 {verb}", ["uid-claim"]) for verb in ("prepare", "unprepare")
    ]
    assert driver.notified[0] == (True, "")
    assert {"Created", "Started", "Killing"} <= set(node.events.reasons)


def test_stop_ends_containers_at_once_and_unprepares_nothing(node: Node) -> None:
    node.kube.put(PODS, bound_pod(shell("trap '' TERM; echo up; while :; do sleep 1; done")))
    node.phase("Running")
    follower = iter(
        node.kubelet.read(node.stored(), "main", follow=True, previous=False, tail=None)
    )
    assert next(filter(None, follower)) == b"up\n"
    begin = time.monotonic()
    node.kubelet.stop(grace=0.1)
    assert time.monotonic() - begin < 3.0
    assert b"".join(follower) == b""
    assert not [t.name for t in threading.enumerate() if t.name.startswith(("pod-", "kubelet-"))]


def test_after_a_restart_of_the_node_containers_run_again_and_are_counted(node: Node) -> None:
    def has_restarted(pod: JSON | None) -> bool:
        (status,) = (pod or {})["status"]["containerStatuses"]
        return status["restartCount"] == 1 and "running" in status["state"]

    node.kube.put(PODS, bound_pod(shell("echo up; sleep 60")))
    node.phase("Running")
    until("it is up", lambda: node.log() == "up\n")
    node.kubelet.stop(grace=0.1)
    node.start()
    pod = node.kube.wait_for(PODS, KEY, has_restarted)
    (status,) = pod["status"]["containerStatuses"]
    assert status["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown"
    assert node.log(previous=True) == "up\n"
    follower = node.kubelet.read(pod, "main", follow=True, previous=False, tail=None)
    assert next(filter(None, follower)) == b"up\n"


def test_a_directory_too_deep_for_sockets_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 80)
    with pytest.raises(StateDirError, match="choose a shorter state directory"):
        Kubelet(
            MemoryApi(),  # type: ignore[arg-type]
            "node-1",
            deep,
            dialect=DIALECTS["1.30"],
            events=FakeEvents(),
            driver_name=FAKE.driver_name,
        )
    assert not deep.exists()
