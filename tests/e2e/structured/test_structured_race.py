"""Pods for parts of the same devices come and go at random: nothing is ever given twice.

An observer sees every change of a claim in the order of etcd, and the CDI files on the node.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from api.contract import FAKE
from api.objects import JSON
from api.resources import PODS
from kube.client import Client
from kube.errors import Conflict, NotFound
from testing.waiting import until
from tests.e2e.cluster.containerd import PAUSE_IMAGE
from tests.support.fakecluster import (
    PARENTS,
    PARTITIONS,
    UNITS,
    FakeCluster,
    child,
    devices_of,
    using,
    wholes,
)
from tests.support.holders import Holders, Share
from tests.support.structuredcluster import template

POD_COUNT = 200
SPLITS = (1, 2, 4, 8, 16)
WEIGHTS = SPLITS
"""Of small parts there are more, so that many pods run at the same time."""

PAUSE_SECONDS = 0.15
WATCH_SECONDS = 10
PLACE = "default"

pytestmark = [pytest.mark.raised, pytest.mark.timeout(1500)]


@dataclass
class Observer:
    """Sees what claims hold, and what the node has prepared.

    Attributes:
        cluster: that is observed.
        wrong: what must not have been.
        seen: changes of claims.
        most: claims that had devices at the same time.
    """

    cluster: FakeCluster
    wrong: list[str] = field(default_factory=list)
    seen: int = 0
    most: int = 0

    def __post_init__(self) -> None:
        known = self.cluster.devices()
        shares = {name: _share(each) for name, each in known.items()}
        self._holders = Holders(shares)
        self._by_uuid = {str(each["uuid"]): shares[name] for name, each in known.items()}

    @contextmanager
    def watching(self, client: Client) -> Iterator[None]:
        """Watch the claims for a while."""
        version = client.list(self.cluster.resources.claims, namespace=PLACE).resource_version
        stopped = threading.Event()
        thread = threading.Thread(target=self._read, args=(client, version, stopped))
        thread.start()
        try:
            yield
            assert thread.is_alive(), "the watch of claims failed"
        finally:
            stopped.set()
            thread.join()

    def look_at_node(self) -> None:
        """Compare the CDI files that are there at the same time."""
        holders = Holders(self._by_uuid)
        for path, uuids in _prepared(self.cluster.machine.cdi_dir).items():
            self.wrong += [f"on the node, {problem}" for problem in holders.see(path, uuids)]

    def _read(self, client: Client, version: str, stopped: threading.Event) -> None:
        """Look at every change; a busy API server ends watches, each goes on where one ended."""
        claims = self.cluster.resources.claims
        while not stopped.is_set():
            with client.watch(
                claims, namespace=PLACE, resource_version=version, timeout_seconds=WATCH_SECONDS
            ) as stream:
                for event in stream:
                    version = str(event.object["metadata"]["resourceVersion"])
                    if event.type != "BOOKMARK":
                        gone = event.type == "DELETED"
                        self._see(event.object, () if gone else tuple(devices_of(event.object)))

    def _see(self, claim: JSON, devices: tuple[str, ...]) -> None:
        self.wrong += self._holders.see(claim["metadata"]["uid"], devices)
        self.seen += 1
        self.most = max(self.most, len(self._holders.held))


def _share(attributes: JSON) -> Share:
    parent = attributes.get("parentUUID", attributes["uuid"])
    return Share(str(parent), UNITS // int(attributes["split"]))


def _prepared(directory: Path) -> dict[str, tuple[str, ...]]:
    """Return the devices in the CDI files that were all there when the last one was read."""
    texts: dict[Path, str] = {}
    for path in directory.glob(f"{FAKE.cdi_file_prefix}*.json"):
        with suppress(FileNotFoundError):
            texts[path] = path.read_text(encoding="utf-8")
    return {path.name: _devices(json.loads(text)) for path, text in texts.items() if path.exists()}


def _devices(spec: JSON) -> tuple[str, ...]:
    entries = [e for each in spec["devices"] for e in each["containerEdits"].get("env") or ()]
    pairs = (entry.partition("=") for entry in entries)
    prefix = FAKE.env_device_prefix
    return tuple(value for name, _, value in pairs if name.removeprefix(prefix).isdigit())


def part(number: int, chance: Random) -> JSON:
    """Return a small pod with a claim of its own for a part of a device."""
    (split,) = chance.choices(SPLITS, WEIGHTS)
    made = using(f"part{number}", "part")
    spec = made["spec"]
    spec["resourceClaims"] = [{"name": "part", "resourceClaimTemplateName": f"split{split}"}]
    spec["containers"][0]["image"] = PAUSE_IMAGE
    del spec["containers"][0]["command"]
    return made


def toggle(client: Client, chance: Random) -> None:
    """Delete one of the pods, or create it if it is not there."""
    made = part(chance.randrange(POD_COUNT), chance)
    try:
        client.create(PODS, made, PLACE)
    except Conflict:
        with suppress(NotFound):
            client.delete(PODS, made["metadata"]["name"], PLACE)


def test_parts_of_devices_are_never_given_twice(fakes: FakeCluster, race_seconds: float) -> None:
    if not fakes.machine.version.has(PARTITIONS):
        pytest.skip(f"{PARTITIONS} is off in {fakes.machine.version}")
    claims = [wholes("split1"), *(child(f"split{split}", split) for split in SPLITS[1:])]
    fakes.apply(*map(template, claims))
    observer, chance = Observer(fakes), Random(POD_COUNT)
    with fakes.client() as client, observer.watching(client):
        for number in range(POD_COUNT):
            client.create(PODS, part(number, chance), PLACE)
        end = time.monotonic() + race_seconds
        while time.monotonic() < end:
            toggle(client, chance)
            observer.look_at_node()
            time.sleep(chance.uniform(0, 2 * PAUSE_SECONDS))
        fakes.clear()
        until("no claim", lambda: not client.list(fakes.resources.claims).items, 120)
    assert observer.wrong == []
    assert observer.most >= PARENTS, "there was no race"
    fakes.settled()
    fakes.apply(wholes("all", PARENTS), using("all", "all"))
    fakes.ready("all")
