"""What each demo must show, as checks over container logs and over what the cluster has given out.

Pure: used by the walkthrough and by the end-to-end tests, on whatever cluster they run.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from api.contract import FAKE
from api.nas import NodeAllocationState
from api.nasvalues import Prepared
from plugin.devices import FakeDeviceSource, prepared_devices

_DEVICE = re.compile(r"""FAKE_DEVICE_(\d+)=['"]?(FAKE-[0-9a-f-]{36})""")

Container = tuple[str, str]
"""Pod name and container name."""

Logs = Mapping[Container, str]


@dataclass(frozen=True, slots=True)
class Demo:
    """One manifest: which containers share a claim, and what that claim asks for.

    Attributes:
        name: `test<N>`, which is the namespace too.
        claims: for every claim, the containers that use it.
        count: devices of each claim.
        split: children of each device; 0 is the whole device.
        parts: of how many parts each device is one, where a claim has some parts of one device.
    """

    name: str
    claims: tuple[tuple[Container, ...], ...]
    count: int = 1
    split: int = 0
    parts: tuple[int, ...] = ()

    @property
    def containers(self) -> list[Container]:
        """Every container, in order."""
        return sorted(c for users in self.claims for c in users)

    @property
    def pods(self) -> list[str]:
        """Names of the pods, in order."""
        return sorted({pod for pod, _ in self.containers})

    @property
    def needed(self) -> int:
        """Devices of all claims together."""
        return self.count * len(self.claims)

    @property
    def visible(self) -> int:
        """Devices that each container must see."""
        return len(self.parts) or self.count * max(self.split, 1)


@dataclass(frozen=True, slots=True)
class Given:
    """A device that a claim has.

    Attributes:
        claim: whichever way it is told apart from others.
        parent: of which it is a part; None if it is whole.
        split: how many of its kind make up the parent; 0 if that is not told, 1 if it is whole.
    """

    claim: str
    parent: str | None = None
    split: int = 1


@dataclass(frozen=True, slots=True)
class Devices:
    """The devices of a cluster, by uuid.

    Attributes:
        offered: whole ones.
        given: to claims, each time.
    """

    offered: frozenset[str]
    given: tuple[tuple[str, Given], ...]


DEMOS = (
    Demo("test1", ((("pod0", "ctr0"),), (("pod1", "ctr0"),))),
    Demo("test2", ((("pod0", "ctr0"), ("pod0", "ctr1")),)),
    Demo("test3", ((("pod0", "ctr0"), ("pod1", "ctr0")),)),
    Demo("test4", ((("pod0", "ctr0"),),), count=4),
    Demo("test5", ((("pod0", "ctr0"),),), count=4, split=2),
)

WAVES = (DEMOS[:4], DEMOS[4:])
"""The demos that run at the same time, one group after the other."""

STRUCTURED_DEMOS = (
    *DEMOS,
    Demo("test6", ((("pod0", "ctr0"),),), parts=(2, 4, 4)),
    Demo("test7", ((("pod0", "ctr0"),),), parts=(4,)),
)
STRUCTURED_WAVES = (STRUCTURED_DEMOS[:4], STRUCTURED_DEMOS[4:])
"""The same where kube-scheduler allocates, which can do more."""


def shortage(nodes: Sequence[int], waves: Sequence[Sequence[Demo]] = WAVES) -> str:
    """Return what nodes with so many devices lack for the demos, empty if nothing."""
    total = max(sum(demo.needed for demo in wave) for wave in waves)
    largest = max(demo.count for wave in waves for demo in wave)
    if sum(nodes) >= total and max(nodes, default=0) >= largest:
        return ""
    listed = ", ".join(map(str, nodes))
    return f"the demos need {total} devices, {largest} of them on one node; the nodes have {listed}"


def devices_of(log: str) -> list[str]:
    """Return the devices that a container's environment names, in the order of their index."""
    found = {int(number): device for number, device in _DEVICE.findall(log)}
    return [found[number] for number in sorted(found)]


def device_lines(log: str) -> list[str]:
    """Return the log lines that name a device, as `grep FAKE_DEVICE` would."""
    return [line for line in log.splitlines() if "FAKE_DEVICE" in line]


def devices_in(states: Sequence[NodeAllocationState]) -> Devices:
    """Return the devices of NodeAllocationStates; those are given that are prepared.

    Where the plugins show none, these are those of all claims.
    """
    return Devices(
        frozenset(device.id for state in states for device in state.allocatable),
        tuple(
            (device.id, Given(uid, device.parent, split=0 if device.parent else 1))
            for state in states
            for uid, prepared in prepared_on(state).items()
            for device in prepared
        ),
    )


class _Published(FakeDeviceSource):
    """The devices that a node has, whatever its driver is called, and their children."""

    def __init__(self, state: NodeAllocationState) -> None:
        super().__init__(FAKE, state.node, 0, "")
        self._devices = state.allocatable


def prepared_on(state: NodeAllocationState) -> Prepared:
    """Return what is prepared on a node, or is to be where its plugin does not show it."""
    if state.prepared_here:
        return state.prepared
    source = _Published(state)
    return {uid: prepared_devices(source, given.devices) for uid, given in state.holders.items()}


def problems(demo: Demo, logs: Logs, states: Sequence[NodeAllocationState] | Devices) -> list[str]:
    """Return everything that is wrong with a demo that runs, empty if nothing is."""
    devices = states if isinstance(states, Devices) else devices_in(states)
    seen = {c: devices_of(logs.get(c, "")) for c in demo.containers}
    given = dict(devices.given)
    split = demo.split > 1 or bool(demo.parts)
    wrong = [*_counts(demo, seen), *_sharing(demo, seen), *overlaps(devices)]
    for device in sorted({d for found in seen.values() for d in found}):
        wrong += _origin(device, given.get(device), devices.offered, split=split)
    for users in demo.claims if split else ():
        wrong += _families(demo, [given[d] for d in seen[users[0]] if d in given])
    return [f"{demo.name}: {text}" for text in wrong]


def overlaps(devices: Devices) -> list[str]:
    """Return what is given out more than once: a device, or more parts than a device has."""
    taken: dict[str, Fraction] = {}
    for device, given in devices.given:
        whole = given.parent or device
        share = Fraction(1, given.split) if given.split else Fraction(0)
        taken[whole] = taken.get(whole, Fraction(0)) + share
    holders = Counter(device for device, _ in devices.given)
    return [
        *(f"{device} is given to {n} claims" for device, n in holders.items() if n > 1),
        *(f"{n} of {device} is given out" for device, n in taken.items() if n > 1),
    ]


def leftovers(states: Sequence[NodeAllocationState]) -> list[str]:
    """Return what nodes still hold although every claim is gone."""
    return [
        f"node {state.node} still has {what} {', '.join(sorted(entries))}"
        for state in states
        for what, entries in (("allocated", state.holders), ("prepared", state.prepared))
        if entries
    ]


def _counts(demo: Demo, seen: Mapping[Container, list[str]]) -> list[str]:
    return [
        f"{pod} {container} sees {len(found)} devices, expected {demo.visible}"
        for (pod, container), found in seen.items()
        if len(set(found)) != demo.visible
    ]


def _sharing(demo: Demo, seen: Mapping[Container, list[str]]) -> list[str]:
    """Containers of one claim see the same devices, those of two claims none in common."""
    wrong = []
    owners: Counter[str] = Counter()
    for users in demo.claims:
        first = seen[users[0]]
        wrong += [
            f"{'/'.join(c)} does not share its claim's devices" for c in users if seen[c] != first
        ]
        owners.update(set(first))
    return wrong + [f"{device} is in {n} claims" for device, n in owners.items() if n > 1]


def _origin(device: str, given: Given | None, offered: frozenset[str], *, split: bool) -> list[str]:
    if given is None:
        return [f"{device} is not among the prepared devices of any node"]
    if split != (given.parent is not None):
        return [f"{device} has parent {given.parent}"]
    whole = given.parent or device
    return [] if whole in offered else [f"{device} does not come from a device of the node"]


def _families(demo: Demo, given: Sequence[Given]) -> list[str]:
    """Every allocated device has all its children in the claim, or these parts of it."""
    parents = Counter(device.parent for device in given)
    parts = tuple(sorted(device.split for device in given))
    sizes = [len(demo.parts)] if demo.parts else [demo.split] * demo.count
    wrong = []
    if sorted(parents.values()) != sizes:
        wrong.append(f"children by parent are {dict(parents)}")
    if demo.parts and parts != demo.parts:
        wrong.append(f"it has parts of {parts}, expected {demo.parts}")
    return wrong
