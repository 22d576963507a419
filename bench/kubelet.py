"""Measures a kubelet plugin over its socket, as the kubelet of Kubernetes 1.30 calls it."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from api.objects import JSON, uid_of
from api.resources import DRA_V1ALPHA2, NODES
from bench import objects
from bench.calls import answering, name_at, turns
from bench.concurrency import timed
from bench.errors import NotSeen
from bench.figures import Node
from bench.objects import Consumer
from bench.programs import Program
from bench.settings import DEVICES, Amount, Subject, node_settings
from bench.site import Site
from bench.statistics import Latency
from devcluster.kubelet.layout import NodeDirectories
from testing.kubelet import Kubelet
from testing.objects import node_body

NAME: Final = "bench-kubelet"
_TWIN: Final = "bench-kubelet-twin"
_MINOR: Final = 30
_START_SECONDS: Final = 30.0


def measure(site: Site, subject: Subject, amount: Amount, directory: Path) -> Node:
    """Start a plugin, allocate all devices of its node, prepare and unprepare them in turns."""
    add_node(site)
    node = NodeDirectories(directory).create(site.driver.contract.driver_name)
    with plugin(site, subject, node) as first:
        answering(first, node.registry)
    with plugin(site, subject, node) as program, Kubelet(node, _MINOR) as kubelet:
        first_answer = answering(program, node.registry)
        called = kubelet.register(name_at(node.registry))
        state = _published(site)
        with site.consumers("kubelet", DEVICES) as consumers:
            claims = allocate(site, state, consumers)
            program.settle()
            before = program.usage().cpu_seconds
            made = [turns(called, claims, n, amount.calls) for n in (1, amount.concurrency)]
            used = program.usage()
            _release(site, consumers)
    return Node(
        calls=[each.summary() for each in made],
        state_write=state_write(site, amount.calls),
        cpu_ms=1000 * (used.cpu_seconds - before) / sum(map(len, made)),
        first_answer=first_answer,
        peak_rss_mib=used.peak_rss_mib,
    )


def plugin(site: Site, subject: Subject, node: NodeDirectories) -> Program:
    """Return the plugin under test, not yet running."""
    environment = {**subject.environment(), **node_settings(NAME, node)}
    log = subject.logs / "plugin.log"
    return site.server.way.program("the plugin", subject.plugin, log, environment)


def add_node(site: Site) -> None:
    """Register the node as its kubelet would."""
    site.client.create(NODES, node_body(NAME, _MINOR))


def allocate(site: Site, state: JSON, consumers: Sequence[Consumer]) -> list[JSON]:
    """Give each pod a device, as a controller would; return the claims."""
    driver, claims = site.driver, []
    key = driver.contract.device_key
    for consumer in consumers:
        patch = objects.given(state, consumer.claim, objects.free_device(state, key), key)
        del patch["metadata"]
        state = site.client.patch(driver.states, NAME, patch, namespace=driver.namespace)
        body = objects.allocated(consumer.claim, consumer, driver.contract.driver_name, NAME)
        claims.append(site.client.update(DRA_V1ALPHA2.claims, body, subresource="status"))
    _copy(site, state)
    return claims


def state_write(site: Site, count: int) -> Latency:
    """Return how long a patch of `preparedDevices` takes, of a NAS as large as the plugin's."""
    driver = site.driver

    def write(number: int) -> float:
        uid = f"claim-{number // 2}"
        prepared = (
            {driver.contract.device_key: {"devices": [{"uuid": f"FAKE-{uid}"}]}}
            if number % 2 == 0
            else None
        )
        patch = {"spec": {"preparedDevices": {uid: prepared}}}
        return timed(
            lambda: site.client.patch(driver.states, _TWIN, patch, namespace=driver.namespace)
        )[0]

    return Latency.of(write(number) for number in range(count))


def _copy(site: Site, state: JSON) -> None:
    """Store the NAS once more, for another node, which nobody watches."""
    metadata = {"name": _TWIN, "namespace": site.driver.namespace}
    copy = {**state, "metadata": metadata, "status": "NotReady"}
    site.client.create(site.driver.states, copy)


def _published(site: Site) -> JSON:
    """Return the plugin's NAS once it is Ready."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        for state in site.client.list(site.driver.states, namespace=site.driver.namespace).items:
            if state["metadata"]["name"] == NAME and state.get("status") == "Ready":
                return state
        time.sleep(0.05)
    raise NotSeen(f"the plugin has not published node {NAME} as Ready; see its log")


def _release(site: Site, consumers: Sequence[Consumer]) -> None:
    driver = site.driver
    for consumer in consumers:
        patch = {"spec": {"allocatedClaims": {uid_of(consumer.claim): None}}}
        site.client.patch(driver.states, NAME, patch, namespace=driver.namespace)
