"""A kubelet's claim manager with a fake driver, on an API server of a few claims."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from api.contract import FAKE
from api.objects import JSON
from api.pods import Pod
from devcluster.kubelet.checkpoint import Checkpoint
from devcluster.kubelet.claims import ClaimManager
from devcluster.kubelet.dialect import DIALECTS, Dialect
from devcluster.kubelet.draclient import Answer, CdiDevice, ClaimRequest
from kube.errors import NotFound
from tests.support.build import allocated, claim, pod, reserved


class FakeDriver:
    """Answers with one device per claim, or as a test says."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[ClaimRequest]]] = []
        self.answers: Callable[[Sequence[ClaimRequest]], dict[str, Answer]] = one_device_each

    def prepare(self, claims: Sequence[ClaimRequest]) -> Mapping[str, Answer]:
        self.calls.append(("prepare", list(claims)))
        return self.answers(claims)

    def unprepare(self, claims: Sequence[ClaimRequest]) -> Mapping[str, Answer]:
        self.calls.append(("unprepare", list(claims)))
        return self.answers(claims)

    @property
    def uids(self) -> list[tuple[str, list[str]]]:
        return [(verb, [c.uid for c in claims]) for verb, claims in self.calls]


def one_device_each(claims: Sequence[ClaimRequest]) -> dict[str, Answer]:
    return {c.uid: Answer((CdiDevice(f"cdi/dev={c.uid}"),)) for c in claims}


class Node:
    """A claim manager with a driver, on an API server of a few claims."""

    def __init__(self, path: Path, *claims: JSON, dialect: Dialect = DIALECTS["1.30"]) -> None:
        self.claims = {c["metadata"]["name"]: c for c in claims}
        self.driver = FakeDriver()
        self.drivers: dict[str, Any] = {FAKE.driver_name: self.driver}
        self.dialect = dialect
        self.checkpoint = Checkpoint(path / "state")
        self.restart()

    def restart(self) -> None:
        """Let a new kubelet process take over."""
        self.manager = ClaimManager(self.fetch, self.drivers.get, self.dialect, self.checkpoint)

    def fetch(self, namespace: str, name: str) -> JSON:
        if name not in self.claims:
            raise NotFound(404, "NotFound", f"claim {name} not found")
        return self.claims[name]


def using(name: str, *claims: str, unused: Sequence[str] = ()) -> Pod:
    """Return a pod with a container that uses claims of these names."""
    uses = [{"name": c} for c in claims]
    container = {"name": "main", "resources": {"claims": uses}}
    entries = [(c, c) for c in (*claims, *unused)]
    return Pod(pod(name, *entries, containers=[container]))


def ready(name: str = "claim", *pods: str) -> JSON:
    """Return an allocated claim that is reserved for pods."""
    made = reserved(allocated(claim(name)))
    made["status"]["reservedFor"] = [
        {"resource": "pods", "name": p, "uid": f"uid-{p}"} for p in pods or ("pod",)
    ]
    return made
