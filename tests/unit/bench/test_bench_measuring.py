"""Expectations, meters, and the joining of spans: what turns events into numbers."""

from collections import Counter
from unittest.mock import create_autospec

import pytest

from api.objects import Key
from bench.concurrency import concurrently, timed
from bench.counting import Effort, Meter, OwnRequests
from bench.errors import NotSeen, NotStarted
from bench.floor import Span, joined, summary
from bench.procfs import Usage
from bench.programs import Program
from bench.watching import Expectation

KEY = Key("bench/a")


def test_an_expectation_keeps_the_first_object_that_fits():
    expected = Expectation(KEY, lambda obj: obj is not None and obj["n"] > 1)
    for now, n in ((10.0, 1), (11.0, 2), (12.0, 3)):
        expected.offer({"n": n}, now)
    assert expected.wait(0) == (11.0, {"n": 2})


def test_an_expectation_of_a_deletion():
    expected = Expectation(KEY, lambda obj: obj is None)
    expected.offer(None, 5.0)
    assert expected.wait(0) == (5.0, None)


def test_what_does_not_happen_is_told_with_its_key():
    with pytest.raises(NotSeen, match="bench/a"):
        Expectation(KEY, bool).wait(0)


def test_concurrent_actions_keep_the_order_and_pass_errors_on():
    assert concurrently(lambda n: n * n, range(20), 4) == [n * n for n in range(20)]
    with pytest.raises(ZeroDivisionError):
        concurrently(lambda n: 1 / n, [1, 0], 2)


def test_timed_returns_the_result():
    seconds, result = timed(lambda: "done")
    assert result == "done"
    assert seconds >= 0


def program(*cpu: float):
    made = create_autospec(Program, instance=True, spec_set=True)
    made.usage.side_effect = [Usage(seconds, 1.0, 1.0) for seconds in cpu]
    return made


def exposition(count: int) -> str:
    labels = 'code="200",resource="pods",subresource="",verb="LIST"'
    return f"apiserver_request_total{{{labels}}} {count}\n"


def test_a_meter_takes_the_benchmarks_own_requests_off():
    own = OwnRequests()
    texts = iter([exposition(10), exposition(18)])
    meter = Meter(program(1.0, 3.0), own, lambda: next(texts))
    for _ in range(6):
        own("list", "pods", 200, 0.1)
    effort = meter.effort()
    assert effort.requests == Counter({("list", "pods", 200): 2})
    assert (effort.cpu_ms(4), effort.reads(4), effort.writes(4)) == (500.0, 0.5, 0.0)
    assert effort.breakdown(4) == {"list pods 200": 0.5}


def test_writes_of_node_states_count_with_those_that_were_refused_and_without_reads():
    made = {("patch", "200"): 3, ("patch", "409"): 1, ("get", "200"): 5}
    states = {(verb, "nodeallocationstates", int(code)): n for (verb, code), n in made.items()}
    requests = Counter({**states, ("patch", "resourceclaims", 200): 7})
    assert Effort(1.0, requests).state_writes(2) == 2.0


def test_a_meter_without_a_counting_server():
    effort = Meter(program(1.0, 3.0), OwnRequests(), None).effort()
    assert (effort.cpu_ms(2), effort.reads(2), effort.writes(2)) == (1000.0, None, None)
    assert effort.state_writes(2) is None
    assert effort.breakdown(2) == {}


def test_spans_of_processes_last_from_the_first_beginning_to_the_last_end():
    spans = [
        Span(1.0, 4.0, 0.5, {"state": [1.0]}),
        Span(2.0, 5.0, 0.25, {"state": [2.0], "status": [3.0]}),
    ]
    assert joined(spans) == Span(1.0, 5.0, 0.75, {"state": [1.0, 2.0], "status": [3.0]})


def test_rates_come_from_all_at_once_and_latencies_from_one_at_a_time():
    alone = (
        Span(0.0, 9.0, 9.0, {"status": [0.5], "state": [0.25]}),
        Span(0.0, 9.0, 9.0, {"state": [9.0]}),
    )
    together = (Span(0.0, 2.0, 0.5, {"status": [7.0]}), Span(3.0, 7.0, 0.3, {}))
    floor = summary(8, alone, together)
    assert (floor.up, floor.down, floor.cpu_ms) == (4.0, 2.0, 100.0)
    assert (floor.status_write.p50, floor.state_write.p50) == (0.5, 0.25)


def test_a_program_that_ends_is_told_with_its_log(tmp_path):
    command = ["sh", "-c", "echo no such thing; exit 3"]
    ended = pytest.raises(NotStarted, match=r"ended with 3[^$]*no such thing")
    with Program("the thing", command, tmp_path / "log") as started, ended:
        started.until("to be there", lambda: False, 20)


def test_a_program_gets_its_environment_and_is_stopped(tmp_path):
    command = ["sh", "-c", 'echo "$GREETING" && exec sleep 60']
    log = tmp_path / "log"
    with Program("a sleeper", command, log, {"GREETING": "hello"}) as started:
        assert started.until("a greeting", lambda: log.read_text() == "hello\n", 20) > 0
        assert started.usage().rss_mib > 0
    with pytest.raises(NotStarted):
        started.check()
