"""An embedded cluster whose scheduler allocates: its demos, release, restarts, and pods at once."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.conditions import holds
from api.contract import FAKE
from api.objects import JSON
from api.resources import EVENTS, NAMESPACES, PODS
from demo.expect import (
    STRUCTURED_DEMOS,
    STRUCTURED_WAVES,
    Demo,
    devices_of,
    overlaps,
    problems,
)
from demo.structured_session import KNOWN, StructuredSession
from devcluster.claimapi import RULES
from devcluster.config import ClusterConfig
from devcluster.controls import request_control
from kube.client import Client
from testing.waiting import until
from tests.support.anycluster import ROOT
from tests.support.embedded import running

pytestmark = [
    pytest.mark.embedded,
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("structured"),
]
WHOLE, SPLIT = "fake.3-shake.com", "split.fake.3-shake.com"
SPACE = "many"


@dataclass(frozen=True)
class Structured:
    """A cluster of one node with eight devices."""

    config: ClusterConfig
    client: Client
    session: StructuredSession

    @property
    def node(self) -> str:
        return self.config.node_names[0]

    def up(self, demo: Demo) -> None:
        manifest = ROOT / "demo" / "structured" / f"fake-{demo.name}.yaml"
        self.session.apply(manifest, in_turn=True)
        self.session.running(demo)

    def down(self, *demos: Demo) -> None:
        for demo in demos:
            self.session.delete(demo)
        self.session.released(demos)

    def ask(self, name: str, split: int = 1, count: int = 1) -> None:
        """Create a claim for devices of a size, and a pod that uses it."""
        cel = f'device.attributes["{FAKE.driver_name}"].split == {split}'
        exactly = {
            "deviceClassName": WHOLE if split == 1 else SPLIT,
            "count": count,
            "selectors": [{"cel": {"expression": cel}}],
        }
        requests = [{"name": "r", "exactly": exactly}]
        claim = {"metadata": {"name": name}, "spec": {"devices": {"requests": requests}}}
        self.client.create(KNOWN.claims, claim, SPACE)
        container = {
            "name": "c",
            "image": "busybox:1.36",
            "command": ["sleep", "9999"],
            "resources": {"claims": [{"name": "it"}]},
        }
        spec = {
            "containers": [container],
            "resourceClaims": [{"name": "it", "resourceClaimName": name}],
            "terminationGracePeriodSeconds": 0,
        }
        self.client.create(PODS, {"metadata": {"name": name}, "spec": spec}, SPACE)

    def forget(self, name: str) -> None:
        self.client.delete(PODS, name, SPACE, grace_seconds=0)
        self.client.delete(KNOWN.claims, name, SPACE)

    def ready(self) -> set[str]:
        """Return the names of the pods that run, and make sure that nobody shares a device."""
        assert overlaps(self.session.devices()) == []
        pods = self.client.list(PODS, namespace=SPACE).items
        return {each["metadata"]["name"] for each in pods if holds(each, "Ready")}

    def told(self, pod: str) -> list[str]:
        found = self.client.list(EVENTS, namespace=SPACE).items
        return [each["message"] for each in found if each["involvedObject"]["name"] == pod]

    def cdi_files(self) -> list[Path]:
        return list((self.config.node_root(self.node) / "cdi").glob("*claim*"))

    def slices(self) -> dict[str, JSON]:
        return {each["metadata"]["uid"]: each for each in self.client.list(KNOWN.slices).items}


@pytest.fixture(scope="module")
def structured() -> Iterator[Structured]:
    # pytest's own temporary directories make socket paths too long
    with tempfile.TemporaryDirectory(prefix="dra-") as path:
        config = ClusterConfig(Path(path), kubernetes="1.37")
        with running(config):
            client = Client.from_kubeconfig(
                str(config.kubeconfig), qps=1000, burst=1000, user_agent="tests"
            )
            session = StructuredSession(client, FAKE)
            session.nodes_ready(1)
            try:
                yield Structured(config, client, session)
            finally:
                client.close()


@pytest.fixture
def many(structured: Structured) -> Iterator[Structured]:
    """The cluster with a namespace for pods, which is empty afterwards."""
    structured.client.create(NAMESPACES, {"metadata": {"name": SPACE}})
    yield structured
    structured.client.delete(NAMESPACES, SPACE)
    structured.session.released([Demo(SPACE, ())])
    until("the namespace is gone", lambda: SPACE not in names(structured.client))


def names(client: Client) -> set[str]:
    return {each["metadata"]["name"] for each in client.list(NAMESPACES).items}


@pytest.mark.parametrize("wave", STRUCTURED_WAVES, ids=lambda wave: wave[0].name)
def test_demos_show_what_they_should_and_leave_nothing(
    structured: Structured, wave: tuple[Demo, ...]
) -> None:
    for demo in wave:
        structured.up(demo)
    for demo in wave:
        assert problems(demo, structured.session.logs(demo), structured.session.devices()) == []
    structured.down(*wave)
    until("no CDI file is left", lambda: not structured.cdi_files())
    assert structured.session.leftovers() == []


def test_a_part_waits_for_the_whole_device_and_runs_when_it_is_free(many: Structured) -> None:
    many.ask("all", count=8)
    until("all runs", lambda: many.ready() == {"all"})
    many.ask("part", split=16)
    until("part is told", lambda: many.told("part"))
    told = many.told("part")[0]
    assert told.startswith(
        "0/1 nodes are available: 1 cannot allocate all claims. (claim many/part, request r: "
        "1 wanted, 0 of 248 devices fit ("
    )
    assert "128 counters" in told
    assert many.ready() == {"all"}
    many.forget("all")
    until("part runs", lambda: many.ready() == {"part"})
    many.forget("part")


def test_pods_of_all_sizes_at_once_share_nothing(many: Structured) -> None:
    """Six devices' worth of parts, and four whole devices: not all of them fit."""
    wanted = {f"p{split}-{n}": split for split in (2, 4, 8) for n in range(2 * split)}
    wanted |= {f"p1-{n}": 1 for n in range(4)}
    for name in sorted(wanted, key=lambda name: name[::-1]):
        many.ask(name, split=wanted[name])
    seen: set[str] = set()
    while wanted:
        new = until("another pod runs", fresh(many, seen), 30)
        seen |= new
        for name in new:
            many.forget(name)
            del wanted[name]
    until("nothing is held", lambda: not many.session.leftovers())


