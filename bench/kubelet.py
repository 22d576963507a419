"""Measures a kubelet plugin over its socket, as the kubelet of Kubernetes 1.30 calls it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from api.objects import JSON, uid_of
from api.resources import DRA_V1ALPHA2, NODES
from bench import objects
from bench.calls import answering, each, name_at, turns
from bench.concurrency import timed
from bench.counting import Meter
from bench.errors import NotSeen
from bench.figures import Node
from bench.objects import Consumer
from bench.programs import Program
from bench.settings import DEVICES, Amount, Subject, node_settings
from bench.site import Site
from bench.statistics import Latency
from devcluster.kubelet.layout import NodeDirectories
from testing.kubelet import Kubelet, Registered
from testing.objects import node_body

_MINOR: Final = 30
_START_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class _Place:
    """A node of which a plugin is measured."""

    site: Site
    subject: Subject
    node: NodeDirectories
    name: str

    @property
    def twin(self) -> str:
        """The name of a copy of its NAS."""
        return f"{self.name}-twin"


def measure(site: Site, subject: Subject, amount: Amount) -> Node:
    """Start a plugin, allocate all devices of its node, prepare and unprepare them in turns."""
    variant = subject.variant
    node = NodeDirectories(subject.logs / "node").create(site.driver.contract.driver_name)
    place = _Place(site, subject, node, f"kubelet-{variant.name}")
    # as its kubelet would
    site.client.create(NODES, node_body(place.name, _MINOR))
    with _plugin(place) as first:
        answering(first, node.registry)
    with _plugin(place) as program, Kubelet(node, _MINOR) as kubelet:
        first_answer = answering(program, node.registry)
        called = kubelet.register(name_at(node.registry))
        state = _published(place)
        with site.consumers("kubelet", DEVICES) as consumers:
            claims = _allocate(place, state, consumers)
            state_writes = _state_writes(place, program, called, claims)
            before = program.usage().cpu_seconds
            made = [turns(called, claims, n, amount.calls) for n in (1, amount.concurrency)]
            used = program.usage()
            _release(place, consumers)
    return Node(
        variant=variant,
        calls=[turn.summary() for turn in made],
        state_write=_state_write(place, amount.calls),
        state_writes=state_writes,
        cpu_ms=1000 * (used.cpu_seconds - before) / sum(map(len, made)),
        first_answer=first_answer,
        peak_rss_mib=used.peak_rss_mib,
    )


def _plugin(place: _Place) -> Program:
    """Return the plugin under test, not yet running."""
    subject = place.subject
    environment = {**subject.environment(), **node_settings(place.name, place.node)}
    log = subject.logs / "plugin.log"
    return place.site.server.way.program("the plugin", subject.plugin, log, environment)


def _allocate(place: _Place, state: JSON, consumers: Sequence[Consumer]) -> list[JSON]:
    """Give each pod a device, as a controller would; return the claims."""
    site, driver, claims = place.site, place.site.driver, []
    contract = driver.contract
    for consumer, device in zip(consumers, state["spec"]["allocatableDevice"], strict=True):
        body = objects.allocated(consumer.claim, consumer, contract.driver_name, place.name)
        if place.subject.handle:
            body = objects.with_handle(body, contract, device)
        else:
            patch = objects.given(state, consumer.claim, device, contract.device_key)
            del patch["metadata"]
            state = site.client.patch(driver.states, place.name, patch, namespace=driver.namespace)
        claims.append(site.client.update(DRA_V1ALPHA2.claims, body, subresource="status"))
    _copy(place, state)
    return claims


def _state_writes(
    place: _Place, program: Program, called: Registered, claims: Sequence[JSON]
) -> float | None:
    """Return the writes of the plugin's NAS for a prepare."""
    meter = Meter(program, place.site.own, place.site.server.metrics)
    each(called.calls.prepare, called.service, claims)
    writes = meter.effort().state_writes(len(claims))
    each(called.calls.unprepare, called.service, claims)
    program.settle()
    return writes


def _state_write(place: _Place, count: int) -> Latency:
    """Return how long a patch of `preparedDevices` takes, of a NAS as large as the plugin's."""
    client, driver = place.site.client, place.site.driver

    def write(number: int) -> float:
        uid = f"claim-{number // 2}"
        prepared = (
            {driver.contract.device_key: {"devices": [{"uuid": f"FAKE-{uid}"}]}}
            if number % 2 == 0
            else None
        )
        patch = {"spec": {"preparedDevices": {uid: prepared}}}
        return timed(
            lambda: client.patch(driver.states, place.twin, patch, namespace=driver.namespace)
        )[0]

    return Latency.of(write(number) for number in range(count))


def _copy(place: _Place, state: JSON) -> None:
    """Store the NAS once more, for another node, which nobody watches."""
    driver = place.site.driver
    metadata = {"name": place.twin, "namespace": driver.namespace}
    copy = {**state, "metadata": metadata, "status": "NotReady"}
    place.site.client.create(driver.states, copy)


def _published(place: _Place) -> JSON:
    """Return the plugin's NAS once it is Ready."""
    site = place.site
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        for state in site.client.list(site.driver.states, namespace=site.driver.namespace).items:
            if state["metadata"]["name"] == place.name and state.get("status") == "Ready":
                return state
        time.sleep(0.05)
    raise NotSeen(f"the plugin has not published node {place.name} as Ready; see its log")


def _release(place: _Place, consumers: Sequence[Consumer]) -> None:
    client, driver = place.site.client, place.site.driver
    for consumer in consumers:
        patch = {"spec": {"allocatedClaims": {uid_of(consumer.claim): None}}}
        client.patch(driver.states, place.name, patch, namespace=driver.namespace)
