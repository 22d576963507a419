import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcluster.apiserver.errors import BadRequest
from devcluster.apiserver.listing import ListOptions
from devcluster.apiserver.patch import MERGE, Patch
from devcluster.apiserver.selectors import selector
from devcluster.apiserver.watch import Change, Pace, Watch, WatchOptions
from testing.clock import Clock
from tests.support.apiserverrig import Rig, thing


def watching(
    rig: Rig, *, seconds: float = 60.0, clock: Clock | None = None, **fields: Any
) -> Watch:
    options = WatchOptions(seconds=seconds, **fields)
    pace = Pace(bookmark=20.0, poll=0.0, clock=clock or Clock())
    return Watch(rig.storage, rig.thing, "default", options, pace=pace)


def until_idle(changes: Iterator[Change | None]) -> list[Change]:
    """Return the changes up to the first turn without one."""
    found = []
    while (change := next(changes)) is not None:
        found.append(change)
    return found


def briefly(changes: list[Change]) -> list[tuple[str, str]]:
    return [(change.type, change.obj["metadata"].get("name", "")) for change in changes]


def patch(rig: Rig, name: str, body: Any) -> None:
    rig.store.patch(rig.thing, "default", name, Patch(MERGE, body))


@pytest.mark.parametrize("revision", ["", "0"])
def test_without_a_revision_a_watch_begins_with_all_objects(rig: Rig, revision: str) -> None:
    rig.create("Thing", thing("a"))
    patch(rig, "a", {"spec": {"x": 1}})
    rig.create("Thing", thing("b"))
    changes = iter(watching(rig, revision=revision))
    assert briefly(until_idle(changes)) == [("ADDED", "a"), ("ADDED", "b")]
    rig.delete("Thing", "a")
    assert briefly(until_idle(changes)) == [("DELETED", "a")]


def test_a_watch_goes_on_from_a_revision(rig: Rig) -> None:
    rig.create("Thing", thing("a"))
    revision = str(rig.storage.revision)
    patch(rig, "a", {"spec": {"x": 1}})
    rig.create("Thing", thing("b"))
    changes = until_idle(iter(watching(rig, revision=revision)))
    assert briefly(changes) == [("MODIFIED", "a"), ("ADDED", "b")]
    assert changes[0].data is not None


def test_a_revision_that_is_forgotten_is_an_error_event(rig: Rig) -> None:
    rig.create("Thing", thing("a"))
    rig.storage.compact()
    (change,) = watching(rig, revision="1")
    assert change is not None
    assert change.type == "ERROR"
    assert (change.obj["code"], change.obj["reason"]) == (410, "Expired")
    assert change.obj["message"].startswith("too old resource version: 1 (")


def test_a_revision_that_is_no_number_is_400(rig: Rig) -> None:
    with pytest.raises(BadRequest):
        watching(rig, revision="x")


def test_objects_come_and_go_with_the_selection(rig: Rig) -> None:
    chosen = selector(rig.thing, "l=1")
    changes = iter(watching(rig, selector=chosen))
    assert until_idle(changes) == []
    rig.create("Thing", {"metadata": {"name": "a", "labels": {"l": "0"}}})
    rig.create("Thing", {"metadata": {"name": "b", "labels": {"l": "1"}}})
    patch(rig, "a", {"metadata": {"labels": {"l": "1"}}})
    patch(rig, "a", {"spec": {"x": 1}})
    patch(rig, "b", {"metadata": {"labels": {"l": "0"}}})
    rig.delete("Thing", "b")
    rig.delete("Thing", "a")
    found: list[Change] = []
    for _ in range(7):
        change = next(changes)
        found += [change] if change else []
    assert briefly(found) == [
        ("ADDED", "b"),
        ("ADDED", "a"),
        ("MODIFIED", "a"),
        ("DELETED", "b"),
        ("DELETED", "a"),
    ]
    left = found[3].obj["metadata"]
    assert left["labels"] == {"l": "1"}
    assert int(left["resourceVersion"]) > int(found[2].obj["metadata"]["resourceVersion"])


def test_a_deletion_has_the_last_state_under_its_own_revision(rig: Rig) -> None:
    rig.create("Thing", thing("a", x=1))
    changes = iter(watching(rig, revision=str(rig.storage.revision)))
    rig.delete("Thing", "a")
    (change,) = until_idle(changes)
    assert change.obj["spec"] == {"x": 1}
    assert change.obj["metadata"]["resourceVersion"] == str(rig.storage.revision)


def test_other_namespaces_are_not_seen(rig: Rig) -> None:
    rig.create("Namespace", {"metadata": {"name": "other"}})
    changes = iter(watching(rig))
    rig.create("Thing", thing("a"), "other")
    rig.create("Thing", thing("b"))
    assert briefly(until_idle(changes)) == [("ADDED", "b")]


