import dataclasses
import json

from bench.figures import (
    Calls,
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
from tests.support.tables import cases

MS = 0.001
FLOOR = Floor(100.0, 80.0, Latency(9, 2 * MS, 4 * MS), Latency(9, 3 * MS, 5 * MS), 11.0)
NEGOTIATION = Negotiation(
    potential=16,
    floor=FLOOR,
    ask=Latency(9, 3 * MS, 6 * MS),
    allocate=Latency(9, 3 * MS, 6 * MS),
    free=Latency(9, 3 * MS, 6 * MS),
    up=80.0,
    down=64.0,
    writes=7.7,
    reads=0.0,
    requests={"patch nodeallocationstates 200": 2.0},
    cpu_ms=9.0,
    bench_cpu_ms=5.0,
    first_answer=0.7,
    peak_rss_mib=70.0,
)
SCALE = Scale(
    nodes=5000,
    claims=10_000,
    first_answer=10.0,
    rss_mib=250.0,
    peak_rss_mib=300.0,
    ask=Latency(9, 3 * MS, 6 * MS),
    answer_cpu_ms=5.0,
    cold_answer_cpu_ms=50.0,
    reads=0.0,
    event_cpu_ms=0.4,
)
NODE = Node(
    calls=(Calls(1, Latency(9, 6 * MS, 9 * MS), Latency(9, 6 * MS, 9 * MS)),),
    state_write=Latency(9, 3 * MS, 5 * MS),
    cpu_ms=2.0,
    first_answer=1.0,
    peak_rss_mib=60.0,
)
ALL = Figures(
    "server",
    8,
    [NEGOTIATION],
    Freed(Latency(9, 0.1, 0.1), NODE.state_write),
    Gathered(8, up=2.0, down=8.0),
    [SCALE],
    NODE,
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


@cases(
    "worse",
    {
        "up": {"negotiations": [dataclasses.replace(NEGOTIATION, up=79.0)]},
        "down": {"negotiations": [dataclasses.replace(NEGOTIATION, down=63.0)]},
        "writes": {"negotiations": [dataclasses.replace(NEGOTIATION, writes=7.8)]},
        "answer": {
            "negotiations": [dataclasses.replace(NEGOTIATION, ask=Latency(9, 3 * MS, 7 * MS))]
        },
        "gathered": {"gathered": Gathered(8, up=3.0, down=1.0)},
        "freed": {"freed": Freed(Latency(9, 0.01, 0.11), NODE.state_write)},
        "cpu": {"scales": [dataclasses.replace(SCALE, answer_cpu_ms=6.0)]},
        "memory": {"scales": [dataclasses.replace(SCALE, peak_rss_mib=301.0)]},
        "start": {"scales": [dataclasses.replace(SCALE, first_answer=11.0)]},
        "reads": {"scales": [dataclasses.replace(SCALE, reads=0.1)]},
        "plugin-memory": {"node": dataclasses.replace(NODE, peak_rss_mib=61.0)},
        "plugin-start": {"node": dataclasses.replace(NODE, first_answer=1.1)},
        "webhook": {"webhook": Webhook(200, Latency(9, MS, 21 * MS), Latency(9, MS, 20 * MS), 1.0)},
        "explain-time": {"explaining": explaining(Command(5.1, 4.0, 300.0))},
        "explain-memory": {"explaining": explaining(Command(5.0, 4.0, 301.0))},
        "explain-ratio": {"explaining": explaining(Command(5.0, 4.0, 300.0), 2.4)},
        "prepare": {"node": dataclasses.replace(NODE, state_write=Latency(9, 2 * MS, 2 * MS))},
    },
)
def test_one_broken_promise_shows_as_one(worse):
    changed = dataclasses.replace(ALL, **worse)
    clearly = [goal for goal in goals(changed) if not goal.met and not close(goal)]
    assert len(clearly) == 1


def close(goal: Goal) -> bool:
    return abs(goal.value - goal.bound) < 1e-9


def test_without_counted_requests_nothing_is_promised_of_them():
    uncounted = dataclasses.replace(NEGOTIATION, writes=None, reads=None, requests={})
    names = [goal.name for goal in goals(Figures("devcluster", 8, [uncounted]))]
    assert not [name for name in names if "requests" in name or "reads" in name]


def test_the_report_shows_every_part_and_every_goal():
    told = text(ALL)
    for part in (
        "16 potential nodes",
        "5000 nodes, 10000 claims",
        "kubelet plugin",
        "admission webhook",
        "1000 nodes of 64 devices, 5000 claims",
        "other programs used 25 % of the machine",
    ):
        assert part in told
    assert all(goal.name in told for goal in goals(ALL))


def test_a_report_without_counted_requests_says_so():
    uncounted = dataclasses.replace(NEGOTIATION, writes=None, reads=None, requests={})
    assert "not counted" in text(Figures("devcluster", 8, [uncounted]))


def test_json_has_the_figures_and_the_goals():
    told = json.loads(as_json(ALL))
    assert told["negotiations"][0]["floor"]["status_write"]["p50"] == 2 * MS
    assert {goal["name"] for goal in told["goals"]} == {goal.name for goal in goals(ALL)}
