"""Contents of a namespace outlive its deletion for a while."""

from api.objects import JSON
from devcluster.apiserver.garbage import GarbageCollector
from devcluster.apiserver.grace import Grace
from testing.clock import Clock
from tests.support.apiserverrig import Rig


def namespace(uid: str) -> JSON:
    return {"metadata": {"name": uid, "uid": uid}}


def test_grace_ends_once_for_each_namespace() -> None:
    clock = Clock()
    grace = Grace(2.0, clock)
    assert grace.pause() is None
    grace.begin(namespace("a"))
    clock.now = 1.0
    grace.begin(namespace("b"))
    assert grace.pause() == 1.0
    assert grace.holds(namespace("a"))
    clock.now = 2.0
    assert grace.over() == [namespace("a")]
    assert not grace.holds(namespace("a"))
    assert grace.holds(namespace("b"))
    assert grace.over() == []
    clock.now = 9.0
    assert grace.pause() == 0.0


def test_objects_are_still_there_to_be_deleted_one_by_one() -> None:
    rig, clock = Rig(), Clock()
    rig.garbage = GarbageCollector(rig.store, rig.registry, Grace(1.0, clock))
    rig.create("Namespace", {"metadata": {"name": "n"}})
    rig.create("ConfigMap", {"metadata": {"name": "a"}}, "n")
    rig.delete("Namespace", "n")
    rig.collect()
    assert rig.get("ConfigMap", "a", "n")
    clock.now = 1.0
    rig.collect()
    assert rig.get("ConfigMap", "a", "n") is None
    assert rig.get("Namespace", "n") is None
