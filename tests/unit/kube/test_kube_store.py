import threading
from collections.abc import Callable

import pytest

from api.objects import JSON
from kube.cache import revision
from kube.store import Store


def obj(version: int, name: str = "a", uid: str = "u1", node: str = "n1") -> JSON:
    meta = {"namespace": "ns", "name": name, "uid": uid, "resourceVersion": str(version)}
    return {"metadata": meta, "node": node}


class Heard(list):
    """A handler that notes resourceVersions before and after."""

    def __call__(self, old: JSON | None, new: JSON | None) -> None:
        self.append((old and revision(old), new and revision(new)))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def store(clock, heard) -> Store:
    made = Store({"node": lambda each: [each["node"]]}, clock=clock, overlay_seconds=60.0)
    made.subscribe(heard)
    return made


def test_empty_store_is_not_synced(store: Store) -> None:
    assert not store.has_synced()
    assert not store.wait_synced(0)
    assert store.list() == []


def test_first_list_syncs_even_if_empty(store: Store) -> None:
    store.replace([], "10")
    assert store.has_synced()
    assert store.wait_synced(0)


def test_synced_only_after_the_handlers_know_the_list(clock) -> None:
    store, seen = Store(clock=clock), []
    store.subscribe(lambda old, new: seen.append(store.has_synced()))
    store.replace([obj(5), obj(6, "b")], "10")
    assert seen == [False, False]
    assert store.has_synced()


def test_list_apply_remove(store: Store, heard: Heard) -> None:
    store.replace([obj(5)], "10")
    store.apply(obj(11))
    store.apply(obj(12, "b", "u2"))
    store.remove(obj(13))
    assert heard == [(None, 5), (5, 11), (None, 12), (11, None)]
    assert [revision(each) for each in store.list()] == [12]
    assert store.get("ns/a") is None
    assert revision(store.get("ns/b")) == 12


def test_index_follows_the_objects(store: Store) -> None:
    store.replace([obj(5, node="n1"), obj(6, "b", node="n2")], "10")
    store.apply(obj(11, node="n2"))
    assert store.by_index("node", "n1") == []
    assert len(store.by_index("node", "n2")) == 2


def test_index_shows_own_writes(store: Store) -> None:
    store.replace([obj(5, node="n1")], "10")
    store.written(obj(11, node="n2"))
    assert store.by_index("node", "n1") == []
    assert [revision(each) for each in store.by_index("node", "n2")] == [11]


OTHER = obj(12, "b", "u2")


@pytest.mark.parametrize(
    ("report", "changes"),
    [
        (lambda store: store.apply(obj(11)), [(5, 11)]),
        (lambda store: store.apply(obj(13)), [(5, 11), (11, 13)]),
        (lambda store: store.apply(OTHER), [(5, 11), (None, 12)]),
        (lambda store: store.remove(obj(12)), [(5, 11), (11, None)]),
        (lambda store: store.replace([obj(11)], "12"), [(5, 11)]),
        (lambda store: store.bookmark("10"), [(5, 11)]),
        (lambda store: store.deliver(), [(5, 11)]),
    ],
    ids=["itself", "a later one", "another", "gone", "list", "bookmark", "nothing"],
)
def test_own_write_is_seen_at_once_and_heard_of_with_the_next_report_of_the_watch(
    report: Callable[[Store], None], changes: list, store: Store, heard: Heard
) -> None:
    store.replace([obj(5)], "10")
    heard.clear()
    store.written(obj(11))
    assert revision(store.get("ns/a")) == 11
    assert heard == []
    report(store)
    assert heard == changes


def test_own_write_expires_for_every_reader(store: Store, clock) -> None:
    store.replace([obj(5, node="n1")], "10")
    store.written(obj(11, node="n2"))
    clock.advance(60.0)
    assert [revision(each) for each in store.by_index("node", "n1")] == [5]
    assert revision(store.get("ns/a")) == 5
    assert [revision(each) for each in store.list()] == [5]


def test_bookmark_ends_an_own_write_to_a_deleted_object(store: Store, heard: Heard) -> None:
    store.replace([], "10")
    store.written(obj(11))
    store.bookmark("12")
    assert store.list() == []
    assert heard == [(None, 11), (11, None)]


def test_list_without_a_version_takes_that_of_its_youngest_object(store: Store) -> None:
    store.replace([obj(5), obj(9, "b")])
    store.written(obj(8))
    assert revision(store.get("ns/a")) == 5
    store.written(obj(10))
    assert revision(store.get("ns/a")) == 10


def test_handlers_may_read_and_write_the_store(clock) -> None:
    store, heard = Store(clock=clock), Heard()

    def handler(old: JSON | None, new: JSON | None) -> None:
        if new is not None and revision(new) == 11:
            assert revision(store.get("ns/a")) == 11
            store.written(obj(12))

    store.subscribe(handler)
    store.subscribe(heard)
    store.replace([], "10")
    store.apply(obj(11))
    assert heard == [(None, 11), (11, 12)]


def test_subscriber_hears_only_of_later_changes(store: Store, clock) -> None:
    store.replace([obj(5)], "10")
    late = Heard()
    store.subscribe(late)
    store.apply(obj(11))
    assert late == [(5, 11)]


def test_nobody_waits_for_a_handler_and_order_is_kept(clock) -> None:
    store, heard = Store(clock=clock), Heard()
    entered, release = threading.Event(), threading.Event()

    def slow(old: JSON | None, new: JSON | None) -> None:
        if new is not None and revision(new) == 11:
            entered.set()
            release.wait()

    store.subscribe(slow)
    store.subscribe(heard)
    store.replace([], "10")
    thread = threading.Thread(target=store.apply, args=(obj(11),))
    thread.start()
    entered.wait()
    store.written(obj(12))
    assert heard == []
    assert revision(store.get("ns/a")) == 12
    release.set()
    thread.join()
    assert heard == [(None, 11), (11, 12)]


def test_handler_that_fails_does_not_block_the_store(clock) -> None:
    store, heard = Store(clock=clock), Heard()
    store.replace([], "10")

    def fail(old: JSON | None, new: JSON | None) -> None:
        if revision(new) == 11:
            raise RuntimeError("bug")

    store.subscribe(fail)
    store.subscribe(heard)
    with pytest.raises(RuntimeError, match="bug"):
        store.apply(obj(11))
    store.apply(obj(12))
    assert heard == [(11, 12)]
