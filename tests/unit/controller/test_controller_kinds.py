"""The program on each version: what it starts, what it keeps, and its end when the kind changes.

The program in a thread, over HTTP; the API server is upgraded below what it has stored.
"""

import gc
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import controller.__main__ as program
from api.classes import CLASSES
from api.contract import FAKE
from api.objects import JSON
from api.resources import DRA_V1ALPHA3, LEASES, STATES, STRUCTURED_VERSIONS
from controller.__main__ import ControllerConfig, main, run
from controller.election import LEASE_NAME
from devcluster.apiserver.resourceapi import structured
from kube.leases import Timing
from ops import discovery
from ops.communication import Communication
from ops.config import CommonConfig
from ops.errors import ConfigError
from ops.lifecycle import Lifecycle
from testing.apiserver import MemoryApi
from testing.waiting import until
from testing.web import serving, write_kubeconfig
from tests.support.build import (
    NAMESPACE,
    SYSTEM,
    device_allocated,
    device_claim,
    device_request,
    finalized,
    nas,
    reserved,
)
from tests.support.pages import free_port, page
from tests.support.settings import DEFAULTS
from tests.support.upgrade import Upgradable, upgraded

NAME = "fake.3-shake.com"
SPLIT = f"split.{NAME}"
CONFIG = ControllerConfig("auto", NAME, 2, 60.0, Communication.NAS)
QUICK = Timing(15, 10.0, 0.1)


@contextmanager
def served(api: MemoryApi, path: Path) -> Iterator[tuple[Upgradable, CommonConfig]]:
    """Serve an API server; yields it with the settings of a program that uses it."""
    web: Any = Upgradable(api)
    with serving(web) as url:
        kubeconfig = write_kubeconfig(url, path / "kubeconfig")
        try:
            yield web, replace(DEFAULTS, kubeconfig=str(kubeconfig))
        finally:
            web.api.end_watches()


class Running:
    """The program in a thread."""

    def __init__(self, common: CommonConfig, config: ControllerConfig, timing: Timing | None):
        self.life = Lifecycle()
        self._pool = ThreadPoolExecutor(1, "program")
        self.code: Future[int] = self._pool.submit(self._run, config, common, timing)

    def _run(self, config: ControllerConfig, common: CommonConfig, timing: Timing | None) -> int:
        with self.life:
            return run(self.life, config, common, timing)

    def stop(self) -> int:
        self.life.stop.set()
        return self.ended()

    def ended(self) -> int:
        """Wait for its end; return its exit code."""
        try:
            return self.code.result(15)
        finally:
            self._pool.shutdown()
            gc.unfreeze()


@contextmanager
def running(
    common: CommonConfig, config: ControllerConfig = CONFIG, timing: Timing | None = None
) -> Iterator[Running]:
    started = Running(common, config, timing)
    try:
        yield started
    finally:
        assert started.stop() == 0


def classes(api: MemoryApi, version: str, *names: str) -> None:
    """Wait until there are these classes."""
    for name in names:
        api.wait_for(CLASSES[version], name, lambda obj: obj is not None)


@pytest.mark.parametrize(
    ("api", "version"),
    [
        pytest.param(structured(32), "v1beta1", id="1.32"),
        pytest.param(structured(33), "v1beta2", id="1.33"),
        pytest.param(structured(34), "v1", id="1.34"),
        pytest.param(structured(37), "v1", id="1.37"),
    ],
)
def test_structured_keeps_classes_and_starts_nothing_else(
    tmp_path: Path, api: Any, version: str
) -> None:
    memory = MemoryApi(api=api)
    with served(memory, tmp_path) as (web, common), running(common):
        classes(memory, version, NAME, SPLIT)
        names = {thread.name for thread in threading.enumerate()}
        assert "upkeep" in names
        assert not {name for name in names if name.startswith(("reflector", "worker"))}
        assert web.watched == set()


@pytest.mark.parametrize("version", ["v1alpha2", "v1alpha3"])
def test_classic_keeps_a_class_and_watches(tmp_path: Path, version: str) -> None:
    memory = MemoryApi(version)
    with served(memory, tmp_path) as (web, common), running(common):
        classes(memory, version, NAME)
        until("a watch of contexts", lambda: "podschedulingcontexts" in web.watched, 10)
    assert [obj["metadata"]["name"] for obj in memory.all(CLASSES[version])] == [NAME]


def test_only_the_leader_writes(tmp_path: Path) -> None:
    memory = MemoryApi(api=structured(34))
    spec = {"holderIdentity": "another", "leaseDurationSeconds": 3600}
    lease = {"metadata": {"name": LEASE_NAME, "namespace": SYSTEM}, "spec": spec}
    memory.put(LEASES, lease)
    with served(memory, tmp_path) as (web, common), running(common, timing=QUICK):
        until("a watch of the lease", lambda: web.watched == {"leases"}, 10)
        assert web.written == set()
        memory.put(LEASES, {**lease, "spec": {**spec, "holderIdentity": ""}})
        classes(memory, "v1", NAME, SPLIT)


