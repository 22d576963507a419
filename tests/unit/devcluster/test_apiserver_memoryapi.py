"""Structured parameters behind the client of the programs."""

import threading

import pytest

from api.names import RESOURCE_GROUP
from api.resources import NAMESPACES, NODES, Resource
from devcluster.apiserver.resourceapi import structured
from devcluster.apiserver.storage import Event
from kube.errors import KubeError
from testing.apiserver import MemoryApi
from tests.support.structuredobjects import slice_body


def slices(version: str) -> Resource:
    return Resource(RESOURCE_GROUP, version, "resourceslices", "ResourceSlice", namespaced=False)


def test_given_objects_are_converted() -> None:
    api = MemoryApi(api=structured(37, "v1", "v1beta1"))
    api.put(
        slices("v1beta1"), slice_body({"name": "d", "basic": {"allowMultipleAllocations": True}})
    )
    for found in (api.get(slices("v1"), "s"), api.find(slices("v1"), "s")):
        assert found["spec"]["devices"] == [{"name": "d", "allowMultipleAllocations": True}]


def test_rules_hold() -> None:
    api = MemoryApi(api=structured())
    with pytest.raises(KubeError, match="Duplicate value"):
        api.create(slices("v1"), slice_body({"name": "d"}, {"name": "d"}))
    assert api.all(slices("v1")) == []


def test_versions_come_and_go() -> None:
    api = MemoryApi(api=structured(37, "v1", "v1beta1"))
    api.put(slices("v1"), slice_body())
    api.served = ["v1beta1"]
    assert api.find(slices("v1beta1"), "s")["apiVersion"] == "resource.k8s.io/v1beta1"
    with pytest.raises(KubeError):
        api.get(slices("v1"), "s")


def test_namespaces_are_objects_too() -> None:
    api = MemoryApi(api=structured())
    made = api.create(NAMESPACES, {"metadata": {"name": "n"}})
    assert api.calls == [("create", "namespaces", "n")]
    assert api.get(NAMESPACES, "n") == made


class Telling(MemoryApi):
    """Knows when a writer is about to tell of its write."""

    def __init__(self) -> None:
        self.telling = threading.Event()
        super().__init__()

    def _notify(self, event: Event) -> None:
        self.telling.set()
        super()._notify(event)


@pytest.mark.timeout(10)
def test_who_waits_for_a_change_may_look_while_others_write() -> None:
    api = Telling()
    api.telling.clear()
    write = threading.Thread(target=api.put, args=(NODES, {"metadata": {"name": "n"}}), daemon=True)
    with api.changed:
        write.start()
        # a writer that got so far would hold what a look needs, and wait for us
        api.telling.wait(0.2)
        assert api.peek(NODES) == []
    write.join(5)
    assert len(api.peek(NODES)) == 1
