"""A plugin compared with others: at which figures promises are kept, and what several runs say."""

import dataclasses
from typing import Any

import pytest

from bench.comparing import compared
from bench.figures import Calls, Figures, Plugin, Start, Structured
from bench.goals import goals
from bench.report import text
from bench.statistics import Latency
from tests.support.tables import cases

MS = 0.001
PREPARE = "prepare p50, 1 at a time, ms"


def latency(ms: float) -> Latency:
    return Latency(9, ms * MS, 2 * ms * MS)


PEER = Plugin(
    start=Start(0.1, 1.0, 50.0),
    calls=(Calls(1, latency(40.0), latency(4.0)), Calls(8, latency(50.0), latency(10.0))),
    fast=latency(10.0),
    cpu_ms=2.0,
    reads=1.0,
    writes=0.0,
    reads_down=0.0,
    rss_mib=60.0,
)
OURS = Plugin(
    start=Start(0.7, 0.8, 55.0),
    calls=(Calls(1, latency(8.0), latency(4.0)), Calls(8, latency(20.0), latency(10.0))),
    fast=None,
    cpu_ms=3.0,
    reads=1.0,
    writes=0.0,
    reads_down=0.0,
    rss_mib=66.0,
)
OUTSIDE = dataclasses.replace(OURS, start=Start(1.0, 1.0, 60.0))
RUN = Structured(
    ours=OURS,
    outside=OUTSIDE,
    peer=PEER,
    former_rss_mib=(55.0 / 0.8, 100.0),
    unavoidable=latency(8.0 / 1.5),
    grown=1.2,
    plain=1.0,
)


def missed(*runs: Structured) -> list[str]:
    """Return the goals that are clearly not met."""
    found = goals(Figures("server", 8, structured=list(runs)))
    return [each.name for each in found if not each.met and each.value - each.bound > 1e-9]


def test_whoever_is_exactly_at_every_bound_keeps_every_promise() -> None:
    found = goals(Figures("server", 8, structured=[RUN]))
    assert {each.name for each in found if round(each.value, 9) != round(each.bound, 9)} == set()
    assert len(found) == 16


def ours(**changed: Any) -> Structured:
    return dataclasses.replace(RUN, ours=dataclasses.replace(OURS, **changed))


@cases(
    ("run", "name"),
    {
        "prepare": (
            dataclasses.replace(RUN, peer=dataclasses.replace(PEER, fast=latency(9.0))),
            "prepare p50, 1 at a time, ms ÷ the peer with a fast GET",
        ),
        "requests": (ours(reads=2.0), "reads of a prepare"),
        "writes": (ours(writes=0.1), "writes of a prepare"),
        "unprepare": (ours(reads_down=0.1), "reads of an unprepare"),
        "cpu": (ours(cpu_ms=3.1), "CPU of a call, ms ÷ the peer"),
        "memory": (ours(rss_mib=67.0), "RSS at the end, MiB ÷ the peer"),
        "socket": (ours(start=Start(0.8, 0.8, 55.0)), "socket serving after start, s"),
        "slices": (ours(start=Start(0.7, 0.9, 55.0)), "slices after start, s ÷ the peer"),
        "disk": (
            dataclasses.replace(RUN, unavoidable=latency(5.0)),
            "prepare p50, 1 at a time, ms ÷ a GET and two fsyncs",
        ),
        "many": (dataclasses.replace(RUN, plain=0.9), "5,000 devices, s ÷ a plain client"),
        "outside": (
            dataclasses.replace(RUN, former_rss_mib=(100.0, 99.0)),
            "RSS after start with a kubeconfig, MiB ÷ the former version",
        ),
    },
)
def test_one_broken_promise_shows_as_one(run: Structured, name: str) -> None:
    assert missed(run) == [name]


def test_of_several_runs_the_medians_count_and_the_ratios_are_those_within_a_run() -> None:
    runs = [dataclasses.replace(RUN, grown=grown, plain=1.0) for grown in (1.0, 5.0, 1.1)]
    runs[0] = dataclasses.replace(runs[0], plain=0.5)
    (found,) = (each for each in compared(runs) if each.name == "5,000 devices, s")
    assert (found.value, found.other, found.ratio) == (1.1, 1.0, 2.0)


def test_without_peer_and_former_version_only_ours_is_told() -> None:
    alone = dataclasses.replace(RUN, peer=None, former_rss_mib=())
    told = text(Figures("server", 8, structured=[alone]))
    assert "prepare p50, 1 at a time, ms" in told
    assert "peer" not in told
    assert "former" not in told


def test_a_peer_that_logs_no_requests_is_compared_without_its_fast_calls() -> None:
    silent = dataclasses.replace(RUN, peer=dataclasses.replace(PEER, fast=None))
    found = {each.to: each.ratio for each in compared([silent]) if each.name == PREPARE}
    assert found == {"the peer": pytest.approx(0.2), "a GET and two fsyncs": pytest.approx(1.5)}
