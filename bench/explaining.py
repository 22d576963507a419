"""Measures `fake-dra explain pod` on a large cluster, beside kubectl that gets the same objects.

The embedded API server serves both, from the benchmark's process. What is measured is a command
as a whole: from its start, with all that it imports, to its end.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from api.objects import JSON
from api.resources import NODES, PODS, STRUCTURED_VERSIONS, Resource
from bench.errors import NotSeen
from bench.figures import Command, Explaining
from bench.settings import Amount
from devcluster.apiserver.resourceapi import structured
from testing import web
from testing.apiserver import MemoryApi

DEVICES: Final = 64
"""Of every node."""

_V1: Final = STRUCTURED_VERSIONS["v1"]
_KINDS: Final = (PODS, NODES, _V1.claims, _V1.slices, _V1.classes)
_MINOR: Final = 37
_DRIVER: Final = "gpu.example.com"
_POD: Final = "waiting"
_KIB: Final = 1024
_DOES_NOT_FIT: Final = 1


def measure(amount: Amount, kubectl: str, directory: Path) -> Explaining:
    """Return what explaining a pod takes that waits, and what kubectl takes.

    Raises:
        NotSeen: a command did not end as it should.
    """
    directory.mkdir(parents=True)
    api = MemoryApi(api=structured(_MINOR))
    nodes, claims = amount.explained_nodes, amount.explained_claims
    _fill(api, nodes, claims)
    ours: list[Command] = []
    theirs: list[Command] = []
    with web.serving(api.app) as url:
        access = f"--kubeconfig={web.write_kubeconfig(url, directory / 'kubeconfig')}"
        explain = [
            sys.executable,
            "-P",
            "-m",
            "cli",
            "explain",
            "pod",
            _POD,
            "--namespace=default",
            access,
        ]
        names = ",".join(each.plural for each in _KINDS)
        get = [kubectl, access, "get", names, "--all-namespaces", "--output=json"]
        for _ in range(amount.runs):
            ours.append(_run(explain, directory / "explain.txt", _DOES_NOT_FIT))
            theirs.append(_run(get, directory / "kubectl.json", 0))
    said = (directory / "explain.txt").read_text("utf-8")
    if "nearest miss:" not in said:
        raise NotSeen(f"explain named no node, but said: {said[:500]}")
    return Explaining(nodes, DEVICES, claims, _medians(ours), _medians(theirs))


def _run(command: Sequence[str], output: Path, code: int) -> Command:
    """Run a command; what it writes goes to a file."""
    began = time.monotonic()
    with output.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)  # noqa: S603
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != code:
        told = output.read_bytes()[-500:].decode(errors="replace")
        raise NotSeen(f"{command[0]} ended with {process.returncode}, and said: {told}")
    return Command(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / _KIB)


def _medians(runs: Sequence[Command]) -> Command:
    return Command(
        median(each.seconds for each in runs),
        median(each.cpu_seconds for each in runs),
        median(each.peak_rss_mib for each in runs),
    )


def _fill(api: MemoryApi, nodes: int, claims: int) -> None:
    """Store a cluster, and a pod that asks for all devices of a model, which no node has free."""
    names = [f"node-{number:04}" for number in range(nodes)]
    expression = f'device.driver == "{_DRIVER}"'
    spec = {"selectors": [{"cel": {"expression": expression}}]}
    api.put(_V1.classes, {"metadata": {"name": "gpu"}, "spec": spec})
    for name in names:
        api.put(NODES, _node(name))
        api.put(_V1.slices, _slice(name))
    for number in range(claims):
        for resource, obj in _used(number, names[number % nodes], number // nodes % DEVICES):
            api.put(resource, obj)
    model = f'device.attributes["{_DRIVER}"].model == "H100"'
    api.put(_V1.claims, _claim(_POD, DEVICES // 2, selectors=[{"cel": {"expression": model}}]))
    api.put(PODS, {**_pod(_POD), "status": {"phase": "Pending"}})


def _node(name: str) -> JSON:
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {},
        "status": {
            "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def _slice(node: str) -> JSON:
    pool = {"name": node, "generation": 1, "resourceSliceCount": 1}
    devices = [_device(node, number) for number in range(DEVICES)]
    spec = {"driver": _DRIVER, "nodeName": node, "pool": pool, "devices": devices}
    return {"metadata": {"name": f"{node}-{_DRIVER}"}, "spec": spec}


def _device(node: str, number: int) -> JSON:
    """Return a device as drivers publish them; half of a node's are of each model."""
    attributes = {
        "model": {"string": "H100" if number % 2 else "A100"},
        "uuid": {"string": f"{node}-{number}"},
        "numa": {"int": number % 2},
        "driverVersion": {"version": "1.0.0"},
    }
    capacity = {"memory": {"value": "80Gi"}}
    return {"name": f"gpu-{number}", "attributes": attributes, "capacity": capacity}


def _claim(name: str, count: int, **asked: object) -> JSON:
    exactly = {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": count, **asked}
    spec = {"devices": {"requests": [{"name": "gpu", "exactly": exactly}]}}
    meta = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    return {"metadata": {**meta, "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": spec}


def _pod(claim: str) -> JSON:
    resources = {"requests": {"cpu": "100m"}, "claims": [{"name": "gpu"}]}
    spec = {
        "containers": [{"name": "main", "image": "busybox:1.36", "resources": resources}],
        "resourceClaims": [{"name": "gpu", "resourceClaimName": claim}],
    }
    meta = {"name": claim, "namespace": "default", "uid": f"uid-pod-{claim}"}
    return {"metadata": meta, "spec": spec}


def _used(number: int, node: str, device: int) -> Iterator[tuple[Resource, JSON]]:
    """Yield a claim that has a device of a node, and the pod that uses it there."""
    name = f"used-{number:05}"
    pod = _pod(name)
    yield PODS, {**pod, "spec": {**pod["spec"], "nodeName": node}, "status": {"phase": "Running"}}
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    result = {"request": "gpu", "driver": _DRIVER, "pool": node, "device": f"gpu-{device}"}
    status = {
        "allocation": {
            "devices": {"results": [result]},
            "nodeSelector": {"nodeSelectorTerms": [{"matchFields": [field]}]},
        },
        "reservedFor": [{"resource": "pods", "name": name, "uid": pod["metadata"]["uid"]}],
    }
    yield _V1.claims, {**_claim(name, 1), "status": status}
