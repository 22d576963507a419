import dataclasses
import json
import re
from typing import Any

from bench.figures import (
    Calls,
    Classic,
    Command,
    Explaining,
    Figures,
    Floor,
    Freed,
    Gathered,
    Negotiation,
    Node,
    Rollout,
    Scale,
    Webhook,
)
from bench.goals import Goal, goals
from bench.report import as_json, text
from bench.statistics import Latency
from bench.variants import Variant
from tests.support.tables import cases

MS = 0.001
HANDLE, FORMER = Variant(communication="handle"), Variant("former")
FLOOR = Floor(100.0, 80.0, Latency(9, 2 * MS, 4 * MS), Latency(9, 3 * MS, 5 * MS), 11.0)
NEGOTIATION = Negotiation(
    variant=Variant(),
    potential=16,
    floor=FLOOR,
    ask=Latency(9, 3 * MS, 5 * MS),
    allocate=Latency(9, 3 * MS, 6 * MS),
    free=Latency(9, 3 * MS, 6 * MS),
    up=95.0,
    down=76.0,
    writes=7.7,
    reads=0.0,
    requests={"patch nodeallocationstates 200": 2.0},
    cpu_ms=9.0,
    bench_cpu_ms=5.0,
    first_answer=0.7,
    peak_rss_mib=70.0,
)
MANY = dataclasses.replace(NEGOTIATION, potential=128, up=85.0)
NEGOTIATIONS = [
    NEGOTIATION,
    MANY,
    # neither rates nor latencies of a former version are a goal
    dataclasses.replace(MANY, variant=FORMER, cpu_ms=15.0, up=1.0, ask=Latency(9, 1.0, 1.0)),
    # node states are written once more by the handle mode, later and for several claims
    dataclasses.replace(NEGOTIATION, variant=HANDLE, writes=9.0, reads=1.0),
]
SCALE = Scale(
    nodes=10_000,
    claims=10_000,
    first_answer=4.0,
    rss_mib=150.0,
    peak_rss_mib=200.0,
    ask=Latency(9, 3 * MS, 6 * MS),
    answer_cpu_ms=3.0,
    cold_answer_cpu_ms=50.0,
    reads=0.0,
    event_cpu_ms=0.3,
)


def calls(alone: float, together: float) -> tuple[Calls, ...]:
    """Return calls one and 8 at a time whose prepares took so many milliseconds."""
    unprepare = Latency(9, 6 * MS, 9 * MS)
    return tuple(
        Calls(concurrency, Latency(9, ms * MS, 99 * MS), unprepare)
        for concurrency, ms in ((1, alone), (8, together))
    )


NODE = Node(
    variant=Variant(),
    calls=calls(4.5, 9.0),
    state_write=Latency(9, 3 * MS, 5 * MS),
    state_writes=1.0,
    cpu_ms=2.0,
    first_answer=1.0,
    peak_rss_mib=60.0,
)
NODES = [
    NODE,
    dataclasses.replace(NODE, variant=FORMER, calls=calls(99.0, 99.0), first_answer=9.0),
    dataclasses.replace(NODE, variant=HANDLE, calls=calls(2.7, 5.4), state_writes=0.0),
]
CLASSIC = Classic(
    NEGOTIATIONS,
    Freed(Latency(9, 0.1, 0.1), NODE.state_write),
    Gathered(8, up=2.0, down=8.0),
    [SCALE],
    NODES,
)
ALL = Figures(
    "server",
    8,
    [CLASSIC],
    webhook=Webhook(200, Latency(9, 2 * MS, 20 * MS), Latency(9, 1 * MS, 2 * MS), 1.0),
    explaining=Explaining(1000, 64, 5000, Command(5.0, 4.0, 300.0), Command(2.5, 1.0, 500.0)),
    rollouts=[
        Rollout("classic", "former", 50, 500, 20.0, 30.0, 40.0, 50.0),
        Rollout("classic", "ours", 50, 500, 20.0, 30.0, 20.0, 20.0),
        Rollout("structured", "ours", 50, 500, 20.0, 30.0, 20.0, 20.0),
    ],
    others=0.25,
)


def explaining(command: Command, kubectl: float = 2.6) -> Explaining:
    return Explaining(1000, 64, 5000, command, Command(kubectl, 1.0, 500.0))


def test_whoever_is_exactly_at_every_bound_keeps_every_promise():
    missed = [goal for goal in goals(ALL) if round(goal.value, 9) != round(goal.bound, 9)]
    assert {goal.name for goal in missed} == set()


def negotiation(place: int, **worse: Any) -> dict[str, Any]:
    found = list(NEGOTIATIONS)
    found[place] = dataclasses.replace(found[place], **worse)
    return {"negotiations": found}


def node(place: int, **worse: Any) -> dict[str, Any]:
    found = list(NODES)
    found[place] = dataclasses.replace(found[place], **worse)
    return {"nodes": found}


def scale(**worse: Any) -> dict[str, Any]:
    return {"scales": [dataclasses.replace(SCALE, **worse)]}


def clearly_missed(figures: Figures) -> list[str]:
    return [goal.name for goal in goals(figures) if not goal.met and not close(goal)]


