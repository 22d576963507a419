import threading
from typing import Any

import pytest

from api.objects import JSON
from devcluster.apiserver.patch import MERGE, Patch
from devcluster.apiserver.storage import DELETED, Event
from tests.support.apiserverrig import Rig, definition, pod_body, thing


def owned(name: str, *owners: JSON, **fields: Any) -> JSON:
    references = [
        {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            **fields,
        }
        for owner in owners
    ]
    return {"metadata": {"name": name, "ownerReferences": references}}


def test_dependents_go_after_their_owner_and_theirs_after_them(rig: Rig) -> None:
    a = rig.create("Thing", thing("a"))
    b = rig.create("Thing", owned("b", a))
    rig.create("ConfigMap", owned("c", b))
    rig.create("ConfigMap", {"metadata": {"name": "free"}})
    rig.collect()
    assert rig.get("Thing", "b")
    rig.delete("Thing", "a")
    rig.collect()
    assert rig.get("Thing", "b") is None
    assert rig.get("ConfigMap", "c") is None
    assert rig.get("ConfigMap", "free")


def test_one_owner_is_enough(rig: Rig) -> None:
    a, b = rig.create("Thing", thing("a")), rig.create("Thing", thing("b"))
    rig.create("ConfigMap", owned("c", a, b))
    rig.delete("Thing", "a")
    rig.collect()
    assert rig.get("ConfigMap", "c")
    rig.delete("Thing", "b")
    rig.collect()
    assert rig.get("ConfigMap", "c") is None


def test_an_owner_of_the_same_name_is_another_one(rig: Rig) -> None:
    a = rig.create("Thing", thing("a"))
    rig.create("ConfigMap", owned("c", a))
    rig.delete("Thing", "a")
    rig.create("Thing", thing("a"))
    rig.collect()
    assert rig.get("ConfigMap", "c") is None


def test_a_dependent_that_comes_too_late_goes_at_once(rig: Rig) -> None:
    a = rig.create("Thing", thing("a"))
    rig.delete("Thing", "a")
    rig.collect()
    rig.create("ConfigMap", owned("c", a))
    rig.collect()
    assert rig.get("ConfigMap", "c") is None


def test_an_owner_that_is_given_later_counts(rig: Rig) -> None:
    a = rig.create("Thing", thing("a"))
    rig.create("ConfigMap", {"metadata": {"name": "c"}})
    body = Patch(MERGE, owned("c", a))
    rig.store.patch(rig.kind("ConfigMap"), "default", "c", body)
    rig.delete("Thing", "a")
    rig.collect()
    assert rig.get("ConfigMap", "c") is None


def test_an_owner_of_an_unknown_kind_may_exist(rig: Rig) -> None:
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "d", "uid": "u"}}
    rig.create("ConfigMap", owned("c", owner))
    rig.collect()
    assert rig.get("ConfigMap", "c")


def test_cluster_objects_own_objects_in_namespaces(rig: Rig) -> None:
    node = rig.create("Node", {"metadata": {"name": "n"}})
    rig.create("Thing", owned("a", node))
    rig.collect()
    assert rig.get("Thing", "a")
    rig.delete("Node", "n")
    rig.collect()
    assert rig.get("Thing", "a") is None


def test_orphans_stay_without_their_owner(rig: Rig) -> None:
    a, b = rig.create("Thing", thing("a")), rig.create("Thing", thing("b"))
    rig.create("ConfigMap", owned("c", a, b))
    rig.create("ConfigMap", owned("d", a))
    rig.delete("Thing", "a", propagation="Orphan")
    rig.collect()
    assert rig.get("Thing", "a") is None
    c, d = rig.get("ConfigMap", "c"), rig.get("ConfigMap", "d")
    assert c is not None
    assert d is not None
    assert [owner["name"] for owner in c["metadata"]["ownerReferences"]] == ["b"]
    assert d["metadata"]["ownerReferences"] == []


def test_an_owner_waits_for_dependents_that_block(rig: Rig) -> None:
    a = rig.create("Thing", thing("a"))
    body = owned("c", a, blockOwnerDeletion=True)
    body["metadata"]["finalizers"] = ["x.io/slow"]
    rig.create("ConfigMap", body)
    rig.create("ConfigMap", owned("d", a))
    rig.delete("Thing", "a", propagation="Foreground")
    rig.collect()
    assert rig.get("Thing", "a")
    assert rig.get("ConfigMap", "d") is None
    free = Patch(MERGE, {"metadata": {"finalizers": []}})
    rig.store.patch(rig.kind("ConfigMap"), "default", "c", free)
    rig.collect()
    assert rig.get("ConfigMap", "c") is None
    assert rig.get("Thing", "a") is None


