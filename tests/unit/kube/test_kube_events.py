import itertools
import threading
from unittest.mock import create_autospec

import pytest

from api.objects import JSON
from kube import errors
from kube.client import Client
from kube.errors import KubeError
from kube.events import EventRecorder
from kube.eventseries import Correlator
from kube.resources import EVENTS

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


@pytest.fixture
def client():
    return create_autospec(Client, instance=True, spec_set=True)


@pytest.fixture
def make(client, clock):
    """Return a function that makes a recorder with ids 0, 1, ... and times of the fake clock."""

    def recorder(**options: object) -> EventRecorder:
        ids = map(str, itertools.count())
        settings = {"component": "driver", "now": clock, "make_id": lambda: next(ids), **options}
        return EventRecorder(client, correlator=Correlator(clock=clock), **settings)

    return recorder


def flush(recorder: EventRecorder) -> None:
    recorder.start()
    recorder.stop()


def created(client) -> list[JSON]:
    return [each.args[1] for each in client.create.call_args_list]


def test_event_has_what_kubectl_shows(client, make) -> None:
    recorder = make()
    recorder.warning(CLAIM, "Failed", "no device")
    flush(recorder)
    client.create.assert_called_once_with(
        EVENTS,
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": "claim.0", "namespace": "ns"},
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
        pytest.param("claim", "claim.0", id="short"),
        pytest.param("x" * 251, "x" * 251 + ".0", id="fits"),
        pytest.param("x" * 253, "x" * 251 + ".0", id="cut"),
        pytest.param("x" * 249 + "-.yz", "x" * 249 + ".0", id="cut-at-a-separator"),
    ],
)
def test_long_name_is_cut(client, make, name: str, expected: str) -> None:
    recorder = make()
    recorder.warning({"metadata": {"name": name, "namespace": "ns"}}, "Failed", "x")
    flush(recorder)
    assert created(client)[0]["metadata"]["name"] == expected


def test_repeated_report_counts_on_the_first_event(client, make, clock) -> None:
    recorder = make()
    for _ in range(3):
        recorder.warning(CLAIM, "Failed", "no device")
        clock.advance(60.0)
    flush(recorder)
    assert client.create.call_count == 1
    assert [each.args[1:] for each in client.patch.call_args_list] == [
        ("claim.0", {"count": 2, "lastTimestamp": "1970-01-01T00:17:40Z"}),
        ("claim.0", {"count": 3, "lastTimestamp": "1970-01-01T00:18:40Z"}),
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
    assert (second["metadata"]["name"], second["count"]) == ("claim.1", 2)
    assert second["firstTimestamp"] == "1970-01-01T00:16:40Z"
    assert second["lastTimestamp"] == "1970-01-01T00:17:40Z"
    assert client.patch.call_args.args[1:] == (
        "claim.1",
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
    client.create.side_effect = [error, {}]
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
    assert client.create.call_count == 1
    assert client.patch.call_args.args[2]["count"] == 3
    assert recorder.dropped == 1


def test_flood_of_one_object_is_dropped(client, make) -> None:
    recorder = make()
    for number in range(30):
        recorder.warning(CLAIM, "Failed", str(number))
    recorder.warning(CLASS, "Failed", "x")
    flush(recorder)
    assert client.create.call_count == 26
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
    client.create.assert_not_called()


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
    assert client.create.call_count == 1


def test_slow_server_blocks_neither_the_caller_nor_the_stop(client, make) -> None:
    entered, release = threading.Event(), threading.Event()

    def slow(*args: object) -> JSON:
        entered.set()
        release.wait()
        return {}

    client.create.side_effect = slow
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
    client.create.side_effect = lambda *args: written.set()
    recorder = make()
    recorder.start()
    recorder.warning(CLAIM, "Failed", "x")
    written.wait()
    recorder.stop()
    assert not recorder._thread.is_alive()
    assert recorder.dropped == 0


def test_ids_differ_by_default(client) -> None:
    recorder = EventRecorder(client, component="driver")
    for number in range(3):
        recorder.warning(CLAIM, "Failed", str(number))
    flush(recorder)
    names = {body["metadata"]["name"] for body in created(client)}
    assert len(names) == 3
    assert all(len(name) == len("claim.") + 16 for name in names)
