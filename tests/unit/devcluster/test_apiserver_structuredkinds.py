"""Structured parameters over HTTP: versions, field selectors, dropped fields."""

import json

import pytest

from api.objects import JSON
from devcluster.apiserver.resourceapi import ResourceApi, structured
from tests.support.apiserverrig import Rig
from tests.support.apiserverweb import Web
from tests.support.structuredobjects import a_slice

GROUP = "/apis/resource.k8s.io"
ALL = structured(37, "v1", "v1beta2", "v1beta1")


def slices(version: str = "v1") -> str:
    return f"{GROUP}/{version}/resourceslices"


@pytest.mark.parametrize(
    ("api", "served"),
    [
        (structured(32), ["v1beta1"]),
        (structured(33), ["v1beta2", "v1beta1"]),
        (structured(34), ["v1"]),
        (structured(36), ["v1"]),
        (ALL, ["v1", "v1beta2", "v1beta1"]),
    ],
    ids=["1.32", "1.33", "1.34", "1.36", "asked-for"],
)
def test_versions_of_a_minor(api: ResourceApi, served: list[str]) -> None:
    _, group = Web(api=api).json("GET", GROUP)
    assert [each["version"] for each in group["versions"]] == served
    kinds = {
        entry["name"]
        for version in served
        for entry in Web(api=api).json("GET", f"{GROUP}/{version}")[1]["resources"]
    }
    rules = {"devicetaintrules", "devicetaintrules/status"} if api is ALL else set()
    assert kinds == rules | {
        "deviceclasses",
        "resourceclaims",
        "resourceclaims/status",
        "resourceclaimtemplates",
        "resourceslices",
    }


@pytest.mark.parametrize(
    ("minor", "wanted"),
    [(32, {"versions": ["v1"]}), (36, {"on": ["DRADerivedAttributes"]}), (31, {})],
    ids=["version", "gate", "classic"],
)
def test_what_a_minor_has_not(minor: int, wanted: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match=f"1.{minor} has the versions"):
        structured(minor, *wanted.get("versions", ()), on=wanted.get("on", ()))


def test_devices_of_v1beta1_are_basic() -> None:
    web = Web(api=ALL)
    fields = {"attributes": {"model": {"string": "a"}}}
    flat = {"nodeName": "node-1", "allNodes": False}
    sent = a_slice("s", {"name": "d", "basic": fields}, {"name": "e"}, **flat)
    assert web.json("POST", slices("v1beta1"), sent)[0] == 201
    for version in ("v1", "v1beta2"):
        _, found = web.json("GET", f"{slices(version)}/s")
        assert found["apiVersion"] == f"resource.k8s.io/{version}"
        assert found["spec"]["devices"] == [{"name": "d", **fields}, {"name": "e"}]
        assert "allNodes" not in found["spec"]
    _, found = web.json("GET", slices("v1beta1"))
    assert found["items"][0]["apiVersion"] == "resource.k8s.io/v1beta1"
    assert found["items"][0]["spec"]["devices"] == [
        {"name": "d", "basic": fields},
        {"name": "e", "basic": {}},
    ]


EXACT = {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 1}
OTHERS = {"name": "b", "firstAvailable": [{"name": "c", **EXACT}]}


def test_requests_of_v1beta1_are_flat() -> None:
    web = Web(api=ALL)
    path = f"{GROUP}/v1beta1/namespaces/default"
    flat = {"requests": [{"name": "a", "deviceClassName": "gpu"}, OTHERS]}
    claim = {"metadata": {"name": "c"}, "spec": {"devices": flat}}
    template = {"metadata": {"name": "c"}, "spec": {"spec": {"devices": flat}}}
    for plural, body in (("resourceclaims", claim), ("resourceclaimtemplates", template)):
        code, made = web.json("POST", f"{path}/{plural}", body)
        assert code == 201, made
        _, found = web.json("GET", f"{GROUP}/v1/namespaces/default/{plural}/c")
        spec = found["spec"].get("spec") or found["spec"]
        assert spec["devices"]["requests"] == [{"name": "a", "exactly": EXACT}, OTHERS]
        spec = made["spec"].get("spec") or made["spec"]
        assert spec["devices"]["requests"] == [{"name": "a", **EXACT}, OTHERS]


def test_both_forms_of_a_request_are_refused() -> None:
    devices = {"requests": [{**OTHERS, "deviceClassName": "gpu"}]}
    body = {"metadata": {"name": "c"}, "spec": {"devices": devices}}
    path = f"{GROUP}/v1beta1/namespaces/default/resourceclaims"
    code, answer = Web(api=ALL).json("POST", path, body)
    assert code == 422
    assert answer["details"]["causes"][0]["field"] == "spec.devices.requests[0]"


def test_watches_show_their_version() -> None:
    web = Web(api=ALL)
    web.json("POST", slices(), a_slice("s", {"name": "d"}))
    web.json("DELETE", f"{slices()}/s")
    _, listed = web.json("GET", slices())
    assert listed["items"] == []
    first = int(listed["metadata"]["resourceVersion"]) - 2
    path = f"{slices('v1beta1')}?watch=1&timeoutSeconds=1&resourceVersion={first}"
    events = [json.loads(line) for line in web.call("GET", path).data.splitlines()]
    assert [event["type"] for event in events] == ["ADDED", "DELETED"]
    for event in events:
        assert event["object"]["apiVersion"] == "resource.k8s.io/v1beta1"
        assert event["object"]["spec"]["devices"] == [{"name": "d", "basic": {}}]


