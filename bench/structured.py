"""Measures a plugin of the framework in turn with another driver and a former version.

All are called over their sockets in the same way, on the same API server, each on an own node.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import growing, plugins
from bench.calls import answering
from bench.concurrency import timed
from bench.figures import Structured
from bench.plugins import Subject
from bench.pods import Way
from bench.settings import Amount
from bench.site import Site
from bench.statistics import Latency
from testing.objects import allocate, served_by

_OURS: Final = (sys.executable, "-m", "bench.driver")
_FORMER: Final = (sys.executable, "-P", "-m", "plugin")
_LOG_REQUESTS: Final = "-vmodule=round_trippers=6"
"""Has client-go log how long each request took."""

_CHECKPOINT_BYTES: Final = 4096
"""About what one of 8 claims has."""


@dataclass(frozen=True, slots=True)
class Rivals:
    """What ours is compared with.

    Attributes:
        peer: command of another driver, with the settings of the example driver of kubernetes-sigs;
            empty for none.
        former: sources of a former version; None for none.
    """

    peer: tuple[str, ...] = ()
    former: Path | None = None


def measure(site: Site, rivals: Rivals, amount: Amount, directory: Path) -> Structured:
    """Measure everything once; the directory has to be new, and be called like no other."""
    pod, outside = site.server.way, Way(site.server.way.kubeconfig)

    def subject(
        name: str, command: Sequence[str], way: Way = pod, environment: Mapping[str, str] = {}
    ) -> Subject:
        node = f"{name}-{directory.name}"
        return Subject(node, command, site, way, directory / name, environment)

    ours = plugins.measure(subject("ours", _OURS), amount)
    unavoidable = _unavoidable(site, amount.calls, directory)
    peer = None
    if rivals.peer:
        peer = plugins.measure(subject("peer", (*rivals.peer, _LOG_REQUESTS)), amount)
    former = []
    if rivals.former is not None:
        site.define()
        path = {"PYTHONPATH": str(rivals.former), "POD_NAMESPACE": site.driver.namespace}
        for way, name in ((pod, "former"), (outside, "former-outside")):
            former.append(_rss_mib(subject(name, _FORMER, way, path)))
    grown, plain = growing.measure(subject("many", _OURS), amount.many)
    return Structured(
        ours=ours,
        outside=plugins.measure(subject("outside", _OURS, outside), amount),
        peer=peer,
        former_rss_mib=former,
        unavoidable=unavoidable,
        grown=grown,
        plain=plain,
    )


def _rss_mib(subject: Subject) -> float:
    """Return the memory of a plugin after its start."""
    with subject.program() as program:
        answering(program, subject.node.registry)
        program.settle()
        return program.usage().rss_mib


def _unavoidable(site: Site, count: int, directory: Path) -> Latency:
    """Return how long one GET of a claim and two writes take that are forced to the disk."""
    claim = allocate(site.client, "none", "device", node="none", name=f"get-{directory.name}")
    resource, meta = served_by(site.client).claims, claim["metadata"]

    def once() -> None:
        site.client.get(resource, meta["name"], meta["namespace"])
        for _ in range(2):
            _write(directory / "forced")

    latency = Latency.of(timed(once)[0] for _ in range(count))
    site.client.delete(resource, meta["name"], meta["namespace"])
    return latency


def _write(path: Path) -> None:
    with path.open("wb") as file:
        file.write(bytes(_CHECKPOINT_BYTES))
        file.flush()
        os.fsync(file.fileno())
