import threading
import time
from unittest.mock import create_autospec

import pytest

from api.objects import JSON
from api.resources import EVENTS
from kube import errors
from kube.client import Client
from kube.errors import KubeError
from kube.events import EventRecorder
from kube.eventseries import Correlator
from kube.ratelimit import TokenBucket

CLAIM = {
    "apiVersion": "resource.k8s.io/v1alpha2",
    "kind": "ResourceClaim",
    "metadata": {"namespace": "ns", "name": "claim", "uid": "u1", "resourceVersion": "5"},
}
CLASS = {
    "apiVersion": "resource.k8s.io/v1alpha2",
    "kind": "ResourceClass",
    "metadata": {"name": "gpu", "uid": "u2"},
}
NOT_FOUND = errors.NotFound(404, "NotFound")
AT_1000 = "e8d4a51000"
"""1000 s after the epoch, when the tests begin, in nanoseconds and hexadecimal."""
AT_1060 = "f6ccec6800"


@pytest.fixture
def client():
    return create_autospec(Client, instance=True, spec_set=True)


@pytest.fixture
def make(client, clock):
    """Return a function that makes a recorder with the times of the fake clock."""

    def recorder(**options: object) -> EventRecorder:
        settings = {"component": "driver", "now": lambda: int(clock() * 10**9), **options}
        return EventRecorder(client, correlator=Correlator(clock=clock), **settings)

    return recorder


def flush(recorder: EventRecorder) -> None:
    recorder.start()
    recorder.stop()


def created(client) -> list[JSON]:
    return [each.args[1] for each in client.post.call_args_list]


def test_event_has_what_kubectl_shows(client, make) -> None:
    recorder = make()
    recorder.warning(CLAIM, "Failed", "no device")
    flush(recorder)
    client.post.assert_called_once_with(
        EVENTS,
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"claim.{AT_1000}", "namespace": "ns"},
            "involvedObject": {
                "apiVersion": "resource.k8s.io/v1alpha2",
                "kind": "ResourceClaim",
                "namespace": "ns",
                "name": "claim",
                "uid": "u1",
                "resourceVersion": "5",
            },
            "type": "Warning",
            "reason": "Failed",
            "message": "no device",
            "count": 1,
            "firstTimestamp": "1970-01-01T00:16:40Z",
            "lastTimestamp": "1970-01-01T00:16:40Z",
            "source": {"component": "driver"},
            "reportingComponent": "driver",
            "reportingInstance": "",
        },
    )


def test_host_is_named_if_there_is_one(client, make) -> None:
    recorder = make(host="node-1")
    recorder.normal(CLAIM, "Prepared", "ok")
    flush(recorder)
    (body,) = created(client)
    assert body["type"] == "Normal"
    assert body["source"] == {"component": "driver", "host": "node-1"}
    assert body["reportingInstance"] == "node-1"


def test_event_of_a_cluster_scoped_object_is_in_default(client, make) -> None:
    recorder = make()
    recorder.warning(CLASS, "Failed", "no parameters")
    flush(recorder)
    (body,) = created(client)
    assert body["metadata"]["namespace"] == "default"
    assert "namespace" not in body["involvedObject"]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param("x" * 1024, "x" * 1024, id="fits"),
        pytest.param("x" * 1025, "x" * 1024, id="cut"),
        pytest.param("x" * 1023 + "ü", "x" * 1023, id="not-within-a-character"),
        pytest.param("a\udc80", "a?", id="no-text"),
    ],
)
def test_long_message_is_cut(client, make, message: str, expected: str) -> None:
    recorder = make()
    recorder.warning(CLAIM, "Failed", message)
    flush(recorder)
    assert created(client)[0]["message"] == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("claim", "claim", id="short"),
        pytest.param("x" * 242, "x" * 242, id="fits"),
        pytest.param("x" * 253, "x" * 242, id="cut"),
        pytest.param("x" * 240 + "-.yz", "x" * 240, id="cut-at-a-separator"),
    ],
)
def test_long_name_is_cut(client, make, name: str, expected: str) -> None:
    recorder = make()
    recorder.warning({"metadata": {"name": name, "namespace": "ns"}}, "Failed", "x")
    flush(recorder)
    assert created(client)[0]["metadata"]["name"] == f"{expected}.{AT_1000}"


