import threading
from dataclasses import replace
from typing import Any

import pytest

from api.objects import JSON
from devcluster.apiserver.deletion import DeleteOptions
from devcluster.apiserver.errors import AlreadyExists, BadRequest, Conflict, Invalid, NotFound
from devcluster.apiserver.patch import JSON_PATCH, MERGE, Patch
from devcluster.apiserver.writes import WriteOptions
from tests.support.apiserverrig import STARTED, Rig, thing

DRY = WriteOptions(dry_run=True)


def test_a_created_object_can_be_read(rig: Rig) -> None:
    made = rig.create("Thing", thing("a", x=1))
    assert made["metadata"]["uid"] == "uid-2"
    assert made["metadata"]["creationTimestamp"] == STARTED
    assert rig.store.get(rig.thing, "default", "a").obj == made


def test_a_generated_name_that_is_taken_is_generated_anew(rig: Rig) -> None:
    rig.create("Thing", thing("a-x0003"))
    made = rig.create("Thing", {"metadata": {"generateName": "a-"}})
    assert made["metadata"]["name"] == "a-x0004"


def test_a_create_does_not_change_the_body(rig: Rig) -> None:
    body = thing()
    rig.create("Thing", body)
    assert body == thing()


def test_what_does_not_exist_is_not_found(rig: Rig) -> None:
    store, kind = rig.store, rig.thing
    for call in (
        lambda: store.get(kind, "default", "a"),
        lambda: store.update(kind, "default", "a", thing()),
        lambda: store.patch(kind, "default", "a", Patch(MERGE, {})),
        lambda: store.delete(kind, "default", "a"),
        lambda: store.edit(kind, "default", "a", lambda obj: obj),
    ):
        with pytest.raises(NotFound, match=r'things\.example\.com "a" not found'):
            call()


def test_an_update_takes_the_next_revision(rig: Rig) -> None:
    made = rig.create("Thing", thing("a", x=1))
    body = {**made, "spec": {"x": 2}}
    new = rig.store.update(rig.thing, "default", "a", body)
    assert int(new["metadata"]["resourceVersion"]) == int(made["metadata"]["resourceVersion"]) + 1
    assert new["metadata"]["generation"] == 2
    with pytest.raises(Conflict):
        rig.store.update(rig.thing, "default", "a", body)


@pytest.mark.parametrize("subresource", ["", "status"])
def test_a_write_that_changes_nothing_takes_no_revision(rig: Rig, subresource: str) -> None:
    made = rig.create("Thing", thing("a", x=1))
    before = rig.storage.revision
    same = rig.store.update(
        rig.thing, "default", "a", made, options=WriteOptions(subresource=subresource)
    )
    patched = rig.store.patch(
        rig.thing,
        "default",
        "a",
        Patch(MERGE, {"spec": {"x": 1}}),
        options=WriteOptions(subresource=subresource),
    )
    assert same == patched == made
    assert rig.storage.revision == before


def test_the_status_is_written_on_its_own(rig: Rig) -> None:
    rig.create("Thing", thing("a", x=1))
    patch = Patch(MERGE, {"spec": {"x": 2}, "status": {"ready": True}})
    new = rig.store.patch(
        rig.thing, "default", "a", patch, options=WriteOptions(subresource="status")
    )
    assert (new["spec"], new["status"]) == ({"x": 1}, {"ready": True})
    new = rig.store.patch(rig.thing, "default", "a", patch)
    assert (new["spec"], new["status"]) == ({"x": 2}, {"ready": True})


def test_a_patch_may_insist_on_a_revision(rig: Rig) -> None:
    made = rig.create("Thing", thing())
    revision = made["metadata"]["resourceVersion"]
    patch = Patch(MERGE, {"metadata": {"resourceVersion": revision}, "spec": {"x": 1}})
    rig.store.patch(rig.thing, "default", "a", patch)
    with pytest.raises(Conflict, match="the object has been modified"):
        rig.store.patch(rig.thing, "default", "a", patch)


def test_a_patch_cannot_rename(rig: Rig) -> None:
    rig.create("Thing", thing())
    with pytest.raises(BadRequest):
        rig.store.patch(rig.thing, "default", "a", Patch(MERGE, {"metadata": {"name": "b"}}))


