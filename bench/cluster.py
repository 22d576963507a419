"""Measures the embedded cluster: how long many pods with a claim each take until all of them run.

The cluster has the driver with all its programs, a plugin for each node. Beside the time stands the
CPU time of the cluster and of everything that it started, which other programs disturb less.
"""

import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from api.names import STATUS_READY
from api.objects import JSON
from api.resources import (
    DRA_V1ALPHA2,
    NAMESPACES,
    PODS,
    STATES,
    STRUCTURED_VERSIONS,
    Resource,
)
from bench.concurrency import concurrently
from bench.figures import Rollout
from bench.procfs import tree_cpu_seconds
from bench.programs import Program, settle
from bench.settings import DEVICES, Amount
from bench.watching import Watched
from devcluster.manifests import CLASS_NAME
from kube.client import Client

_NAMESPACE: Final = "bench"
_NAME: Final = "devices"
_LANES: Final = 8
_START_SECONDS: Final = 300.0
_SECONDS: Final = 200.0
_STRUCTURED: Final = STRUCTURED_VERSIONS["v1"]
_MODULE: Final = (sys.executable, "-P", "-m", "devcluster")
_CLAIM_SPECS: Final[Mapping[str, JSON]] = {
    "classic": {"resourceClassName": CLASS_NAME},
    "structured": {
        "devices": {"requests": [{"name": "one", "exactly": {"deviceClassName": CLASS_NAME}}]}
    },
}
_ENVIRONMENT: Final = {"PYTHONDONTWRITEBYTECODE": ""}
"""Modules are compiled once; everything else is as users have it."""

_RELEASES: Final = {"classic": "1.30", "structured": "1.37"}


def measure(amount: Amount, former: Path | None, directory: Path) -> Iterator[Rollout]:
    """Measure classic claims, on a former version, too, and structured ones.

    Args:
        amount: numbers of nodes and pods.
        former: its sources; None for none.
        directory: new.

    Raises:
        DriverError: something did not start, or a pod does not run.
    """
    if former is not None:
        path = {"PYTHONPATH": str(former)}
        yield _measure("classic", "former", _former(path), amount, directory, path)
    for kind, release in _RELEASES.items():
        command = (*_MODULE, "up", "--kubernetes", release)
        yield _measure(kind, "ours", command, amount, directory)


def _former(path: Mapping[str, str]) -> Sequence[str]:
    """Return the command of a version that may be from before there were subcommands."""
    command = (*_MODULE, "up")
    asked = subprocess.run(  # noqa: S603
        [*command, "--help"], env={**_ENVIRONMENT, **path}, capture_output=True, check=False
    )
    return _MODULE if asked.returncode else command


def _measure(
    kind: str,
    whose: str,
    command: Sequence[str],
    amount: Amount,
    directory: Path,
    path: Mapping[str, str] = {},
) -> Rollout:
    name = f"{whose}-{kind}"
    # paths of sockets below it have to be short
    state = directory / name[0:1] / kind[0:1]
    options = (f"--nodes={amount.rollout_nodes}", f"--num-devices={2 * DEVICES}", "-v0")
    program = Program(
        name,
        [*command, *options, f"--state-dir={state}"],
        directory / f"{name}.log",
        {**_ENVIRONMENT, **path},
    )
    with program:
        kubeconfig = state / "kubeconfig"
        program.until("its kubeconfig", kubeconfig.exists, _START_SECONDS)
        client = Client.from_kubeconfig(
            str(kubeconfig), qps=0, burst=1, user_agent="bench", pool=2 * _LANES
        )
        with closing(client):
            started = _await_devices(program, client, kind, amount.rollout_nodes)
            settle(lambda: tree_cpu_seconds(program.pid))
            ready_cpu = tree_cpu_seconds(program.pid)
            seconds, cpu = _roll_out(program, client, kind, amount)
    return Rollout(
        kind, whose, amount.rollout_nodes, amount.rollout_pods, started, ready_cpu, seconds, cpu
    )


def _await_devices(program: Program, client: Client, kind: str, nodes: int) -> float:
    """Wait until every node offers its devices; return the seconds since the start."""
    resource, ready = (
        (STATES, _has_devices) if kind == "classic" else (_STRUCTURED.slices, _is_whole)
    )
    with Watched(client, resource) as seen:
        return program.until(
            f"{nodes} nodes with devices",
            lambda: sum(ready(each) for each in _by_node(seen.list())) == nodes,
            _START_SECONDS,
        )


def _by_node(found: Iterable[JSON]) -> Iterable[list[JSON]]:
    """Return the node states, or the slices, of each node."""
    nodes: dict[str, list[JSON]] = {}
    for each in found:
        name = (each.get("spec") or {}).get("nodeName") or each["metadata"]["name"]
        nodes.setdefault(name, []).append(each)
    return nodes.values()


def _has_devices(states: Sequence[JSON]) -> bool:
    return all(state.get("status") == STATUS_READY for state in states)


def _is_whole(slices: Sequence[JSON]) -> bool:
    return len(slices) == int(slices[0]["spec"]["pool"]["resourceSliceCount"])


def _roll_out(program: Program, client: Client, kind: str, amount: Amount) -> tuple[float, float]:
    """Create pods; return the seconds and the CPU seconds until all run."""
    template, pods = _objects(kind, amount.rollout_pods)
    client.create(NAMESPACES, {"metadata": {"name": _NAMESPACE}})
    client.create(_templates(kind), template)
    with Watched(client, PODS, _NAMESPACE) as seen:
        before, began = tree_cpu_seconds(program.pid), time.monotonic()
        concurrently(lambda pod: client.create(PODS, pod), pods, _LANES)
        program.until(f"{len(pods)} running pods", lambda: _run(seen, len(pods)), _SECONDS)
        seconds = time.monotonic() - began
        return seconds, tree_cpu_seconds(program.pid) - before


def _run(pods: Watched, expected: int) -> bool:
    phases = [(pod.get("status") or {}).get("phase") for pod in pods.list()]
    return phases.count("Running") == expected


def _templates(kind: str) -> Resource:
    return (DRA_V1ALPHA2 if kind == "classic" else _STRUCTURED).templates


def _objects(kind: str, count: int) -> tuple[JSON, list[JSON]]:
    """Return a template of claims, and pods that use it."""
    spec = _CLAIM_SPECS[kind]
    meta = {"name": _NAME, "namespace": _NAMESPACE}
    link = {"resourceClaimTemplateName": _NAME}
    claim = {"name": _NAME, **({"source": link} if kind == "classic" else link)}
    container = {
        "name": "main",
        "image": "none",
        "command": ["sleep", "9999"],
        "resources": {"claims": [{"name": _NAME}]},
    }
    pods = [
        {
            "metadata": {"name": f"pod-{number:04}", "namespace": _NAMESPACE},
            "spec": {"containers": [container], "resourceClaims": [claim]},
        }
        for number in range(count)
    ]
    return {"metadata": meta, "spec": {"spec": spec}}, pods