def test_repeated_report_counts_on_the_first_event(client, make, clock) -> None:
    recorder = make()
    for _ in range(3):
        recorder.warning(CLAIM, "Failed", "no device")
        clock.advance(60.0)
    flush(recorder)
    assert client.post.call_count == 1
    assert [each.args[1:] for each in client.patch.call_args_list] == [
        (f"claim.{AT_1000}", {"count": 2, "lastTimestamp": "1970-01-01T00:17:40Z"}),
        (f"claim.{AT_1000}", {"count": 3, "lastTimestamp": "1970-01-01T00:18:40Z"}),
    ]
    assert client.patch.call_args.kwargs == {"namespace": "ns"}
    assert recorder.dropped == 0


def test_event_that_is_gone_is_created_anew_with_its_count(client, make, clock) -> None:
    client.patch.side_effect = [NOT_FOUND, {}]
    recorder = make()
    for _ in range(3):
        recorder.warning(CLAIM, "Failed", "no device")
        clock.advance(60.0)
    flush(recorder)
    second = created(client)[1]
    assert (second["metadata"]["name"], second["count"]) == (f"claim.{AT_1060}", 2)
    assert second["firstTimestamp"] == "1970-01-01T00:16:40Z"
    assert second["lastTimestamp"] == "1970-01-01T00:17:40Z"
    assert client.patch.call_args.args[1:] == (
        f"claim.{AT_1060}",
        {"count": 3, "lastTimestamp": "1970-01-01T00:18:40Z"},
    )


@pytest.mark.parametrize(
    "error",
    [
        errors.Forbidden(403, "Forbidden"),
        errors.ConnectFailed("refused"),
        errors.ConfigError("token"),
        NOT_FOUND,
    ],
    ids=["forbidden", "no-connection", "no-credentials", "namespace-gone"],
)
def test_failed_create_is_counted_and_tried_with_the_next_report(
    client, make, error: KubeError
) -> None:
    client.post.side_effect = [error, {}]
    recorder = make()
    recorder.warning(CLAIM, "Failed", "no device")
    recorder.warning(CLAIM, "Failed", "no device")
    flush(recorder)
    assert recorder.dropped == 1
    assert [body["count"] for body in created(client)] == [1, 2]
    client.patch.assert_not_called()


def test_failed_count_is_made_up_for(client, make) -> None:
    client.patch.side_effect = [errors.ReadTimeout("slow"), {}]
    recorder = make()
    for _ in range(3):
        recorder.warning(CLAIM, "Failed", "no device")
    flush(recorder)
    assert client.post.call_count == 1
    assert client.patch.call_args.args[2]["count"] == 3
    assert recorder.dropped == 1


def test_flood_of_one_object_is_dropped(client, make) -> None:
    recorder = make()
    for number in range(30):
        recorder.warning(CLAIM, "Failed", str(number))
    recorder.warning(CLASS, "Failed", "x")
    flush(recorder)
    assert client.post.call_count == 26
    assert recorder.dropped == 5


def test_full_queue_drops_what_is_new(client, make) -> None:
    recorder = make(queued=2)
    for number in range(5):
        recorder.warning(CLAIM, "Failed", str(number))
    assert recorder.dropped == 3
    flush(recorder)
    assert [body["message"] for body in created(client)] == ["0", "1"]


def test_nothing_is_taken_in_after_the_stop(client, make) -> None:
    recorder = make()
    flush(recorder)
    recorder.warning(CLAIM, "Failed", "late")
    assert recorder.dropped == 1
    client.post.assert_not_called()


def test_stop_without_start_drops_what_waits(client, make) -> None:
    recorder = make()
    recorder.warning(CLAIM, "Failed", "x")
    recorder.stop()
    assert recorder.dropped == 1


