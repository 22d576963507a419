"""The gpu driver and its controller on the embedded cluster, as programs."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from api.conditions import holds
from api.objects import JSON
from api.resources import EVENTS, NAMESPACES, NODES, PODS, STRUCTURED_VERSIONS
from devcluster.config import ClusterConfig
from kube.client import Client
from testing.waiting import until
from tests.support.anycluster import ROOT
from tests.support.embedded import running

pytestmark = [
    pytest.mark.embedded,
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("gpu"),
]
DRIVER, SPACE, POD = "gpu.example.com", "binding-conditions", "pod0"
KNOWN = STRUCTURED_VERSIONS["v1"]
MANIFEST = ROOT / "drivers/gpu/demo/binding-conditions.yaml"
MADE = {"Namespace": NAMESPACES, "ResourceClaimTemplate": KNOWN.templates, "Pod": PODS}


@contextmanager
def program(module: str, *flags: str) -> Iterator[None]:
    """Run a program of the driver."""
    with subprocess.Popen([sys.executable, "-m", module, *flags], cwd=ROOT) as process:
        try:
            yield
        finally:
            process.terminate()
            code = process.wait(30)
    assert code == 0


@pytest.fixture(scope="module")
def config() -> Iterator[ClusterConfig]:
    """Run a cluster whose node has GPUs that a pod has to wait for."""
    # pytest's own temporary directories make socket paths too long
    with tempfile.TemporaryDirectory(prefix="dra-") as path, ExitStack() as stack:
        config = ClusterConfig(Path(path), kubernetes="1.37", driver=False)
        stack.enter_context(running(config))
        node = config.node_names[0]
        root = config.node_root(node)
        stack.enter_context(
            program(
                "drivers.gpu.driver",
                f"--kubeconfig={config.kubeconfig}",
                f"--node-name={node}",
                f"--cdi-root={root / 'cdi'}",
                f"--kubelet-registrar-directory-path={root / 'plugins_registry'}",
                f"--kubelet-plugins-directory-path={root / 'plugins'}",
                "--binding-conditions=true",
            )
        )
        yield config


@pytest.fixture
def client(config: ClusterConfig) -> Iterator[Client]:
    client = Client.from_kubeconfig(
        str(config.kubeconfig), qps=1000, burst=1000, user_agent="tests"
    )
    selector = {"cel": {"expression": f'device.driver == "{DRIVER}"'}}
    made = {"metadata": {"name": DRIVER}, "spec": {"selectors": [selector]}}
    client.create(KNOWN.classes, made)
    yield client
    client.delete(KNOWN.classes, DRIVER)
    client.delete(NAMESPACES, SPACE)
    until("the pod is gone", lambda: not client.list(KNOWN.claims, namespace=SPACE).items)
    until("the namespace is gone", lambda: SPACE not in names(client))
    client.close()


def names(client: Client) -> set[str]:
    return {each["metadata"]["name"] for each in client.list(NAMESPACES).items}


def apply(client: Client) -> None:
    for obj in yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8")):
        client.create(MADE[obj["kind"]], obj, obj["metadata"].get("namespace"))


def pod(client: Client) -> JSON:
    return client.get(PODS, POD, SPACE)


def told(client: Client, reason: str) -> list[str]:
    found = client.list(EVENTS, namespace=SPACE).items
    return [each["message"] for each in found if each["reason"] == reason]


def test_a_pod_is_bound_when_the_controller_says_that_its_gpu_is_ready(
    config: ClusterConfig, client: Client
) -> None:
    apply(client)
    waits = f"waiting for binding conditions for device on node {config.node_names[0]}"
    until("the pod waits", lambda: told(client, "BindingConditionsPending") == [waits])
    assert "nodeName" not in pod(client)["spec"]
    with program("drivers.gpu.controller", f"--kubeconfig={config.kubeconfig}"):
        until("the pod runs", lambda: holds(pod(client), "Ready"))
    (claim,) = client.list(KNOWN.claims, namespace=SPACE).items
    (result,) = claim["status"]["allocation"]["devices"]["results"]
    assert result["bindingConditions"] == ["BindingConditions"]
    (shown,) = claim["status"]["devices"]
    assert [(c["type"], c["status"]) for c in shown["conditions"]] == [
        ("BindingConditions", "True")
    ]


def health(client: Client) -> list[JSON]:
    """Return what the pod's container shows of its GPU."""
    (container,) = pod(client)["status"]["containerStatuses"]
    (claim,) = container.get("allocatedResourcesStatus") or [{"resources": []}]
    return [{name: each.get(name) for name in ("health", "message")} for each in claim["resources"]]


def test_a_container_shows_how_its_gpu_is(config: ClusterConfig, client: Client) -> None:
    apply(client)
    with program("drivers.gpu.controller", f"--kubeconfig={config.kubeconfig}"):
        until("the pod runs", lambda: holds(pod(client), "Ready"))
    healthy = [{"health": "Healthy", "message": None}]
    until("healthy", lambda: health(client) == healthy)
    (claim,) = client.list(KNOWN.claims, namespace=SPACE).items
    (result,) = claim["status"]["allocation"]["devices"]["results"]
    node, name = config.node_names[0], f"health.{DRIVER}/{result['device']}"

    def say(text: str | None) -> None:
        client.patch(NODES, node, {"metadata": {"annotations": {name: text}}})

    say("unhealthy: fell off the bus")
    broken = [{"health": "Unhealthy", "message": "fell off the bus"}]
    until("unhealthy", lambda: health(client) == broken)
    say(None)
    until("healthy again", lambda: health(client) == healthy)