def test_bookmarks_tell_how_far_the_watch_is(rig: Rig) -> None:
    clock = Clock()
    changes = iter(watching(rig, bookmarks=True, clock=clock))
    rig.create("Thing", thing("a"))
    assert briefly(until_idle(changes)) == [("ADDED", "a")]
    rig.create("Namespace", {"metadata": {"name": "other"}})
    clock.now = 21
    (bookmark,) = until_idle(changes)
    assert bookmark.type == "BOOKMARK"
    assert bookmark.obj["kind"] == "Thing"
    assert bookmark.obj["metadata"]["resourceVersion"] == str(rig.storage.revision)
    clock.now = 40
    assert until_idle(changes) == []
    clock.now = 41
    assert briefly(until_idle(changes)) == [("BOOKMARK", "")]


def test_bookmarks_come_only_to_who_wants_them(rig: Rig) -> None:
    clock = Clock()
    changes = iter(watching(rig, clock=clock))
    clock.now = 21
    assert until_idle(changes) == []


@pytest.mark.parametrize(
    ("bookmarks", "last"), [(True, [("ADDED", "a"), ("BOOKMARK", "")]), (False, [("ADDED", "a")])]
)
def test_a_watch_ends_in_time_with_a_bookmark(
    rig: Rig, bookmarks: bool, last: list[tuple[str, str]]
) -> None:
    rig.create("Thing", thing("a"))
    watch = watching(rig, bookmarks=bookmarks, seconds=10, clock=Clock(step=1.0))
    assert briefly([change for change in watch if change is not None]) == last


def test_closing_the_subscriptions_ends_a_watch_that_waits(rig: Rig) -> None:
    pace = Pace(poll=20.0, clock=Clock())
    watch = Watch(rig.storage, rig.thing, "", WatchOptions(), pace=pace)
    begun = threading.Event()
    ended = threading.Event()

    def follow() -> None:
        for _ in watch:
            begun.set()
        ended.set()

    rig.create("Thing", thing("a"))
    follower = threading.Thread(target=follow)
    follower.start()
    assert begun.wait(10)
    rig.storage.close_subscriptions()
    follower.join(10)
    assert ended.is_set()


def test_a_watch_that_is_given_up_is_forgotten(rig: Rig) -> None:
    changes = iter(watching(rig))
    next(changes)
    collections = rig.storage._collections
    assert collections[rig.thing.resource_id].subscriptions
    changes.close()  # type: ignore[attr-defined]
    assert not collections[rig.thing.resource_id].subscriptions


def test_a_watch_shows_the_version_that_was_asked_for(rig: Rig) -> None:
    rig.create("Thing", thing("a"))
    kind = replace(rig.thing, version="v2")
    changes = iter(Watch(rig.storage, kind, "", WatchOptions(), pace=Pace(poll=0.0)))
    (added,) = until_idle(changes)
    assert (added.obj["apiVersion"], added.data) == ("example.com/v2", None)
    rig.delete("Thing", "a")
    (gone,) = until_idle(changes)
    assert gone.obj["apiVersion"] == "example.com/v2"


STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("012-")), max_size=12)


def step(rig: Rig, name: str, label: str) -> None:
    """Delete an object, or give it a label and create it for that if need be."""
    body = {"metadata": {"name": name, "labels": {"l": label}}}
    if rig.get("Thing", name) is None:
        if label != "-":
            rig.create("Thing", body)
    elif label == "-":
        rig.delete("Thing", name)
    else:
        patch(rig, name, body)


@given(STEPS, STEPS)
def test_a_list_and_the_watch_after_it_make_the_list_of_the_end(
    before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    rig = Rig()
    chosen = selector(rig.thing, "l!=0")
    for name, label in before:
        step(rig, name, label)
    page = rig.store.list(rig.thing, "default", ListOptions(chosen))
    known = {stored.obj["metadata"]["name"]: stored.obj for stored in page.items}
    for name, label in after:
        step(rig, name, label)
    watch = watching(rig, selector=chosen, revision=str(page.revision), clock=Clock(step=1.0))
    for change in watch:
        if change is not None:
            name = change.obj["metadata"]["name"]
            assert (name in known) is (change.type != "ADDED")
            if change.type == "DELETED":
                del known[name]
            else:
                known[name] = change.obj
    end = rig.store.list(rig.thing, "default", ListOptions(chosen))
    assert sorted(known) == [stored.obj["metadata"]["name"] for stored in end.items]
    assert all(stored.obj in known.values() for stored in end.items)
