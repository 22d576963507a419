"""Who waits for a GPU to be ready is told that it is; nobody else's status is touched."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from api.claims.versions import read_claim
from api.objects import JSON
from drivers.gpu.controller import conditions
from drivers.gpu.controller import run as run_controller
from kube.client import Client
from ops import discovery
from ops.lifecycle import Lifecycle
from testing.node import Node
from testing.waiting import until
from testing.web import write_kubeconfig
from tests.support.gpuclaims import CLAIMS, DRIVER, allocated, result, share
from tests.support.pages import free_port, page
from tests.support.settings import DEFAULTS

ONE, OTHER = "11111111-2222-4333-8444-555555555555", "66666666-7777-4888-8999-aaaaaaaaaaaa"
WAITS: JSON = {
    "bindingConditions": ["BindingConditions"],
    "bindingFailureConditions": ["BindingFailureConditions"],
}
READY = {"type": "BindingConditions", "status": "True", "reason": "Ready"}


def claim(*results: JSON, devices: list[JSON] | None = None) -> JSON:
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": "claim", "namespace": "default", "uid": "u"},
        "status": {"allocation": {"devices": {"results": list(results)}}, "devices": devices or []},
    }


def entry(device: str, **fields: object) -> JSON:
    return {"driver": DRIVER, "pool": "node-1", "device": device, **fields}


@pytest.mark.parametrize(
    ("given", "waiting"),
    [
        (claim(result("gpu-0", **WAITS)), ["gpu-0"]),
        (claim(result("gpu-0")), []),
        (claim({**result("d", **WAITS), "driver": "other.example.com"}), []),
        (claim(result("gpu-0", **WAITS), result("gpu-1", **WAITS)), ["gpu-0", "gpu-1"]),
        (claim(result("gpu-0", **WAITS), devices=[entry("gpu-0", conditions=[READY])]), []),
        (
            claim(
                result("gpu-0", **WAITS),
                devices=[entry("gpu-0", conditions=[{**READY, "status": "False"}])],
            ),
            ["gpu-0"],
        ),
        (
            claim(
                *(share("gpu-0", each) | WAITS for each in (ONE, OTHER)),
                devices=[entry("gpu-0", shareID=ONE, conditions=[READY])],
            ),
            ["gpu-0"],
        ),
        ({**claim(), "status": {}}, []),
    ],
    ids=["waits", "does not", "of others", "two", "is ready", "not yet", "other share", "free"],
)
def test_devices_that_are_waited_for(given: JSON, waiting: list[str]) -> None:
    found = list(conditions(read_claim(given), DRIVER))
    assert [device.device for device, _ in found] == waiting
    assert all([each["status"] for each in shown] == ["True"] for _, shown in found)


@contextmanager
def controller(node: Node) -> Iterator[None]:
    """Run the program against the node's API server."""
    config = replace(DEFAULTS, kubeconfig=str(node.kubeconfig))
    with ThreadPoolExecutor(1) as pool, Lifecycle() as life:
        code = pool.submit(run_controller, life, config, DRIVER)
        yield
        life.stop.set()
        assert code.result() == 0


def test_alive_and_not_ready_while_the_api_server_is_away(tmp_path: Path) -> None:
    """It waits, as the other programs do, rather than to end again and again."""
    with socket.socket() as unheard, ThreadPoolExecutor(1) as pool, Lifecycle() as life:
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        kubeconfig, port = write_kubeconfig(url, tmp_path / "kubeconfig"), free_port()
        at = f"127.0.0.1:{port}"
        config = replace(DEFAULTS, kubeconfig=str(kubeconfig), http_endpoint=at)
        code = pool.submit(run_controller, life, config, DRIVER)
        try:
            until("/healthz", lambda: page(port, "/healthz") == (200, "ok") or None, 15)
            status, _ = page(port, "/readyz")
        finally:
            life.stop.set()
    assert (status, code.result()) == (503, 0)


def test_ends_to_be_started_again_when_its_version_goes(
    dra_node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade of the cluster past it, it would watch nothing for ever."""
    monkeypatch.setattr(discovery, "PERIOD_SECONDS", 0.01)
    config = replace(DEFAULTS, kubeconfig=str(dra_node.kubeconfig))
    with ThreadPoolExecutor(1) as pool, Lifecycle() as life:
        code = pool.submit(run_controller, life, config, DRIVER)
        until("its threads", lambda: named("kind"))
        monkeypatch.setattr(Client, "versions", lambda *_: ["v1beta1"])
        try:
            assert code.result(15) == 0
        finally:
            life.stop.set()


def named(thread: str) -> bool:
    return any(each.name == thread for each in threading.enumerate())


def test_claim_is_said_to_be_ready(dra_node: Node) -> None:
    with controller(dra_node):
        allocated(dra_node, result("gpu-0", **WAITS))

        def ready() -> list[JSON]:
            found = dra_node.api.get(CLAIMS, "claim", "default")["status"].get("devices") or []
            return [each for device in found for each in device["conditions"]]

        (shown,) = until("a condition", ready)
    assert (shown["type"], shown["status"]) == ("BindingConditions", "True")
