import pytest

from api.objects import JSON
from devcluster.apiserver.storage import (
    ADDED,
    BOOKMARK,
    DELETED,
    MODIFIED,
    Event,
    HistoryLost,
    RevisionLost,
    Storage,
    Stored,
)
from devcluster.apiserver.subscription import Closed, Subscription

THINGS = ("example.com", "things")
OTHERS = ("example.com", "others")


def obj(name: str, namespace: str = "ns", **fields: object) -> JSON:
    return {"metadata": {"name": name, "namespace": namespace}, **fields}


def seen(subscription: Subscription[Event]) -> list[tuple[str, str]]:
    """Return type and name of all events that are queued."""
    found = []
    while (event := subscription.get(0)) is not None:
        name = event.stored.obj["metadata"]["name"] if event.stored else ""
        found.append((event.type, name))
    return found


def names(found: list[Stored]) -> list[str]:
    return [stored.obj["metadata"]["name"] for stored in found]


def test_each_write_takes_the_next_revision() -> None:
    storage = Storage()
    first = storage.create(THINGS, obj("a"))
    second = storage.create(OTHERS, obj("b"))
    third = storage.replace(THINGS, obj("a", x=1), first)
    assert [first.revision, second.revision, third.revision] == [1, 2, 3]
    assert third.obj["metadata"]["resourceVersion"] == "3"
    assert storage.revision == 3


def test_a_name_is_taken_once() -> None:
    storage = Storage()
    storage.create(THINGS, obj("a"))
    storage.create(THINGS, obj("a", "other-ns"))
    with pytest.raises(RevisionLost):
        storage.create(THINGS, obj("a"))


def test_a_writer_loses_to_an_earlier_one() -> None:
    storage = Storage()
    read = storage.create(THINGS, obj("a"))
    storage.replace(THINGS, obj("a", by="first"), read)
    with pytest.raises(RevisionLost):
        storage.replace(THINGS, obj("a", by="second"), read)
    with pytest.raises(RevisionLost):
        storage.remove(THINGS, obj("a"), read)
    current = storage.get(THINGS, "ns", "a")
    assert current is not None
    assert current.obj["by"] == "first"


def test_a_copy_is_apart_from_what_is_stored() -> None:
    storage = Storage()
    stored = storage.create(THINGS, obj("a", list=[1]))
    stored.copy()["list"].append(2)
    assert stored.obj["list"] == [1]


def test_a_snapshot_is_in_order_and_of_one_namespace_or_all() -> None:
    storage = Storage()
    for name, namespace in (("b", "n2"), ("a", "n2"), ("z", "n1")):
        storage.create(THINGS, obj(name, namespace))
    everywhere, revision = storage.snapshot(THINGS)
    assert (names(everywhere), revision) == (["z", "a", "b"], 3)
    assert names(storage.snapshot(THINGS, "n2")[0]) == ["a", "b"]
    assert storage.snapshot(OTHERS) == ([], 3)


def test_a_snapshot_goes_back_in_time() -> None:
    storage = Storage()
    a = storage.create(THINGS, obj("a"))
    b = storage.create(THINGS, obj("b"))
    storage.remove(THINGS, obj("a"), a)
    storage.replace(THINGS, obj("b", new=True), b)
    storage.create(THINGS, obj("c"))
    found, revision = storage.snapshot(THINGS, at=2)
    assert (found, revision) == ([a, b], 2)
    assert names(storage.snapshot(THINGS)[0]) == ["b", "c"]


@pytest.mark.parametrize("at", [0, 2])
def test_a_snapshot_cannot_go_behind_the_history(at: int) -> None:
    storage = Storage(history=2)
    for name in "abcde":
        storage.create(THINGS, obj(name))
    with pytest.raises(HistoryLost) as lost:
        storage.snapshot(THINGS, at=at)
    assert lost.value.oldest == 3