def test_no_class_is_made_without_a_name(tmp_path: Path) -> None:
    memory = MemoryApi(api=structured(34))
    nothing = replace(CONFIG, class_name="")
    memory.put(STATES, nas(status="NotReady"))
    with served(memory, tmp_path) as (_, common), running(common, nothing):
        memory.wait_for(STATES, "fake-system/node-1", lambda obj: obj is None)
    assert memory.all(CLASSES["v1"]) == []


@pytest.mark.parametrize(
    ("memory", "kind"),
    [
        pytest.param(lambda: MemoryApi("v1alpha3"), "structured", id="structured-on-1.31"),
        pytest.param(lambda: MemoryApi(api=structured(32)), "classic", id="classic-on-1.32"),
    ],
)
def test_a_kind_that_the_server_has_not_is_refused(tmp_path: Path, memory: Any, kind: str) -> None:
    with served(memory(), tmp_path) as (_, common):
        refused = Running(common, replace(CONFIG, kind=kind), None)
        with pytest.raises(ConfigError):
            refused.ended()


def test_alive_and_not_ready_while_the_api_server_is_away(tmp_path: Path) -> None:
    """Or the kubelet would kill it again and again."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        kubeconfig, port = write_kubeconfig(url, tmp_path / "kubeconfig"), free_port()
        at = f"127.0.0.1:{port}"
        common = replace(DEFAULTS, kubeconfig=str(kubeconfig), http_endpoint=at)
        with running(common):
            until("/healthz", lambda: page(port, "/healthz") == (200, "ok") or None)
            status, text = page(port, "/readyz")
    assert status == 503
    assert "[-]kind failed: the API server has not told yet" in text


def claim(name: str, *, in_use: bool) -> JSON:
    raw = finalized(device_claim(name, device_request()))
    return reserved(device_allocated(raw, "node-2")) if in_use else raw


def test_upgrade_from_1_31_to_1_32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program ends by itself; the next one cleans up, but for what a pod uses."""
    monkeypatch.setattr(discovery, "PERIOD_SECONDS", 0.1)
    old = MemoryApi("v1alpha3")
    claims = STRUCTURED_VERSIONS["v1beta1"].claims
    with served(old, tmp_path) as (web, common):
        first = Running(common, CONFIG, None)
        classes(old, "v1alpha3", NAME)
        old.put(DRA_V1ALPHA3.claims, claim("forgotten", in_use=False))
        old.put(DRA_V1ALPHA3.claims, claim("used", in_use=True))
        old.put(STATES, nas(status="NotReady"))
        new = upgraded(old)
        web.become(new)
        assert first.ended() == 0
        with running(common):
            classes(new, "v1beta1", NAME, SPLIT)
            new.wait_for(STATES, "fake-system/node-1", lambda obj: obj is None)
    left = {
        name: new.find(claims, name, NAMESPACE)["metadata"].get("finalizers") or []
        for name in ("forgotten", "used")
    }
    assert left == {"forgotten": [], "used": [FAKE.finalizer]}
    assert new.find(CLASSES["v1beta1"], NAME)["spec"]["selectors"]


def test_settings_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[ControllerConfig] = []
    monkeypatch.setattr(program, "configure", lambda *_: None)
    # the handlers would stay for the tests after this one
    monkeypatch.setattr(Lifecycle, "install_signals", lambda _life: None)
    monkeypatch.setattr(program, "run", lambda _life, config, *_rest: found.append(config))
    given = ["--class-name=x.example.com", "--kind=structured"]
    by_env = {"CLASS_NAME": "", "KIND": "classic"}
    for arguments, env in (([], {}), (given, {}), ([], by_env)):
        needed = {"POD_NAMESPACE": "ns", **env}
        assert CliRunner().invoke(main, arguments, env=needed).exit_code == 0
    assert [(config.kind, config.class_name) for config in found] == [
        ("auto", NAME),
        ("structured", "x.example.com"),
        ("classic", ""),
    ]


@pytest.mark.parametrize("name", ["Upper", "a_b", "x" * 248, "-"])
def test_name_that_no_class_can_have_is_one_line(name: str) -> None:
    result = CliRunner().invoke(main, [f"--class-name={name}"], env={"POD_NAMESPACE": "ns"})
    assert result.exit_code == 2
    assert "--class-name (env CLASS_NAME)" in result.output
    assert result.output.count("\n") == 1