def test_a_patch_that_loses_a_race_is_applied_anew(rig: Rig) -> None:
    rig.create("Thing", thing("a", n=[]))
    threads = 4
    ready = threading.Barrier(threads)

    def append(number: int) -> None:
        ready.wait(10)
        for step in range(10):
            value = number * 100 + step
            patch = Patch(JSON_PATCH, [{"op": "add", "path": "/spec/n/-", "value": value}])
            rig.store.patch(rig.thing, "default", "a", patch)

    running = [threading.Thread(target=append, args=(n,)) for n in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(20)
    found = rig.get("Thing", "a")
    assert found is not None
    wanted = sorted(number * 100 + step for number in range(threads) for step in range(10))
    assert sorted(found["spec"]["n"]) == wanted


def test_an_update_that_loses_a_race_without_a_revision_wins_later(rig: Rig) -> None:
    rig.create("Thing", thing())
    calls: list[str] = []

    def change(obj: JSON) -> JSON:
        if not calls:
            rig.store.update(rig.thing, "default", "a", thing("a", by="other"))
        calls.append(obj["metadata"]["resourceVersion"])
        return {**obj, "spec": {**obj["spec"], "by": "me"}}

    assert rig.store.edit(rig.thing, "default", "a", change)["spec"] == {"by": "me"}
    assert len(set(calls)) == 2


def test_a_deleted_object_takes_no_new_finalizer(rig: Rig) -> None:
    rig.create("Thing", {"metadata": {"name": "a", "finalizers": ["x.io/1"]}})
    rig.delete("Thing", "a")
    patch = Patch(MERGE, {"metadata": {"finalizers": ["x.io/1", "x.io/2"]}})
    with pytest.raises(Invalid, match="no new finalizers can be added"):
        rig.store.patch(rig.thing, "default", "a", patch)


@pytest.mark.parametrize("finalizers", [[], ["x.io/1"]])
def test_deleting_twice_is_like_deleting_once(rig: Rig, finalizers: list[str]) -> None:
    rig.create("Thing", {"metadata": {"name": "a", "finalizers": finalizers}})
    first = rig.store.delete(rig.thing, "default", "a")
    revision = rig.storage.revision
    assert first.gone is not bool(finalizers)
    if finalizers:
        assert rig.store.delete(rig.thing, "default", "a").obj == first.obj
        assert rig.storage.revision == revision


def test_a_deletion_may_be_meant_for_another_object(rig: Rig) -> None:
    rig.create("Thing", thing())
    with pytest.raises(Conflict, match="Precondition failed"):
        rig.delete("Thing", "a", uid="uid-1")
    rig.delete("Thing", "a", uid="uid-2")
    assert rig.get("Thing", "a") is None


def test_dry_runs_do_all_but_store(rig: Rig) -> None:
    store, kind = rig.store, rig.thing
    assert store.create(kind, "default", thing("b"), DRY)["metadata"]["uid"]
    assert rig.get("Thing", "b") is None
    made = rig.create("Thing", thing("a", x=1))
    new = store.update(kind, "default", "a", thing("a", x=2), options=DRY)
    assert (new["spec"], new["metadata"]["generation"]) == ({"x": 2}, 2)
    patched = store.patch(kind, "default", "a", Patch(MERGE, {"spec": {"x": 3}}), options=DRY)
    assert patched["spec"] == {"x": 3}
    assert store.delete(kind, "default", "a", DeleteOptions(dry_run=True)).gone
    assert rig.get("Thing", "a") == made
    with pytest.raises(AlreadyExists, match=r'things\.example\.com "a" already exists'):
        store.create(kind, "default", thing(), DRY)
    with pytest.raises(Invalid):
        store.create(kind, "default", thing("B"), DRY)


def test_an_object_is_written_in_either_of_its_versions() -> None:
    rig = Rig()
    v2 = replace(rig.thing, version="v2")
    rig.registry.replace(rig.thing.resource_id, [rig.thing, v2])
    rig.create("Thing", thing("a", x=1))
    new = rig.store.patch(v2, "default", "a", Patch(MERGE, {"spec": {"x": 2}}))
    assert (new["apiVersion"], new["spec"]) == ("example.com/v2", {"x": 2})


def test_what_readers_hold_does_not_change(rig: Rig) -> None:
    made: Any = rig.create("Thing", thing("a", list=[1]))
    rig.store.patch(rig.thing, "default", "a", Patch(MERGE, {"spec": {"list": [2]}}))
    assert made["spec"] == {"list": [1]}