@pytest.mark.parametrize("obj", [{}, {"metadata": None}, {"kind": 3, "metadata": {"name": 4}}])
def test_odd_object_does_not_hurt_the_caller(client, make, obj: JSON) -> None:
    recorder = make()
    recorder.warning(obj, "Failed", "x")
    flush(recorder)
    assert client.post.call_count == 1


def test_slow_server_blocks_neither_the_caller_nor_the_stop(client, make) -> None:
    entered, release = threading.Event(), threading.Event()

    def slow(*args: object) -> JSON:
        entered.set()
        release.wait()
        return {}

    client.post.side_effect = slow
    recorder = make()
    recorder.start()
    recorder.warning(CLAIM, "Failed", "first")
    entered.wait()
    recorder.warning(CLAIM, "Failed", "second")
    recorder.stop(timeout=0)
    assert recorder.dropped == 1
    release.set()
    recorder._thread.join()
    assert [body["message"] for body in created(client)] == ["first"]


def test_events_are_written_while_it_runs(client, make) -> None:
    written = threading.Event()
    client.post.side_effect = lambda *args: written.set()
    recorder = make()
    recorder.start()
    recorder.warning(CLAIM, "Failed", "x")
    written.wait()
    recorder.stop()
    assert not recorder._thread.is_alive()
    assert recorder.dropped == 0


@pytest.mark.parametrize(
    "times",
    [
        pytest.param([9, 15, 16, 255, 256], id="as-it-passes"),
        pytest.param([16, 16, 16], id="within-one-tick"),
        pytest.param([16, 5, 6, 17, 30], id="set-back"),
    ],
)
def test_names_sort_in_the_order_of_what_happened(client, make, times: list[int]) -> None:
    """As client-go's do, for kubectl, which leaves events of the same second as they are listed."""
    now = 1_700_000_000 * 10**9
    ticks = iter(times)
    recorder = make(now=lambda: now + next(ticks))
    for number, _ in enumerate(times):
        recorder.warning(CLAIM, "Failed", str(number))
    flush(recorder)
    in_order = sorted(created(client), key=lambda body: body["metadata"]["name"])
    assert [body["message"] for body in in_order] == [str(number) for number, _ in enumerate(times)]
    assert in_order[0]["metadata"]["name"] == f"claim.{now + times[0]:x}"


def test_name_has_the_time_in_nanoseconds_by_default(client) -> None:
    before = time.time_ns()
    recorder = EventRecorder(client, component="driver")
    recorder.warning(CLAIM, "Failed", "x")
    flush(recorder)
    name, _, digits = created(client)[0]["metadata"]["name"].partition(".")
    assert name == "claim"
    assert before <= int(digits, 16) <= time.time_ns()


def test_normal_events_can_be_switched_off(client, make) -> None:
    recorder = make(normal=False)
    recorder.normal(CLAIM, "Prepared", "ok")
    recorder.warning(CLAIM, "Failed", "x")
    flush(recorder)
    assert [body["reason"] for body in created(client)] == ["Failed"]
    assert recorder.dropped == 0


def test_successes_are_told_as_long_as_they_are_few(client, make, clock) -> None:
    recorder = make(successes=TokenBucket(2.0, 3, clock=clock))
    for second in range(2):
        for number in range(5):
            recorder.normal({"metadata": {"name": f"claim-{second}-{number}"}}, "Allocated", "ok")
        recorder.warning(CLAIM, f"Failed{second}", "x")
        clock.advance(1.0)
    flush(recorder)
    told = [body["reason"] for body in created(client)]
    assert told == [*3 * ["Allocated"], "Failed0", *2 * ["Allocated"], "Failed1"]
    assert recorder.dropped == 5


def test_a_flood_of_successes_leaves_room_for_failures(client, make) -> None:
    recorder = make(queued=4)
    for number in range(5):
        recorder.normal({"metadata": {"name": f"claim-{number}"}}, "Allocated", "ok")
    recorder.warning(CLAIM, "Failed", "x")
    flush(recorder)
    assert [body["reason"] for body in created(client)] == ["Allocated", "Allocated", "Failed"]
    assert recorder.dropped == 3