POOL_2 = {"name": "other", "generation": 1, "resourceSliceCount": 1}


def published(api: ResourceApi) -> Web:
    web = Web(api=api)
    for body in (
        a_slice("a"),
        a_slice("b", nodeName="node-2"),
        a_slice("c", driver="x.example.com"),
        a_slice("d", pool=POOL_2),
    ):
        assert web.json("POST", slices(api.versions[0]), body)[0] == 201
    return web


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("spec.nodeName=node-2", "b"),
        ("spec.nodeName=node-1,spec.driver=gpu.example.com", "ad"),
        ("spec.driver!=gpu.example.com", "c"),
        ("spec.pool.name=other", "d"),
        ("metadata.name=a", "a"),
    ],
    ids=["node", "node-and-driver", "other-drivers", "pool", "name"],
)
@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_field_selectors(selector: str, found: str, version: str) -> None:
    web = published(ALL)
    _, listed = web.json("GET", f"{slices(version)}?fieldSelector={selector}")
    assert "".join(each["metadata"]["name"] for each in listed["items"]) == found
    code, _ = web.json("DELETE", f"{slices(version)}?fieldSelector={selector}")
    assert code == 200
    _, left = web.json("GET", slices(version))
    assert {each["metadata"]["name"] for each in left["items"]} == set("abcd") - set(found)


@pytest.mark.parametrize(
    ("api", "field"),
    [(structured(36), "spec.pool.name"), (ALL, "spec.allNodes")],
    ids=["pool-1.36", "unknown"],
)
def test_unknown_field_selectors(api: ResourceApi, field: str) -> None:
    code, answer = Web(api=api).json("GET", f"{slices()}?fieldSelector={field}=x")
    assert code == 400
    assert answer["message"].endswith(f"field label not supported: {field}")


COUNTERS = {"units": {"value": "1"}}
TAINT = {"key": "a", "effect": "NoSchedule", "timeAdded": "2026-01-01T00:00:00Z"}
DROPPED = {
    "taints": (35, ["DRADeviceTaints"], {"taints": [TAINT]}),
    "counters": (
        35,
        ["DRAPartitionableDevices"],
        {"consumesCounters": [{"counterSet": "card", "counters": COUNTERS}]},
    ),
    "shares": (35, ["DRAConsumableCapacity"], {"allowMultipleAllocations": True}),
    "conditions": (
        35,
        ["DRADeviceBindingConditions"],
        {"bindingConditions": ["a"], "bindingFailureConditions": ["b"], "bindsToNode": True},
    ),
    "lists": (37, ["DRAListTypeAttributes"], {"attributes": {"a": {"int": 1, "ints": [1]}}}),
}


@pytest.mark.parametrize(("minor", "gates", "fields"), DROPPED.values(), ids=DROPPED)
def test_fields_of_gates_that_are_off_are_dropped(
    minor: int, gates: list[str], fields: JSON
) -> None:
    web = Web(api=structured(minor))
    body = a_slice("s", {"name": "d", **fields})
    code, asked = web.json("POST", f"{slices()}?dryRun=All", body)
    assert code == 201
    assert web.json("GET", f"{slices()}/s")[0] == 404
    _, stored = web.json("POST", slices(), body)
    kept = {"attributes": {"a": {"int": 1}}} if "attributes" in fields else {}
    assert stored["spec"]["devices"] == asked["spec"]["devices"] == [{"name": "d", **kept}]
    _, stored = web.json("PUT", f"{slices()}/s", body)
    assert stored["spec"]["devices"] == [{"name": "d", **kept}]


@pytest.mark.parametrize(
    ("minor", "gates", "fields"),
    [row for name, row in DROPPED.items() if name != "lists"],
    ids=[name for name in DROPPED if name != "lists"],
)
def test_fields_of_gates_that_are_on_stay(minor: int, gates: list[str], fields: JSON) -> None:
    web = Web(api=structured(minor, on=gates))
    _, stored = web.json("POST", slices(), a_slice("s", {"name": "d", **fields}))
    assert stored["spec"]["devices"] == [{"name": "d", **fields}]


def test_counters_are_dropped_with_their_slice_left() -> None:
    sets = [{"name": "card", "counters": COUNTERS}]
    _, stored = Web(api=structured(35)).json("POST", slices(), a_slice("s", sharedCounters=sets))
    assert "sharedCounters" not in stored["spec"]
    assert "devices" not in stored["spec"]


def test_gate_does_not_matter_once_its_fields_are_stored() -> None:
    """As after a gate was turned off: objects that use it may use it more."""
    rig = Rig(api=structured(35))
    kind = rig.kind("ResourceSlice")
    old = a_slice("s", {"name": "d", "taints": [TAINT]})
    rig.storage.create(kind.resource_id, {**old, "apiVersion": kind.api_version, "kind": kind.kind})
    more = a_slice("s", {"name": "d", "taints": [TAINT, {**TAINT, "key": "b"}]})
    found = rig.store.update(kind, "", "s", more)
    assert [taint["key"] for taint in found["spec"]["devices"][0]["taints"]] == ["a", "b"]


def test_columns() -> None:
    web = Web(api=ALL)
    web.json("POST", slices(), a_slice("s"))
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    _, shown = web.json("GET", slices(), headers=accept)
    assert [column["name"] for column in shown["columnDefinitions"]] == [
        "Name",
        "Node",
        "Driver",
        "Pool",
        "Age",
    ]
    assert shown["rows"][0]["cells"] == ["s", "node-1", "gpu.example.com", "node-1", "0s"]
