"""Structured parameters behind the client of the programs."""

import pytest

from api.names import RESOURCE_GROUP
from api.resources import Resource
from devcluster.apiserver.resourceapi import structured
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
