"""`python -m tests.allocatorparity.speed`: time and memory of both sides on a large cluster."""

import json
import resource
from pathlib import Path
from time import perf_counter
from typing import Final

import click

from allocation.allocator import World, allocate
from allocation.gates import Gates
from allocation.pools import Node
from allocation.selectors import Selectors
from allocation.verdicts import Allocation
from api.objects import JSON
from tests.allocatorparity.cases import node_object, upstream, world

DRIVER: Final = "gpu.example.com"
REPEATS: Final = 10
MIB: Final = 1024


def cluster(nodes: int, devices: int) -> JSON:
    """Return a cluster of equal nodes, and a claim for one device that a selector chooses."""
    chosen = (
        f'device.driver == "{DRIVER}" && device.attributes["{DRIVER}"].index >= {devices // 2} && '
        f'device.capacity["{DRIVER}"].memory.compareTo(quantity("40Gi")) >= 0'
    )
    exactly = {
        "deviceClassName": "gpu",
        "allocationMode": "ExactCount",
        "count": 1,
        "selectors": [{"cel": {"expression": chosen}}],
    }
    of_class = [{"cel": {"expression": f'device.driver == "{DRIVER}"'}}]
    requests = {"requests": [{"name": "gpu", "exactly": exactly}]}
    return {
        "gates": dict(Gates().named),
        "slices": [_slice(f"node-{number}", devices) for number in range(nodes)],
        "classes": [{"metadata": {"name": "gpu"}, "spec": {"selectors": of_class}}],
        "allocated": [],
        "claims": [{"metadata": {"name": "c", "namespace": "d"}, "spec": {"devices": requests}}],
    }


def _slice(node: str, devices: int) -> JSON:
    made = [
        {
            "name": f"gpu-{number}",
            "attributes": {
                "index": {"int": number},
                "uuid": {"string": f"{node}-{number}"},
                "model": {"string": "LATEST-GPU-MODEL"},
                "driverVersion": {"version": "1.0.0"},
            },
            "capacity": {"memory": {"value": "80Gi"}},
        }
        for number in range(devices)
    ]
    pool = {"name": node, "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": DRIVER, "pool": pool, "nodeName": node, "devices": made}
    return {"metadata": {"name": f"00000-{node}"}, "spec": spec}


def _ours(case: JSON, nodes: list[Node]) -> tuple[float, float]:
    """Return the seconds of a round over all nodes, first and when everything is known."""
    begun = perf_counter()
    known = world(case, Selectors())
    _round(case, nodes, known)
    cold = perf_counter() - begun
    begun = perf_counter()
    for _ in range(REPEATS):
        _round(case, nodes, known)
    return cold, (perf_counter() - begun) / REPEATS


def _round(case: JSON, nodes: list[Node], known: World) -> None:
    for node in nodes:
        found = allocate(case["claims"], node, known)
        assert isinstance(found, Allocation), found


@click.command()
@click.option("--nodes", default=100)
@click.option("--devices", default=64)
@click.option("--scratch", default="/tmp/allocatorparity", help="Directory to build in.")
def main(nodes: int, devices: int, scratch: str) -> None:
    """Allocate one claim on every node, by both sides."""
    case = cluster(nodes, devices)
    named = [Node(f"node-{number}") for number in range(nodes)]
    objects = [node_object(each) for each in named]
    with upstream(Path(scratch) / "upstream") as theirs:
        theirs.ask(case, nodes=objects[:1])
        theirs.ask(case, nodes=objects)
        cold = theirs.nanoseconds / 1e9
        theirs.ask(case, nodes=objects, repeat=REPEATS)
        warm = theirs.nanoseconds / 1e9 / REPEATS
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mine = _ours(case, named)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = {
        "milliseconds": {
            "upstream": [cold * 1e3, warm * 1e3],
            "ours": [each * 1e3 for each in mine],
        },
        "ratio": {"cold": mine[0] / cold, "warm": mine[1] / warm},
        "MiB": {"objects and imports": before / MIB, "peak": peak / MIB},
    }
    click.echo(json.dumps(told))


if __name__ == "__main__":
    main()