def fresh(many: Structured, seen: set[str]) -> Callable[[], set[str]]:
    return lambda: many.ready() - seen


def test_pods_and_slices_outlive_the_plugin(many: Structured) -> None:
    many.ask("before")
    until("it runs", lambda: many.ready() == {"before"})
    slices = many.slices().keys()
    request_control(many.config.state_dir, "stop-plugin", many.node)
    many.ask("meanwhile")
    until("it waits", lambda: any("not found in the list" in m for m in many.told("meanwhile")))
    request_control(many.config.state_dir, "start-plugin", many.node)
    until("both run", lambda: many.ready() == {"before", "meanwhile"}, 60)
    assert many.slices().keys() == slices


def test_slices_are_made_anew_when_the_kubelet_starts(many: Structured) -> None:
    many.ask("before")
    until("it runs", lambda: many.ready() == {"before"})
    slices = set(many.slices())
    request_control(many.config.state_dir, "stop-node", many.node)
    request_control(many.config.state_dir, "start-node", many.node)
    many.session.nodes_ready(1)
    until("all slices are new", lambda: not slices & set(many.slices()))
    many.session.nodes_ready(1)
    many.ask("after")
    until("both run", lambda: many.ready() == {"before", "after"}, 60)


def test_extended_resources_are_devices(many: Structured) -> None:
    resource = f"deviceclass.resource.kubernetes.io/{WHOLE}"
    shell = {"image": "busybox:1.36", "command": ["ash", "-c"], "args": ["export; sleep 9999"]}
    spec = {
        "containers": [
            {"name": "with", **shell, "resources": {"limits": {resource: "2"}}},
            {"name": "without", **shell},
        ],
        "terminationGracePeriodSeconds": 0,
    }
    many.client.create(PODS, {"metadata": {"name": "ext"}, "spec": spec}, SPACE)
    until("it runs", lambda: many.ready() == {"ext"})
    given = {device for device, _ in many.session.devices().given}
    demo = Demo(SPACE, ((("ext", "with"),),))
    assert set(devices_of(many.session.logs(demo)["ext", "with"])) == given
    assert len(given) == 2
    assert devices_of(many.client.log(SPACE, "ext", "without")) == []
    many.client.delete(PODS, "ext", SPACE, grace_seconds=0)
    until("its claim goes with it", lambda: not many.session.claim_objects())
    until("no CDI file is left", lambda: not many.cdi_files())


def test_a_rule_evicts_the_pods_of_a_device(many: Structured) -> None:
    many.ask("first")
    many.ask("second")
    until("both run", lambda: many.ready() == {"first", "second"})
    (device,) = (r["device"] for c, r in many.session.results() if _name(c) == "first")
    taint = {"key": "example.com/broken", "effect": "NoExecute"}
    spec = {"deviceSelector": {"driver": FAKE.driver_name, "device": device}, "taint": taint}
    many.client.create(RULES, {"metadata": {"name": "broken"}, "spec": spec})
    try:
        until("the first has gone", lambda: many.ready() == {"second"})
        until("it was told", lambda: any("Marking for deletion" in m for m in many.told("first")))
        many.ask("all-others", count=7)
        until("the device is left out", lambda: many.told("all-others"))
        assert "6 of 248 devices fit" in many.told("all-others")[0]
    finally:
        many.client.delete(RULES, "broken")
    until("the device is used again", lambda: many.ready() == {"second", "all-others"}, 30)


def _name(claim: JSON) -> str:
    return str(claim["metadata"]["name"])


def test_demos_are_those_of_the_walkthrough() -> None:
    assert [demo.name for demo in STRUCTURED_DEMOS] == [f"test{n}" for n in range(1, 8)]