def test_a_foreground_deletion_without_dependents_ends(rig: Rig) -> None:
    rig.create("Thing", thing("a"))
    rig.delete("Thing", "a", propagation="Foreground")
    rig.collect()
    assert rig.get("Thing", "a") is None


def test_a_namespace_goes_after_its_contents(rig: Rig) -> None:
    rig.create("Namespace", {"metadata": {"name": "n"}})
    rig.create("Thing", {"metadata": {"name": "a", "finalizers": ["x.io/slow"]}}, "n")
    rig.create("Pod", pod_body("p", nodeName="node"), "n")
    rig.create("ConfigMap", {"metadata": {"name": "c"}}, "n")
    rig.delete("Namespace", "n")
    rig.collect()
    ending = rig.get("Namespace", "n")
    assert ending is not None
    assert ending["status"] == {"phase": "Terminating"}
    assert rig.get("ConfigMap", "c", "n") is None
    assert rig.get("Pod", "p", "n")
    rig.delete("Pod", "p", "n", grace_seconds=0)
    rig.collect()
    assert rig.get("Namespace", "n")
    free = Patch(MERGE, {"metadata": {"finalizers": []}})
    rig.store.patch(rig.thing, "n", "a", free)
    rig.collect()
    assert rig.get("Namespace", "n") is None


def test_an_empty_namespace_goes(rig: Rig) -> None:
    rig.create("Namespace", {"metadata": {"name": "n"}})
    rig.delete("Namespace", "n")
    rig.collect()
    assert rig.get("Namespace", "n") is None


def test_an_object_that_slipped_into_a_namespace_that_ended_goes(rig: Rig) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "uid": "u"}}
    body["metadata"] = {"name": "c", "uid": "u", "namespace": "gone"}
    rig.storage.create(("", "configmaps"), body)
    rig.collect()
    assert rig.get("ConfigMap", "c", "gone") is None


def test_a_definition_goes_after_its_objects(rig: Rig) -> None:
    rig.create("CustomResourceDefinition", definition())
    foo = rig.kind("Foo")
    rig.create("Foo", {"metadata": {"name": "a", "finalizers": ["x.io/slow"]}})
    rig.create("Foo", {"metadata": {"name": "b"}})
    rig.delete("CustomResourceDefinition", "foos.example.org")
    rig.collect()
    ending = rig.get("CustomResourceDefinition", "foos.example.org")
    assert ending is not None
    assert ending["status"]["conditions"][-1]["type"] == "Terminating"
    assert rig.get("Foo", "b") is None
    rig.store.patch(foo, "default", "a", Patch(MERGE, {"metadata": {"finalizers": []}}))
    rig.collect()
    assert rig.get("CustomResourceDefinition", "foos.example.org") is None
    assert rig.registry.find("example.org", "v1", "foos") is None


def test_the_end_of_a_definition_ends_the_watches_of_its_objects(rig: Rig) -> None:
    rig.create("CustomResourceDefinition", definition())
    subscription = rig.storage.subscribe(("example.org", "foos"))
    rig.delete("CustomResourceDefinition", "foos.example.org")
    rig.collect()
    assert subscription._closed.is_set()


def test_the_thread_collects_promptly_and_ends(rig: Rig) -> None:
    gone = threading.Event()

    def listen(event: Event) -> None:
        if event.type == DELETED and event.resource == ("", "configmaps"):
            gone.set()

    rig.storage.listen(listen)
    a = rig.create("Thing", thing("a"))
    rig.create("ConfigMap", owned("c", a))
    rig.garbage.start()
    try:
        rig.delete("Thing", "a")
        assert gone.wait(5)
    finally:
        rig.garbage.stop()
    assert not rig.garbage._thread.is_alive()


def test_one_failure_does_not_end_the_collection(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    follow = rig.garbage._ownership.follow
    seen = threading.Event()

    def fail_once(event: Event) -> None:
        if event.resource == ("", "secrets"):
            raise KeyError("broken")
        follow(event)
        if event.resource == ("", "configmaps") and event.type == DELETED:
            seen.set()

    monkeypatch.setattr(rig.garbage._ownership, "follow", fail_once)
    rig.garbage.start()
    try:
        rig.create("Secret", {"metadata": {"name": "s"}})
        a = rig.create("Thing", thing("a"))
        rig.create("ConfigMap", owned("c", a))
        rig.delete("Thing", "a")
        assert seen.wait(5)
    finally:
        rig.garbage.stop()
    assert "Cannot collect garbage" in caplog.text
