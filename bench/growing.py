"""Measures how long it takes to publish a large pool, and how long a plain client takes for it."""

import dataclasses
import os
import time
from collections.abc import Sequence

from api.objects import JSON
from bench.calls import START_SECONDS
from bench.driver import MadeUp
from bench.errors import NotSeen
from bench.plugins import Subject, start
from bench.settings import DEVICES
from bench.watching import Watched

_POLL_SECONDS = 0.002
_PLAIN = "plain.bench.example.com"


def measure(subject: Subject, devices: int) -> tuple[float, float]:
    """Return the seconds until a plugin that has more devices has published them, and a client.

    The client makes the same writes: the slice that is there is replaced, the others are created.
    """
    client, resource = subject.site.client, subject.resource
    pipe = subject.directory / "grow"
    grower = dataclasses.replace(subject, environment={"GROW": str(pipe)})
    with Watched(client, resource) as watched:
        with grower.program() as program:
            os.mkfifo(pipe)
            start(grower, program)
            small = _until(watched, MadeUp.contract.driver_name, subject.name, DEVICES)
            began = time.monotonic()
            pipe.write_text(str(devices), encoding="ascii")
            large = _until(watched, MadeUp.contract.driver_name, subject.name, devices)
            grown = time.monotonic() - began
        stored = client.create(resource, plain(small[0]))
        began = time.monotonic()
        metadata = stored["metadata"]
        first, *rest = map(plain, large)
        client.update(resource, {**first, "metadata": metadata})
        for each in rest:
            client.create(resource, each)
        added = _until(watched, _PLAIN, subject.name, devices)
        seconds = time.monotonic() - began
        for each in [*large, *added]:
            client.delete(resource, each["metadata"]["name"])
    return grown, seconds


def plain(stored: JSON) -> JSON:
    """Return a slice as a client would create it that is another driver."""
    name = f"plain-{stored['metadata']['name']}"
    return {**stored, "metadata": {"name": name}, "spec": {**stored["spec"], "driver": _PLAIN}}


def published(slices: Sequence[JSON]) -> int:
    """Return how many devices the slices of a pool have; 0 unless all of the newest are there."""
    pools = [each["spec"]["pool"] for each in slices]
    newest = max((pool["generation"] for pool in pools), default=0)
    current = [each["spec"] for each in slices if each["spec"]["pool"]["generation"] == newest]
    if not current or len(current) != current[0]["pool"]["resourceSliceCount"]:
        return 0
    return sum(len(each.get("devices") or []) for each in current)


def _until(watched: Watched, driver: str, node: str, devices: int) -> list[JSON]:
    """Wait until so many devices are published; return the slices, by name."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        specs = ((each, each["spec"]) for each in watched.list())
        found = [x for x, spec in specs if (spec["driver"], spec["nodeName"]) == (driver, node)]
        if published(found) == devices:
            return sorted(found, key=lambda each: str(each["metadata"]["name"]))
        time.sleep(_POLL_SECONDS)
    raise NotSeen(f"waited {START_SECONDS:g} s for {devices} devices of {driver} on node {node}")