def test_a_subscription_from_now_begins_with_all_objects() -> None:
    storage = Storage()
    storage.create(THINGS, obj("a"))
    storage.create(THINGS, obj("x", "other-ns"))
    subscription = storage.subscribe(THINGS, "ns")
    storage.create(THINGS, obj("b"))
    storage.create(OTHERS, obj("c"))
    assert seen(subscription) == [(ADDED, "a"), (ADDED, "b")]


def test_a_subscription_goes_on_from_a_revision() -> None:
    storage = Storage()
    a = storage.create(THINGS, obj("a"))
    a = storage.replace(THINGS, obj("a", x=1), a)
    storage.remove(THINGS, obj("a"), a)
    assert seen(storage.subscribe(THINGS, since=1)) == [(MODIFIED, "a"), (DELETED, "a")]
    assert seen(storage.subscribe(THINGS, since=3)) == []


def test_a_subscription_gets_what_it_wants_of_past_and_future() -> None:
    storage = Storage()
    storage.create(THINGS, obj("a"))
    storage.create(THINGS, obj("b"))

    def wants(event: Event) -> bool:
        return event.stored is not None and event.stored.obj["metadata"]["name"] in "bd"

    subscription = storage.subscribe(THINGS, wants=wants)
    storage.create(THINGS, obj("c"))
    storage.create(THINGS, obj("d"))
    assert seen(subscription) == [(ADDED, "b"), (ADDED, "d")]
    storage.bookmark(THINGS, subscription)
    assert seen(subscription) == [(BOOKMARK, "")]


def test_a_subscription_needs_the_history() -> None:
    storage = Storage()
    storage.create(THINGS, obj("a"))
    storage.create(THINGS, obj("b"))
    storage.compact()
    with pytest.raises(HistoryLost):
        storage.subscribe(THINGS, since=1)
    assert seen(storage.subscribe(THINGS, since=2)) == []


def test_a_subscription_from_the_future_is_silent_until_then() -> None:
    storage = Storage()
    storage.create(THINGS, obj("a"))
    subscription = storage.subscribe(THINGS, since=3)
    storage.create(THINGS, obj("b"))
    storage.bookmark(THINGS, subscription)
    storage.create(THINGS, obj("c"))
    assert seen(subscription) == []
    storage.create(THINGS, obj("d"))
    assert seen(subscription) == [(ADDED, "d")]


def test_a_bookmark_comes_after_the_writes_before_it() -> None:
    storage = Storage()
    subscription = storage.subscribe(THINGS)
    storage.create(THINGS, obj("a"))
    storage.create(OTHERS, obj("b"))
    storage.bookmark(THINGS, subscription)
    assert subscription.get(0) is not None
    bookmark = subscription.get(0)
    assert bookmark is not None
    assert (bookmark.type, bookmark.revision) == (BOOKMARK, 2)


def test_after_unsubscribing_nothing_comes() -> None:
    storage = Storage()
    subscription = storage.subscribe(THINGS)
    storage.unsubscribe(THINGS, subscription)
    storage.create(THINGS, obj("a"))
    assert seen(subscription) == []


def test_subscriptions_of_one_resource_or_of_all_are_closed() -> None:
    storage = Storage()
    things, others = storage.subscribe(THINGS), storage.subscribe(OTHERS)
    storage.close_subscriptions(THINGS)
    with pytest.raises(Closed):
        things.get(0)
    assert others.get(0) is None
    storage.close_subscriptions()
    with pytest.raises(Closed):
        others.get(0)


def test_listeners_hear_of_all_writes_with_what_was_there() -> None:
    storage = Storage()
    heard: list[Event] = []
    a = storage.create(THINGS, obj("a"))
    storage.listen(heard.append)
    b = storage.replace(THINGS, obj("a", x=1), a)
    storage.remove(THINGS, obj("a"), b)
    assert [(e.type, e.revision, e.previous) for e in heard] == [(MODIFIED, 2, a), (DELETED, 3, b)]
