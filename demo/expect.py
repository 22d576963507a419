"""What each demo must show, as checks over container logs and NodeAllocationStates.

Pure: used by the walkthrough and by the end-to-end tests, on whatever cluster they run.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.nas import NodeAllocationState, PreparedDevice
from api.objects import DeviceID

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
    """

    name: str
    claims: tuple[tuple[Container, ...], ...]
    count: int = 1
    split: int = 0

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
        return self.count * max(self.split, 1)


DEMOS = (
    Demo("test1", ((("pod0", "ctr0"),), (("pod1", "ctr0"),))),
    Demo("test2", ((("pod0", "ctr0"), ("pod0", "ctr1")),)),
    Demo("test3", ((("pod0", "ctr0"), ("pod1", "ctr0")),)),
    Demo("test4", ((("pod0", "ctr0"),),), count=4),
    Demo("test5", ((("pod0", "ctr0"),),), count=4, split=2),
)

WAVES = (DEMOS[:4], DEMOS[4:])
"""The demos that run at the same time, one group after the other."""


def shortage(nodes: Sequence[int]) -> str:
    """Return what nodes with so many devices lack for the demos, empty if nothing."""
    total = max(sum(demo.needed for demo in wave) for wave in WAVES)
    largest = max(demo.count for demo in DEMOS)
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


def problems(demo: Demo, logs: Logs, states: Sequence[NodeAllocationState]) -> list[str]:
    """Return everything that is wrong with a demo that runs, empty if nothing is."""
    seen = {c: devices_of(logs.get(c, "")) for c in demo.containers}
    prepared = {d.id: d for s in states for given in s.prepared.values() for d in given}
    offered = {d.id for s in states for d in s.allocatable}
    wrong = [*_counts(demo, seen), *_sharing(demo, seen)]
    for device in sorted({d for found in seen.values() for d in found}):
        wrong += _origin(device, prepared.get(DeviceID(device)), offered, split=demo.split > 1)
    if demo.split > 1:
        wrong += _families(demo, seen, prepared)
    return [f"{demo.name}: {text}" for text in wrong]


def leftovers(states: Sequence[NodeAllocationState]) -> list[str]:
    """Return what nodes still hold although every claim is gone."""
    return [
        f"node {state.node} still has {what} {', '.join(sorted(entries))}"
        for state in states
        for what, entries in (("allocated", state.allocated), ("prepared", state.prepared))
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


def _origin(
    device: str, prepared: PreparedDevice | None, offered: set[DeviceID], *, split: bool
) -> list[str]:
    if prepared is None:
        return [f"{device} is not among the prepared devices of any node"]
    whole = prepared.parent if split else prepared.id
    if split != (prepared.parent is not None):
        return [f"{device} has parent {prepared.parent}"]
    return [] if whole in offered else [f"{device} does not come from a device of the node"]


def _families(
    demo: Demo, seen: Mapping[Container, list[str]], prepared: Mapping[DeviceID, PreparedDevice]
) -> list[str]:
    """Every allocated device has all its children in the claim."""
    wrong = []
    for users in demo.claims:
        parents = Counter(
            prepared[d].parent for d in map(DeviceID, seen[users[0]]) if d in prepared
        )
        if sorted(parents.values()) != [demo.split] * demo.count:
            wrong.append(f"children by parent are {dict(parents)}")
    return wrong