@cases(
    ("worse", "name"),
    {
        "up": (negotiation(0, up=94.0), "claims/s up ÷ floor, 16 potential nodes"),
        "up-many": (negotiation(1, up=84.0), "claims/s up ÷ floor, 128 potential nodes"),
        "up-handle": (
            negotiation(3, up=94.0),
            "claims/s up ÷ floor, 16 potential nodes, handle mode",
        ),
        "down": (negotiation(0, down=75.0), "claims/s down ÷ floor, 16 potential nodes"),
        "writes": (
            negotiation(0, writes=7.8),
            "requests ÷ unavoidable writes, 16 potential nodes",
        ),
        "answer": (
            negotiation(0, ask=Latency(9, 3 * MS, 6 * MS)),
            "unsuitableNodes p99 ÷ status write, 16 potential nodes",
        ),
        "former-cpu": (
            negotiation(2, cpu_ms=14.0),
            "CPU per claim, 128 potential nodes, ms ÷ the former version",
        ),
        "gathered": (
            {"gathered": Gathered(8, up=3.0, down=1.0)},
            "NAS writes for 8 claims on one node at the same time",
        ),
        "freed": (
            {"freed": Freed(Latency(9, 0.01, 0.11), NODE.state_write)},
            "freed device to answer p99, ms",
        ),
        "cpu": (scale(answer_cpu_ms=3.1), "CPU of an answer for 128 nodes, ms, 10000 nodes"),
        "change": (scale(event_cpu_ms=0.31), "CPU of a NAS change, ms, 10000 nodes"),
        "memory": (scale(peak_rss_mib=201.0), "controller's peak RSS, MiB, 10000 nodes"),
        "start": (scale(first_answer=4.1), "first answer after start, s, 10000 nodes"),
        "reads": (scale(reads=0.1), "reads per answer, 10000 nodes"),
        "plugin-memory": (node(0, peak_rss_mib=61.0), "plugin's peak RSS, MiB"),
        "plugin-start": (node(2, first_answer=1.1), "plugin's cold start, s, handle mode"),
        "prepare": (node(0, calls=calls(4.6, 9.0)), "prepare p50 ÷ NAS write, 1 at a time"),
        "prepares": (node(0, calls=calls(4.5, 9.1)), "prepare p50 ÷ NAS write, 8 at a time"),
        "handle": (node(2, calls=calls(2.8, 5.4)), "prepare p50, 1 at a time, ms ÷ the NAS mode"),
        "handles": (node(2, calls=calls(2.7, 5.5)), "prepare p50, 8 at a time, ms ÷ the NAS mode"),
        "handle-writes": (node(2, state_writes=0.1), "NAS writes of a prepare, handle mode"),
    },
)
def test_one_broken_promise_of_a_classic_driver_shows_as_one(
    worse: dict[str, Any], name: str
) -> None:
    run = dataclasses.replace(CLASSIC, **worse)
    assert clearly_missed(dataclasses.replace(ALL, classic=[run])) == [name]


@cases(
    "worse",
    {
        "webhook": {"webhook": Webhook(200, Latency(9, MS, 21 * MS), Latency(9, MS, 20 * MS), 1.0)},
        "explain-time": {"explaining": explaining(Command(5.1, 4.0, 300.0))},
        "explain-memory": {"explaining": explaining(Command(5.0, 4.0, 301.0))},
        "explain-ratio": {"explaining": explaining(Command(5.0, 4.0, 300.0), 2.4)},
    },
)
def test_one_broken_promise_shows_as_one(worse):
    assert len(clearly_missed(dataclasses.replace(ALL, **worse))) == 1


def test_of_several_runs_the_median_counts_and_json_has_all() -> None:
    runs = [dataclasses.replace(CLASSIC, **scale(first_answer=s)) for s in (9.0, 3.0, 3.5)]
    told = json.loads(as_json(Figures("server", 8, runs)))
    (start,) = (goal for goal in told["goals"] if goal["name"].startswith("first answer"))
    assert (start["value"], start["values"], start["met"]) == (3.5, [9.0, 3.0, 3.5], True)
    assert [run["scales"][0]["first_answer"] for run in told["classic"]] == [9.0, 3.0, 3.5]
    assert re.search(r"first answer after start, s +\| +3\.50 ", text(Figures("server", 8, runs)))


def close(goal: Goal) -> bool:
    return abs(goal.value - goal.bound) < 1e-9


def test_without_counted_requests_nothing_is_promised_of_them():
    uncounted = dataclasses.replace(NEGOTIATION, writes=None, reads=None, requests={})
    names = [goal.name for goal in goals(Figures("devcluster", 8, [Classic([uncounted])]))]
    assert not [name for name in names if "requests" in name or "reads" in name]


def test_the_report_shows_every_part_and_every_goal():
    told = text(ALL)
    for part in (
        "16 potential nodes",
        "16 potential nodes, handle mode",
        "all 10 writes",
        "10000 nodes, 10000 claims",
        "kubelet plugin",
        "kubelet plugin, 8 devices, handle mode",
        "reference: the former version",
        "admission webhook",
        "1000 nodes of 64 devices, 5000 claims",
        "other programs used 25 % of the machine",
    ):
        assert part in told
    assert all(goal.name in told for goal in goals(ALL))


def test_a_report_without_counted_requests_says_so():
    uncounted = dataclasses.replace(NEGOTIATION, writes=None, reads=None, requests={})
    assert "not counted" in text(Figures("devcluster", 8, [Classic([uncounted])]))


def test_json_has_the_figures_and_the_goals():
    told = json.loads(as_json(ALL))
    assert told["classic"][0]["negotiations"][0]["floor"]["status_write"]["p50"] == 2 * MS
    assert {goal["name"] for goal in told["goals"]} == {goal.name for goal in goals(ALL)}
