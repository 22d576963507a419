from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import UnknownMessage, UnreadableProtobuf
from api.objects import JSON
from api.protobuf.envelope import decoded, encoded
from api.rawjson import RawJson
from tests.support.tables import cases
from tests.support.wirebytes import Field, enveloped, message

V1 = "resource.k8s.io/v1"
NODE = "fake-dra-driver-cluster-worker"


def recorded(name: str) -> JSON:
    """Return what a program in Go sent; client-go v0.36.2."""
    return decoded(Path(__file__).with_name(f"{name}-go-0.36.2.pb").read_bytes())


def test_a_slice_as_a_driver_in_go_sends_it() -> None:
    obj = recorded("resourceslice")
    first, second = obj["spec"].pop("devices")
    assert obj["spec"] == {
        "driver": "gpu.example.com",
        "pool": {"name": NODE, "generation": 1, "resourceSliceCount": 1},
        "nodeName": NODE,
    }
    assert first == {
        "name": "gpu-0",
        "attributes": {
            "driverVersion": {"version": "1.0.0"},
            "index": {"int": 0},
            "model": {"string": "LATEST-GPU-MODEL"},
            "uuid": {"string": "gpu-4d6cc6e5-e22d-3807-f026-783d55841ea5"},
        },
        "capacity": {"compute": {"value": "100"}, "memory": {"value": "80Gi"}},
        "allowMultipleAllocations": False,
    }
    assert second["name"] == "gpu-1"
    meta = obj["metadata"]
    assert meta.pop("ownerReferences")[0]["controller"] is True
    assert meta == {"generateName": f"00000-gpu.example.com-{NODE}-"}


def test_a_status_as_a_driver_in_go_sends_it() -> None:
    obj = recorded("resourceclaim")
    assert (obj["apiVersion"], obj["kind"]) == (V1, "ResourceClaim")
    assert obj["metadata"]["creationTimestamp"].startswith("2026-11-29T04:0")
    (shown,) = obj["status"]["devices"]
    assert isinstance(shown.pop("data"), RawJson)
    assert shown == {"driver": "gpu.example.com", "pool": NODE, "device": "gpu-0"}
    wish = {"deviceClassName": "gpu.example.com", "allocationMode": "ExactCount", "count": 1}
    assert obj["spec"] == {"devices": {"requests": [{"name": "gpu", "exactly": wish}]}}


@cases(
    ("api_version", "kind", "fields", "expected"),
    {
        "zero of a text that may be empty": ("v1", "Event", [(3, ""), (8, 0)], {}),
        "zero of what is always there": (
            V1,
            "ResourceSlice",
            [(2, [(1, ""), (2, [(2, 0)])])],
            {"spec": {"driver": "", "pool": {"generation": 0}}},
        ),
        "a flag that is set to false": (
            V1,
            "ResourceSlice",
            [(2, [(5, 0)])],
            {"spec": {"allNodes": False}},
        ),
        "a negative number": (
            V1,
            "ResourceSlice",
            [(2, [(6, [(2, [(1, "a"), (2, [(2, -1)])])])])],
            {"spec": {"devices": [{"attributes": {"a": {"int": -1}}}]}},
        ),
        "no time": ("v1", "Event", [(6, [])], {}),
        "the first time": (
            "v1",
            "Event",
            [(6, [(1, 0), (2, 0)])],
            {"firstTimestamp": "1970-01-01T00:00:00Z"},
        ),
        "a time in whole seconds": (
            "v1",
            "Event",
            [(6, [(1, 1_800_000_000), (2, 0)])],
            {"firstTimestamp": "2027-01-15T08:00:00Z"},
        ),
        "a time in microseconds": (
            "coordination.k8s.io/v1",
            "Lease",
            [(2, [(4, [(1, 1_800_000_000), (2, 1_500)])])],
            {"spec": {"renewTime": "2027-01-15T08:00:00.000001Z"}},
        ),
        "a quantity": (
            "v1",
            "Node",
            [(3, [(1, [(1, "cpu"), (2, [(1, "100m")])])])],
            {"status": {"capacity": {"cpu": "100m"}}},
        ),
        "bytes": ("v1", "Secret", [(2, [(1, "k"), (2, b"\xff")])], {"data": {"k": "/w=="}}),
        "parameters, whose fields are inlined": (
            V1,
            "DeviceClass",
            [(2, [(2, [(1, [(1, [(1, "d"), (2, [(1, '{"a": 1}')])])])])])],
            {"spec": {"config": [{"opaque": {"driver": "d", "parameters": RawJson('{"a": 1}')}}]}},
        ),
        "no parameters": (
            V1,
            "DeviceClass",
            [(2, [(2, [(1, [(1, [(1, "d"), (2, [])])])])])],
            {"spec": {"config": [{"opaque": {"driver": "d"}}]}},
        ),
        "options of any group": (
            V1,
            "DeleteOptions",
            [(1, 0), (2, [(1, "u")]), (4, "Background")],
            {
                "gracePeriodSeconds": 0,
                "preconditions": {"uid": "u"},
                "propagationPolicy": "Background",
            },
        ),
        "of v1beta1, below basic": (
            "resource.k8s.io/v1beta1",
            "ResourceSlice",
            [(2, [(6, [(1, "d"), (2, [(6, 1)])])])],
            {"spec": {"devices": [{"name": "d", "basic": {"allNodes": True}}]}},
        ),
        "a field that is not known": ("v1", "ConfigMap", [(99, "x"), (4, 1)], {"immutable": True}),
    },
)
def test_values(api_version: str, kind: str, fields: list[Field], expected: JSON) -> None:
    head = {"apiVersion": api_version, "kind": kind}
    assert decoded(enveloped(api_version, kind, *fields)) == {**head, **expected}
    assert decoded(encoded({**head, **expected})) == {**head, **expected}


