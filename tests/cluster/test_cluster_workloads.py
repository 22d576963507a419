"""Deployments, Jobs and `kubectl exec`, with devices: what most people use first."""

import re
from collections.abc import Iterator

import pytest

from api.objects import JSON
from testing.waiting import until
from tests.support.anycluster import DEVICES
from tests.support.kubectl import KubectlFailed
from tests.support.manifests import deployment, job
from tests.support.space import Space

SECONDS = 120

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(autouse=True)
def no_workload_is_left(space: Space) -> Iterator[None]:
    """Delete what would make new pods while the namespace is emptied."""
    yield
    space.run("delete", "deployments,jobs", "--all")


def inline(space: Space) -> list[JSON]:
    """Return the use of a claim of its own, from the template `one`."""
    return [space.cluster.shapes.use("fake", template="one")]


def deploy(space: Space, **spec: object) -> list[str]:
    """Have a Deployment `web` whose pods have a device each; return these pods."""
    made = deployment(space.name, "web", inline(space), **spec)
    space.apply(*space.template("one"), made)
    rolled_out(space)
    return pods_of(space)


def rolled_out(space: Space) -> None:
    space.run("rollout", "status", "deployment/web", f"--timeout={SECONDS}s")


def pods_of(space: Space) -> list[str]:
    """Return the names of the pods that are not being deleted."""
    pods = [p["metadata"] for p in space.pods()]
    return sorted(meta["name"] for meta in pods if "deletionTimestamp" not in meta)


def sees(space: Space, pod: str) -> str:
    """Return the device that a command in a pod's container sees."""
    return space.run("exec", pod, "--", "sh", "-c", "echo $FAKE_DEVICE_0").strip()


def held(space: Space, count: int) -> None:
    """Wait until this many claims have devices, on all nodes together."""
    until(f"{count} claims with devices", lambda: len(space.given()) == count, SECONDS)


def test_each_pod_of_a_deployment_has_its_own_device(space: Space) -> None:
    pods = deploy(space, replicas=3)
    devices = {sees(space, pod) for pod in pods}
    assert len(devices) == len(pods) == 3
    assert all(re.fullmatch(r"FAKE-[-0-9a-f]{36}", device) for device in devices)
    assert devices == {device for pod in pods for device in space.devices(pod)}
    table = [line.split()[:4] for line in space.run("get", "deployment,rs").splitlines() if line]
    assert table[1] == ["deployment.apps/web", "3/3", "3", "3"]
    assert table[3][1:] == ["3", "3", "3"]


def test_scaling_down_frees_devices(space: Space) -> None:
    deploy(space, replicas=3)
    space.run("scale", "deployment/web", "--replicas=1")
    held(space, 1)
    (left,) = pods_of(space)
    assert sees(space, left)
    space.run("scale", "deployment/web", "--replicas=2", "--current-replicas=1")
    rolled_out(space)
    held(space, 2)


def restarted(space: Space) -> list[str]:
    """Restart a Deployment of two pods; return the new ones."""
    first = deploy(space, replicas=2)
    space.run("rollout", "restart", "deployment/web")
    rolled_out(space)
    second = pods_of(space)
    assert (len(second), set(first) & set(second)) == (2, set())
    return second


def test_a_restart_moves_on_to_new_pods(space: Space) -> None:
    restarted(space)
    history = space.run("rollout", "history", "deployment/web").split()
    assert [word for word in history if word.isdigit()] == ["1", "2"]
    held(space, 2)


def test_a_rollout_can_be_undone(space: Space) -> None:
    if space.cluster.minor >= 31:
        pytest.skip("kubectl 1.30 knows pods with resourceClaims[].source only, and drops claims")
    second = restarted(space)
    space.run("rollout", "undo", "deployment/web")
    rolled_out(space)
    assert not set(second) & set(pods_of(space))
    held(space, 2)


def test_recreate_waits_for_all_devices(space: Space) -> None:
    """Old and new pods together would not fit."""
    replicas = DEVICES * len(space.cluster.nodes)
    first = deploy(space, replicas=replicas, strategy={"type": "Recreate"})
    space.run("rollout", "restart", "deployment/web")
    rolled_out(space)
    assert not set(first) & set(pods_of(space))
    held(space, replicas)


def test_deleting_a_deployment_frees_everything(space: Space) -> None:
    deploy(space, replicas=2)
    space.delete("deployment/web")
    held(space, 0)
    until("no claim is left", lambda: not space.claims(), SECONDS)


@pytest.mark.since(28, "a pod keeps its reservations until it is deleted")
def test_a_job_completes_with_its_devices(space: Space) -> None:
    space.apply(*space.template("one"), job(space.name, "work", inline(space), completions=2))
    space.run("wait", "--for=condition=complete", f"--timeout={SECONDS}s", "job/work")
    assert space.get("job", "work")["status"]["succeeded"] == 2
    assert all(len(space.devices(pod)) == 1 for pod in pods_of(space))
    held(space, 0)
    space.delete("job/work")
    until("no pod is left", lambda: not space.pods(), SECONDS)


def test_exec_carries_input_output_and_exit_code(space: Space) -> None:
    (pod,) = deploy(space, replicas=1)
    text = "first\nlast\n"
    args = ("exec", "-i", "-n", space.name, pod, "--")
    assert space.cluster.kubectl.run(*args, "cat", input=text) == text
    with pytest.raises(KubectlFailed, match=r"(?s)ended with 7: out\n.*err"):
        space.run("exec", pod, "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    with pytest.raises(KubectlFailed, match=r"nosuch.* executable file not found in \$PATH"):
        space.run("exec", pod, "--", "nosuch")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"selector": {"matchLabels": {"app": "db"}}}, "does not match template `labels`"),
        ({"selector": None}, "spec.selector: Required value"),
        ({"replicas": -1}, "must be greater than or equal to 0"),
    ],
    ids=["other labels", "no selector", "negative"],
)
def test_a_deployment_that_cannot_be_is_refused(space: Space, change: JSON, told: str) -> None:
    with pytest.raises(KubectlFailed, match=re.escape(told)):
        space.apply(deployment(space.name, "web", [], **change))


def test_explain_knows_workloads(space: Space) -> None:
    assert "maxSurge" in space.run("explain", "deployment.spec.strategy.rollingUpdate")
    assert "backoffLimit" in space.run("explain", "job.spec")
