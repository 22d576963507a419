import json
import threading
from collections import deque
from unittest.mock import create_autospec

import pytest

from api.objects import JSON
from kube import errors
from kube.cache import revision
from kube.client import Client, ListPage
from kube.errors import ConnectFailed, KubeError, ReadTimeout
from kube.reflector import Reflector
from kube.resources import PODS
from kube.store import Store
from kube.watch import WatchStream


def obj(version: int, name: str = "a", uid: str = "u1") -> JSON:
    meta = {"namespace": "ns", "name": name, "uid": uid, "resourceVersion": str(version)}
    return {"metadata": meta}


def event(kind: str, body: JSON) -> bytes:
    return json.dumps({"type": kind, "object": body}).encode() + b"\n"


def bookmark(version: int) -> bytes:
    return event("BOOKMARK", {"metadata": {"resourceVersion": str(version)}})


def refusal(status: int, retry_after: float | None = None) -> errors.ApiError:
    return errors.api_error(status, {}, call="watch pods", retry_after=retry_after)


GONE_EVENT = event("ERROR", {"code": 410, "reason": "Expired"})
INTERNAL_EVENT = event("ERROR", {"code": 500})


class Body:
    """The bytes of a watch; an exception fails the read, a number of seconds passes first."""

    def __init__(self, clock, *pieces: bytes | float | Exception) -> None:
        self._clock = clock
        self._pieces = deque(pieces)
        self.closed = False

    def read(self) -> bytes:
        while self._pieces:
            piece = self._pieces.popleft()
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, bytes):
                return piece
            self._clock.advance(piece)
        return b""

    def abort(self) -> None:
        self._pieces.clear()

    def close(self) -> None:
        self.closed = True


class Rig:
    """A reflector whose client answers by a script, and that stops when the script is over."""

    def __init__(self, clock, *, lists: list, watches: list, **scope: str) -> None:
        self.stop = threading.Event()
        self.clock = clock
        self.store = Store(clock=clock)
        self.changes: list[tuple[int | None, int | None]] = []
        self.store.subscribe(
            lambda old, new: self.changes.append((old and revision(old), new and revision(new)))
        )
        self.pauses: list[float] = []
        self.reported: list[KubeError] = []
        self.bodies: list[Body] = []
        self.client = create_autospec(Client, instance=True, spec_set=True)
        self._lists, self._watches = deque(lists), deque(watches)
        self.client.list.side_effect = self._list
        self.client.watch.side_effect = self._watch
        self.reflector = Reflector(
            self.client,
            PODS,
            self.store,
            on_error=self.reported.append,
            clock=clock,
            sleep=self._sleep,
            rand=lambda: 0.5,
            **scope,
        )

    def run(self) -> "Rig":
        self.reflector.run(self.stop)
        return self

    def watched_from(self) -> list[str]:
        return [each.kwargs["resource_version"] for each in self.client.watch.call_args_list]

    def _list(self, *args: object, **scope: object) -> ListPage:
        answer = self._lists.popleft()
        if isinstance(answer, KubeError):
            raise answer
        return answer

    def _watch(self, *args: object, **scope: object) -> WatchStream:
        if not self._watches:
            self.stop.set()
        answer = self._watches.popleft() if self._watches else []
        if isinstance(answer, KubeError):
            raise answer
        self.bodies.append(Body(self.clock, *answer))
        return WatchStream(self.bodies[-1], call="watch pods")

    def _sleep(self, stop: threading.Event, seconds: float) -> None:
        self.pauses.append(seconds)


LIST = ListPage([obj(5)], "10")


def test_lists_and_watches_on_from_there(clock) -> None:
    pieces = [event("ADDED", obj(11, "b")), event("MODIFIED", obj(12)), event("DELETED", obj(13))]
    rig = Rig(clock, lists=[LIST], watches=[pieces]).run()
    assert rig.changes == [(None, 5), (None, 11), (5, 12), (12, None)]
    assert [revision(each) for each in rig.store.list()] == [11]
    assert rig.store.has_synced()
    assert rig.watched_from() == ["10", "13"]
    assert all(body.closed for body in rig.bodies)
    # Nothing is left that a later stop() could close.
    assert rig.reflector._stream is None


def test_asks_for_its_part_of_the_collection(clock) -> None:
    scope = {"namespace": "ns", "field_selector": "spec.x=y", "label_selector": "a=b"}
    rig = Rig(clock, lists=[LIST], watches=[], **scope).run()
    rig.client.list.assert_called_once_with(PODS, **scope)
    rig.client.watch.assert_called_once_with(
        PODS, resource_version="10", timeout_seconds=450, **scope
    )


def test_goes_on_where_a_watch_ended(clock) -> None:
    watches = [[event("MODIFIED", obj(12))], [400.0], [event("MODIFIED", obj(15))]]
    rig = Rig(clock, lists=[LIST], watches=watches).run()
    assert rig.watched_from() == ["10", "12", "12", "15"]
    assert (rig.pauses, rig.reported) == ([pytest.approx(0.6)], [])
    assert rig.changes == [(None, 5), (5, 12), (12, 15)]


def test_bookmark_moves_the_start_of_the_next_watch(clock) -> None:
    rig = Rig(clock, lists=[LIST], watches=[[bookmark(40)]])
    rig.store.written(obj(30, "w"))
    rig.run()
    assert rig.watched_from() == ["10", "40"]
    assert rig.store.get("ns/w") is None
    assert [revision(each) for each in rig.store.list()] == [5]


