"""Measures a kubelet plugin over its socket, as the kubelet of Kubernetes 1.30 calls it."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

from api.objects import JSON, uid_of
from api.resources import DRA_V1ALPHA2
from bench import objects
from bench.concurrency import concurrently, timed
from bench.errors import NotSeen
from bench.figures import Calls, Node
from bench.objects import NAMESPACE, Consumer
from bench.programs import Program
from bench.settings import DEVICES, Amount, Subject
from bench.site import Site
from bench.statistics import Latency
from devcluster.kubelet.dialect import DIALECTS
from devcluster.kubelet.draclient import Answer, ClaimRequest, DraClient
from devcluster.kubelet.errors import PluginCallFailed
from devcluster.kubelet.kubelet import ADDRESS
from devcluster.kubelet.node import NodeAgent
from devcluster.kubelet.plugins import PluginInfo
from devcluster.kubelet.registrar import get_info, notify

NAME: Final = "bench-kubelet"
_TWIN: Final = "bench-kubelet-twin"
_DIALECT: Final = DIALECTS["1.30"]
_START_SECONDS: Final = 30.0


def measure(site: Site, subject: Subject, amount: Amount, directory: Path) -> Node:
    """Start a plugin, allocate all devices of its node, prepare and unprepare them in turns."""
    add_node(site)
    sockets = directory / "registry"
    sockets.mkdir(parents=True, exist_ok=True)
    socket = sockets / site.driver.contract.registration_socket
    with plugin(site, subject, directory) as first:
        first.until("to answer the kubelet", lambda: _answers(socket), _START_SECONDS)
    with plugin(site, subject, directory) as program:
        first_answer = program.until(
            "to answer the kubelet", lambda: _answers(socket), _START_SECONDS
        )
        info = get_info(socket)
        notify(socket, "")
        state = _published(site)
        with site.consumers("kubelet", DEVICES) as consumers:
            claims = allocate(site, state, consumers)
            program.settle()
            before = program.usage().cpu_seconds
            calls = [_calls(info, claims, n, amount.calls) for n in (1, amount.concurrency)]
            used = program.usage()
            _release(site, consumers)
    made = 2 * len(calls) * (amount.calls // DEVICES) * DEVICES
    return Node(
        calls=calls,
        state_write=state_write(site, amount.calls),
        cpu_ms=1000 * (used.cpu_seconds - before) / made,
        first_answer=first_answer,
        peak_rss_mib=used.peak_rss_mib,
    )


def plugin(site: Site, subject: Subject, directory: Path) -> Program:
    """Return the plugin under test, not yet running."""
    environment = {
        **subject.environment(),
        "NODE_NAME": NAME,
        "NUM_DEVICES": str(DEVICES),
        "CDI_ROOT": str(directory / "cdi"),
        "KUBELET_REGISTRAR_DIRECTORY_PATH": str(directory / "registry"),
        "KUBELET_PLUGINS_DIRECTORY_PATH": str(directory / "plugins"),
    }
    log = subject.logs / "plugin.log"
    return site.server.way.program("the plugin", subject.plugin, log, environment)


def add_node(site: Site) -> None:
    """Register the node as its kubelet would."""
    NodeAgent(site.client, NAME, _DIALECT.version, ADDRESS, time.time).register()


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


def _calls(info: PluginInfo, claims: Sequence[JSON], concurrency: int, count: int) -> Calls:
    """Prepare all claims, unprepare all claims, and so on until there are enough calls."""
    requests = [
        ClaimRequest(NAMESPACE, uid_of(claim), claim["metadata"]["name"]) for claim in claims
    ]
    prepared: list[float] = []
    unprepared: list[float] = []
    with closing(DraClient(info.endpoint, _DIALECT)) as client:
        for _ in range(count // len(requests)):
            for seconds, call in ((prepared, client.prepare), (unprepared, client.unprepare)):
                seconds += concurrently(partial(_call, call), requests, concurrency)
    return Calls(concurrency, Latency.of(prepared), Latency.of(unprepared))


def _call(
    call: Callable[[list[ClaimRequest]], Mapping[str, Answer]], request: ClaimRequest
) -> float:
    seconds, answers = timed(lambda: call([request]))
    errors = [answer.error for answer in answers.values() if answer.error]
    if errors:
        raise NotSeen(f"the plugin refused claim {request.name}: {errors[0]}")
    return seconds


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


def _answers(socket: Path) -> bool:
    if not socket.exists():
        return False
    try:
        get_info(socket)
    except PluginCallFailed:
        return False
    return True
