"""Rows of `make reliability` beside the catalogue: hostile inputs, sick disks and API servers."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from tests.support.embedded import Embedded
from tests.support.hostile import Target, attack
from tests.support.hostilecontroller import Parameters, States
from tests.support.hostileplugin import Calls, CdiFiles, Checkpoints, PluginStates
from tests.support.outage import behind_proxy, lived_through
from tests.support.overlapping import THREADS, Overlapping
from tests.support.sickapi import SickApi
from tests.support.sickdisk import PLACES, SICK, can_mount, survived

LATE_SECONDS = 3.0
EVERY, RETRY_AFTER = 3, 1
_MEMORY = "/dev/shm"
_SHOWN = 5
"""Failures of one row that the table shows; all of them would not be read."""


@dataclass
class Row:
    """One line of the table.

    Attributes:
        fault: what happened.
        how: how it was made to happen.
        times: how often.
        lost: what was lost or wrong afterwards, each time that something was.
    """

    fault: str
    how: str
    times: int = 0
    lost: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lost = "nothing" if not self.lost else "; ".join(sorted(set(self.lost))[:_SHOWN])
        return f"| {self.fault} | {self.how} | {self.times} | {lost} |"


def hostile_rows(inputs: int, seed: int) -> Iterator[Row]:
    """Give the programs that many hostile inputs of each kind."""
    with _quick_directory() as root, ExitStack() as stack:
        names = iter("abcd")

        def below() -> Path:
            path = root / next(names)
            path.mkdir()
            return path

        calls = Calls(below())
        stack.callback(calls.close)
        yield _attacked(inputs, seed, Parameters())
        yield _attacked(inputs, seed, States(), PluginStates(below()))
        yield _attacked(inputs, seed, calls)
        yield _attacked(inputs, seed, Checkpoints(below()))
        yield _attacked(inputs, seed, CdiFiles(below()))


def kubelet_row(calls: int, seed: int) -> Iterator[Row]:
    """Let a kubelet repeat, cancel and overlap its calls."""
    how = (
        f"prepare and unprepare of four claims over a socket, {THREADS} threads, 3 of 10 cancelled"
    )
    with _quick_directory() as root:
        yield Row(
            "kubelet repeats, cancels and overlaps calls",
            how,
            calls,
            Overlapping(root).wrong(calls, seed),
        )


def disk_rows() -> Iterator[Row]:
    """Take the room or the right to write away from a real file system, if one can be mounted."""
    with tempfile.TemporaryDirectory(prefix="d") as root:
        if not can_mount(Path(root)):
            return
        for how in SICK:
            row = Row(f"{how} disk", "a real file system, below the CDI and the plugin directory")
            for place in PLACES:
                row.times += 1
                directory = Path(root, f"{how}{row.times}")
                directory.mkdir()
                row.lost += [f"{place}: {what}" for what in survived(directory, place, how)]
            yield row


def outage_rows(away: float, chance: Random) -> Iterator[Row]:
    """Let the API server be away, late and busy while a demo comes up and goes."""
    with (
        tempfile.TemporaryDirectory(prefix="r") as root,
        behind_proxy(Path(root) / "cluster") as (cluster, api),
    ):
        how = "real processes; proxy in front of the API server, at a random moment"
        row = Row(f"API server away for {away:.0f} s", how, 2)
        pause = chance.uniform(0, 0.6)
        row.lost += lived_through(cluster, api.away, pause=pause, seconds=away)
        yield row
        yield _sick(
            cluster,
            f"API server answers {LATE_SECONDS:.0f} s late",
            "real processes; proxy in front of the API server, every answer",
            lambda: api.late(LATE_SECONDS),
        )
        yield _throttled(cluster, api)


def _sick(
    cluster: Embedded, fault: str, how: str, sick: Callable[[], AbstractContextManager[None]]
) -> Row:
    return Row(fault, how, 2, lived_through(cluster, sick))


def _throttled(cluster: Embedded, api: SickApi) -> Row:
    row = _sick(
        cluster,
        "API server answers 429 with Retry-After",
        f"real processes; proxy in front of the API server, every {EVERY}rd request",
        lambda: api.busy(EVERY, RETRY_AFTER),
    )
    row.times = api.refused
    row.lost += [f"repeated before Retry-After: {request}" for request in api.hasty]
    return row


def _attacked(inputs: int, seed: int, *targets: Target) -> Row:
    row = Row(targets[0].what, targets[0].how, inputs)
    for target in targets:
        row.lost += attack(target, inputs // len(targets), seed)
    return row


@contextmanager
def _quick_directory() -> Iterator[Path]:
    """Give a directory whose path leaves room for sockets, and whose files need not be durable."""
    memory = _MEMORY if Path(_MEMORY).is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix="h", dir=memory) as root,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("os.fsync", lambda _descriptor: None)
        yield Path(root)