@pytest.mark.parametrize("gone", [refusal(410), [GONE_EVENT]], ids=["status", "event"])
def test_old_version_is_listed_again_at_once(clock, gone) -> None:
    again = ListPage([obj(50, "b")], "60")
    rig = Rig(clock, lists=[LIST, again], watches=[[event("MODIFIED", obj(12))], gone])
    rig.run()
    assert rig.watched_from() == ["10", "12", "60"]
    assert rig.changes == [(None, 5), (5, 12), (12, None), (None, 50)]
    assert len(rig.reported) == 1
    # Of the last watch alone, which ends the script.
    assert rig.pauses == pytest.approx([1.2])


def test_old_version_again_and_again_backs_off(clock) -> None:
    rig = Rig(clock, lists=[LIST] * 4, watches=[refusal(410)] * 3).run()
    assert rig.pauses[:2] == pytest.approx([1.2, 2.4])
    assert rig.client.list.call_count == 4


def test_list_does_not_undo_own_writes(clock) -> None:
    rig = Rig(clock, lists=[LIST, ListPage([obj(5)], "20")], watches=[refusal(410)])
    rig.store.written(obj(30))
    rig.run()
    assert revision(rig.store.get("ns/a")) == 30
    assert rig.changes == [(None, 30)]


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ConnectFailed("refused"), id="refused"),
        pytest.param([ReadTimeout("silent")], id="silent"),
        pytest.param([errors.BrokenAnswer("reset")], id="reset"),
        pytest.param([b"<html>\n"], id="nonsense"),
        pytest.param(refusal(429), id="429"),
    ],
)
def test_lost_connection_goes_on_from_the_last_version(clock, error) -> None:
    rig = Rig(clock, lists=[LIST], watches=[[event("MODIFIED", obj(12))], error]).run()
    assert rig.watched_from() == ["10", "12", "12"]
    assert rig.pauses[:1] == pytest.approx([0.6])
    assert len(rig.reported) == 1


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(refusal(403), id="403"),
        pytest.param(refusal(404), id="404"),
        pytest.param(refusal(504), id="504"),
        pytest.param([INTERNAL_EVENT], id="error-event"),
    ],
)
def test_refusal_is_followed_by_a_list(clock, error) -> None:
    rig = Rig(clock, lists=[LIST, LIST], watches=[error]).run()
    assert rig.client.list.call_count == 2
    assert rig.pauses[:1] == pytest.approx([0.6])


def test_list_is_tried_until_it_works(clock) -> None:
    failures = [ConnectFailed("refused"), refusal(503), refusal(403)]
    rig = Rig(clock, lists=[*failures, LIST], watches=[]).run()
    assert rig.reported == failures
    assert rig.pauses[:3] == pytest.approx([0.6, 1.2, 2.4])
    assert rig.store.has_synced()


def test_events_before_a_failure_count(clock) -> None:
    watches = [[event("MODIFIED", obj(12)), errors.BrokenAnswer("reset")]]
    rig = Rig(clock, lists=[LIST], watches=watches).run()
    assert rig.watched_from() == ["10", "12"]
    assert rig.changes == [(None, 5), (5, 12)]


def test_nobody_has_to_listen_to_errors(clock) -> None:
    rig = Rig(clock, lists=[refusal(500), LIST], watches=[])
    rig.reflector._on_error = None
    rig.run()
    assert rig.store.has_synced()


def test_set_event_prevents_any_request(clock) -> None:
    rig = Rig(clock, lists=[], watches=[])
    rig.stop.set()
    rig.run()
    rig.client.list.assert_not_called()


class Blocked:
    """The bytes of a watch on which nothing happens until it is aborted."""

    def __init__(self) -> None:
        self.reading = threading.Event()
        self.released = threading.Event()
        self.closed = False

    def read(self) -> bytes:
        self.reading.set()
        self.released.wait()
        raise errors.BrokenAnswer("aborted")

    def abort(self) -> None:
        self.released.set()

    def close(self) -> None:
        self.closed = True


def test_stop_ends_a_blocked_watch(clock) -> None:
    rig, body = Rig(clock, lists=[LIST], watches=[]), Blocked()
    rig.client.watch.side_effect = [WatchStream(body, call="watch pods")]
    thread = threading.Thread(target=rig.run)
    thread.start()
    body.reading.wait()
    rig.stop.set()
    rig.reflector.stop()
    thread.join()
    assert body.closed
    assert (rig.reported, rig.client.watch.call_count) == ([], 1)


def test_stop_while_a_watch_is_opened_does_not_begin_to_read(clock) -> None:
    rig, body = Rig(clock, lists=[LIST], watches=[]), Blocked()

    def open_late(*args: object, **scope: object) -> WatchStream:
        rig.stop.set()
        rig.reflector.stop()
        return WatchStream(body, call="watch pods")

    rig.client.watch.side_effect = open_late
    rig.run()
    assert not body.reading.is_set()
    assert body.closed


def test_stop_ends_a_pause(clock) -> None:
    paused = threading.Event()
    client = create_autospec(Client, instance=True, spec_set=True)
    client.list.side_effect = refusal(429, retry_after=10_000.0)
    stop = threading.Event()
    reflector = Reflector(client, PODS, Store(), on_error=lambda error: paused.set())
    thread = threading.Thread(target=reflector.run, args=(stop,))
    thread.start()
    paused.wait()
    stop.set()
    reflector.stop()
    thread.join()
    assert client.list.call_count == 1


def test_failure_of_a_list_that_is_answered_during_the_stop_is_not_reported(clock) -> None:
    rig = Rig(clock, lists=[], watches=[])

    def fail(*args: object, **scope: object) -> ListPage:
        rig.stop.set()
        raise ConnectFailed("refused")

    rig.client.list.side_effect = fail
    rig.run()
    assert rig.reported == []
