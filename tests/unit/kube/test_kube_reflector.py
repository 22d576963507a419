import json
import threading
from collections import deque
from typing import Any
from unittest.mock import create_autospec

import pytest

from api.objects import JSON
from api.resources import PODS
from kube import errors
from kube.cache import revision
from kube.client import Client, ListPage
from kube.errors import ConnectFailed, KubeError, ReadTimeout
from kube.pages import whole
from kube.reflector import Reflector
from kube.store import Store
from kube.watch import WatchStream
from tests.support.tables import cases


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

    def __init__(
        self, clock, *, lists: list, watches: list, current: tuple = (), **scope: Any
    ) -> None:
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
        self._current = deque(current)
        self.client.current_version.side_effect = self._current_version
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

    def _current_version(self, *args: object, **scope: object) -> int:
        """Answer by the script, and after it like a server that has not gone back."""
        answer = self._current.popleft() if self._current else self.store.newest()
        if isinstance(answer, KubeError):
            raise answer
        return answer

    def _sleep(self, stop: threading.Event, seconds: float) -> None:
        self.pauses.append(seconds)


LIST = ListPage([obj(5)], "10")


def without_big(body: JSON) -> JSON:
    return {key: value for key, value in body.items() if key != "big"}


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
    rig.client.list.assert_called_once_with(PODS, **scope, transform=whole)
    rig.client.watch.assert_called_once_with(
        PODS, resource_version="10", timeout_seconds=450, silent_seconds=130.0, **scope
    )


def test_stores_what_is_made_of_the_objects(clock) -> None:
    pieces = [event("ADDED", obj(11, "b") | {"big": 1}), event("DELETED", obj(12) | {"big": 1})]
    rig = Rig(clock, lists=[LIST], watches=[pieces], transform=without_big).run()
    assert rig.client.list.call_args.kwargs["transform"] is without_big
    assert rig.store.list() == [obj(11, "b")]
    assert rig.changes == [(None, 5), (None, 11), (5, None)]


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

    def write_meanwhile(*args: object, **scope: object) -> ListPage:
        if rig.client.list.call_count == 2:
            rig.store.written(obj(30))
        return rig._list()

    rig.client.list.side_effect = write_meanwhile
    rig.run()
    assert revision(rig.store.get("ns/a")) == 30
    assert rig.changes == [(None, 5), (5, 30)]
    assert len(rig.reported) == 1


@cases(
    "error",
    {"reset": [errors.BrokenAnswer("reset")], "nonsense": [b"<html>\n"], "429": refusal(429)},
)
def test_lost_connection_goes_on_from_the_last_version(clock, error) -> None:
    rig = Rig(clock, lists=[LIST], watches=[[event("MODIFIED", obj(12))], error]).run()
    assert rig.watched_from() == ["10", "12", "12"]
    assert rig.pauses[:1] == pytest.approx([0.6])
    assert len(rig.reported) == 1


@cases(
    "error",
    {
        "refused": ConnectFailed("refused"),
        "no-answer": ReadTimeout("no answer"),
        "reset": errors.BrokenAnswer("reset"),
        "403": refusal(403),
        "404": refusal(404),
        "504": refusal(504),
        "error-event": [INTERNAL_EVENT],
    },
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


def test_nobody_has_to_listen_to_errors(clock) -> None:
    rig = Rig(clock, lists=[refusal(500), LIST], watches=[])
    rig.reflector._on_error = None
    rig.run()
    assert rig.store.has_synced()


def test_server_that_went_back_is_listed_again(clock) -> None:
    watches = [
        [event("MODIFIED", obj(150)), errors.BrokenAnswer("reset")],
        [event("MODIFIED", obj(121))],
    ]
    lists = [LIST, ListPage([obj(90), obj(110, "b")], "120")]
    rig = Rig(clock, lists=lists, watches=watches, current=(120,)).run()
    assert rig.watched_from() == ["10", "120", "121"]
    assert rig.changes == [(None, 5), (5, 150), (150, 90), (None, 110), (90, 121)]
    lost, went_back = map(str, rig.reported)
    assert lost == "reset"
    assert "went back from resourceVersion 150 to 120" in went_back
    assert isinstance(rig.reported[1], errors.WentBack)


def test_server_that_went_back_behind_an_own_write_is_listed_again(clock) -> None:
    rig = Rig(clock, lists=[LIST, ListPage([obj(5)], "20")], watches=[[]], current=(20,))

    def write_meanwhile(*args: object, **scope: object) -> WatchStream:
        if rig.client.watch.call_count == 1:
            rig.store.written(obj(30))
        return rig._watch()

    rig.client.watch.side_effect = write_meanwhile
    rig.run()
    assert rig.changes == [(None, 5), (5, 30), (30, 5)]
    assert rig.watched_from() == ["10", "20"]


def test_server_that_has_overtaken_us_during_its_restart_is_listed_again(clock) -> None:
    """Whether it was restored cannot be seen by its version any more."""
    lost = [event("MODIFIED", obj(15)), errors.BrokenAnswer("reset")]
    lists = [LIST, ListPage([obj(4), obj(18, "b")], "20")]
    refused = ConnectFailed("refused")
    rig = Rig(clock, lists=lists, watches=[lost], current=(refused,)).run()
    assert rig.changes == [(None, 5), (5, 15), (15, 4), (None, 18)]
    assert rig.watched_from() == ["10", "20"]


def test_server_is_asked_how_far_it_is_before_a_watch_goes_on(clock) -> None:
    scope = {"namespace": "ns", "field_selector": "metadata.name=x"}
    rig = Rig(clock, lists=[LIST], watches=[[400.0]], **scope).run()
    rig.client.current_version.assert_called_once_with(PODS, **scope)
    assert rig.watched_from() == ["10", "10"]


def test_server_is_not_made_to_search_for_an_answer(clock) -> None:
    rig = Rig(clock, lists=[LIST], watches=[[400.0]], field_selector="spec.nodeName=").run()
    rig.client.current_version.assert_called_once_with(PODS, namespace=None, field_selector=None)


@cases(
    ("pieces", "reported"),
    {
        "after-a-bookmark": ([bookmark(12)], True),
        "without-a-bookmark": ([event("MODIFIED", obj(12))], False),
    },
)
def test_silent_watch_is_renewed_at_once_without_a_list(
    clock, caplog: pytest.LogCaptureFixture, pieces: list, reported: bool
) -> None:
    caplog.set_level("INFO", "reflector")
    watches = [[*pieces, 130.0, ReadTimeout("silent")], [event("MODIFIED", obj(13))]]
    rig = Rig(clock, lists=[LIST], watches=watches).run()
    assert rig.watched_from() == ["10", "12", "13"]
    assert rig.client.list.call_count == 1
    # of the last watch alone, which ends the script
    assert len(rig.pauses) == 1
    said = "watch pods: no event or bookmark for 130 s, renewed from resourceVersion 12"
    assert [str(error) for error in rig.reported] == ([said] if reported else [])
    assert [record.keys for record in caplog.records] == ([] if reported else [{"reason": said}])


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
