"""Measures a kubelet plugin whose claims kube-scheduler allocates: its start, calls and memory."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.objects import JSON
from api.resources import NODES, Resource
from bench.calls import START_SECONDS, answering, each, name_at, turns
from bench.concurrency import concurrently
from bench.counting import Effort, Meter
from bench.figures import Plugin, Start
from bench.pods import Way
from bench.programs import Program
from bench.settings import Amount, environment, node_settings
from bench.site import Site
from bench.statistics import Latency
from devcluster.kubelet.layout import NodeDirectories
from testing.kubelet import NEWEST, Kubelet, Registered
from testing.objects import allocate, node_body, served_by

FAST_MS: Final = 10
"""A GET of a claim that takes less has not waited for the network stack."""

_GET: Final = re.compile(
    r'"Response" .*verb="GET" url="[^"]*/resourceclaims/[^"]*".* milliseconds=(\d+)'
)
"""What client-go logs of a request with -vmodule=round_trippers=6."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A plugin under test on a node of its own.

    Attributes:
        name: of the Node, and for messages.
        command: program and arguments; the rest is in its environment.
        site: the API server.
        way: how the plugin finds it.
        directory: of its node and its log.
        environment: more of it.
    """

    name: str
    command: Sequence[str]
    site: Site
    way: Way
    directory: Path
    environment: Mapping[str, str]

    @property
    def node(self) -> NodeDirectories:
        """The directories of its node."""
        return NodeDirectories(self.directory)

    @property
    def log(self) -> Path:
        """What it writes."""
        return self.directory / "plugin.log"

    @property
    def resource(self) -> Resource:
        """ResourceSlices."""
        return served_by(self.site.client).slices

    def program(self) -> Program:
        """Register the node; return the plugin, not yet running."""
        node = self.node.create(self.name)
        self.site.client.create(NODES, node_body(self.name, NEWEST))
        settings = {**environment(), **node_settings(self.name, node), **self.environment}
        return self.way.program(self.name, self.command, self.log, settings)

    def slices(self) -> list[JSON]:
        """Return the ResourceSlices of its node."""
        mine = f"spec.nodeName={self.name}"
        return list(self.site.client.list(self.resource, field_selector=mine).items)


def start(subject: Subject, program: Program) -> Start:
    """Return how long a plugin that was just started takes, and what it needs then."""

    def published() -> float:
        return program.until(
            "to publish its devices", lambda: bool(subject.slices()), START_SECONDS
        )

    looks = (lambda: answering(program, subject.node.registry), published)
    socket, slices = concurrently(lambda look: look(), looks, len(looks))
    program.settle()
    return Start(socket, slices, program.usage().rss_mib)


def measure(subject: Subject, amount: Amount) -> Plugin:
    """Start a plugin, give all its devices to claims, prepare and unprepare these in turns."""
    with subject.program() as program:
        started = start(subject, program)
        with Kubelet(subject.node) as kubelet:
            plugin = kubelet.register(name_at(subject.node.registry))
            with _claims(subject, plugin.name) as claims:
                up, down = _efforts(subject, program, plugin, claims)
                before, logged = program.usage().cpu_seconds, len(gets(subject.log))
                alone = turns(plugin, claims, 1, amount.calls)
                took = gets(subject.log)[logged:]
                together = turns(plugin, claims, amount.concurrency, amount.calls)
                used = program.usage()
    fast = [call for call, ms in zip(alone.prepare, took, strict=False) if ms < FAST_MS]
    return Plugin(
        start=started,
        calls=[alone.summary(), together.summary()],
        fast=Latency.of(fast) if fast else None,
        cpu_ms=1000 * (used.cpu_seconds - before) / (len(alone) + len(together)),
        reads=up.reads(len(claims)) or 0.0,
        writes=up.writes(len(claims)) or 0.0,
        reads_down=down.reads(len(claims)) or 0.0,
        rss_mib=used.rss_mib,
    )


def _efforts(
    subject: Subject, program: Program, plugin: Registered, claims: Sequence[JSON]
) -> tuple[Effort, Effort]:
    """Return the requests of one prepare and one unprepare of each claim."""

    def effort(call: Callable[..., Mapping[str, object]]) -> Effort:
        meter = Meter(program, subject.site.own, subject.site.server.metrics)
        each(call, plugin.service, claims)
        return meter.effort()

    return effort(plugin.calls.prepare), effort(plugin.calls.unprepare)


def gets(log: Path) -> list[int]:
    """Return how long the GETs of claims took that client-go logged, in milliseconds."""
    return [int(ms) for ms in _GET.findall(log.read_text(encoding="utf-8", errors="replace"))]


@contextmanager
def _claims(subject: Subject, driver: str) -> Iterator[list[JSON]]:
    """Give a claim to each device that a plugin has published."""
    client = subject.site.client
    resource = served_by(client).claims
    offered = [
        (each["spec"]["pool"]["name"], device["name"])
        for each in subject.slices()
        for device in each["spec"].get("devices") or []
    ]
    claims = [
        allocate(
            client, driver, device, node=subject.name, name=f"{subject.name}-{number}", pool=pool
        )
        for number, (pool, device) in enumerate(offered)
    ]
    yield claims
    for claim in claims:
        client.delete(resource, claim["metadata"]["name"], claim["metadata"]["namespace"])