def test_every_message_that_is_set_is_written_though_it_is_empty() -> None:
    slice_ = {"apiVersion": V1, "kind": "ResourceSlice", "spec": {"nodeSelector": {}}}
    assert encoded(slice_) == enveloped(V1, "ResourceSlice", (2, [(4, [])]))


def test_bytes_are_those_of_another_encoder() -> None:
    data = enveloped("v1", "ConfigMap", (1, [(1, "c")]), (2, [(1, "k"), (2, "v")]), (4, 0))
    obj = {"metadata": {"name": "c"}, "data": {"k": "v"}, "immutable": False}
    assert encoded({"apiVersion": "v1", "kind": "ConfigMap", **obj}) == data


def test_fields_without_a_message_are_left_out() -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "news": 1}
    assert decoded(encoded(obj)) == {"apiVersion": "v1", "kind": "ConfigMap"}


@cases(
    "data",
    {
        "empty": b"",
        "json": b'{"kind": "Node"}',
        "cut": enveloped("v1", "Node", (1, [(1, "n")]))[:-1],
        "no utf-8": enveloped("v1", "Node", (1, [(1, b"\xff")])),
        "raw extension without utf-8": enveloped(
            V1, "ResourceClaim", (3, [(4, [(5, [(1, b"\xff")])])])
        ),
        "a time beyond all years": enveloped("v1", "Event", (6, [(1, 1 << 50)])),
        "fields that are no json": enveloped("v1", "Node", (1, [(17, [(7, [(1, "x")])])])),
        "encoded again": b"k8s\x00" + message((1, [(1, "v1"), (2, "Node")]), (3, "gzip")),
        "json inside": b"k8s\x00"
        + message((1, [(1, "v1"), (2, "Node")]), (2, "{}"), (4, "application/json")),
    },
)
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableProtobuf):
        decoded(data)


@pytest.mark.parametrize(
    ("api_version", "kind"), [("v1", "Pod"), ("example.com/v1", "Node"), ("", "")]
)
def test_kinds_without_messages_are_told(api_version: str, kind: str) -> None:
    with pytest.raises(UnknownMessage, match=f"'{kind}' of '{api_version}'"):
        decoded(enveloped(api_version, kind))
    with pytest.raises(UnknownMessage, match=f"'{kind}' of '{api_version}'"):
        encoded({"apiVersion": api_version, "kind": kind})


@given(st.binary())
def test_any_bytes_are_an_object_or_refused(data: bytes) -> None:
    for sent in (data, enveloped(V1, "ResourceClaim") + data):
        try:
            obj = decoded(b"k8s\x00" + data if sent is data else sent)
        except (UnreadableProtobuf, UnknownMessage):
            continue
        assert obj["kind"]


names = st.text("abc", min_size=1, max_size=3)
numbers = st.integers(-(1 << 63), (1 << 63) - 1)
attributes = st.one_of(
    st.builds(lambda v: {"int": v}, numbers),
    st.builds(lambda v: {"bool": v}, st.booleans()),
    st.builds(lambda v: {"string": v}, st.text(max_size=4)),
    st.builds(lambda v: {"ints": v}, st.lists(numbers, min_size=1, max_size=3)),
)
devices = st.fixed_dictionaries(
    {"name": st.text(max_size=4)},
    optional={
        "attributes": st.dictionaries(names, attributes, min_size=1, max_size=3),
        "capacity": st.dictionaries(
            names, st.builds(lambda n: {"value": str(n)}, numbers), min_size=1, max_size=2
        ),
        "allNodes": st.booleans(),
        "bindingConditions": st.lists(names, min_size=1, max_size=2),
        "nodeSelector": st.just({}),
    },
)


@given(st.lists(devices, min_size=1, max_size=4))
def test_what_was_written_is_read(made: list[dict[str, Any]]) -> None:
    obj = {"apiVersion": V1, "kind": "ResourceSlice", "spec": {"devices": made}}
    assert decoded(encoded(obj)) == obj
