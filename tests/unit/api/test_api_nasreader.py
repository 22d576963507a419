"""The fast reader of a NAS agrees with the schema wherever it does not give up."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.contract import FAKE
from api.errors import MalformedState
from api.nas import NodeAllocationState, parse_nas
from api.nasreader import read_nas
from api.nasschema import load_nas
from api.objects import JSON
from tests.support.build import nas

SHARE = {"timeSliced": {"client": 1, "maxClients": 2}}
CHILDREN = [{"uuid": "child", "parentUUID": "node-1-0"}, {"uuid": "node-1-1", **SHARE}]
HELD = {
    "claimInfo": {"name": "c", "namespace": "default"},
    "fake": {"devices": [{"uuid": "node-1-0", "split": 2}, {"uuid": "node-1-1", **SHARE}]},
}
FULL = nas(
    devices=3,
    allocatedClaims={"u": HELD},
    preparedDevices={"u": {"fake": {"devices": CHILDREN}}},
) | {"heartbeat": {"renewTime": "2026-01-01T00:00:00.000000Z", "durationSeconds": 150}}

text = st.text(max_size=5)
ids = st.sampled_from(["d0", "d1", "x" * 128])


def thing(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return dictionaries with these fields, each of which may be absent if it ends with `_`."""
    must = {name: values for name, values in fields.items() if not name.endswith("_")}
    may = {name.rstrip("_"): values for name, values in fields.items() if name.endswith("_")}
    return st.fixed_dictionaries(must, optional={**may, "newer": st.integers()})


def listed(devices: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return thing(devices=st.lists(devices, max_size=3))


offers = st.lists(thing(fake=thing(uuid=ids, name=text)), max_size=3)
shares = thing(client=st.integers(0, 9), maxClients=st.integers(1, 9))
entries = thing(
    fake=listed(thing(uuid=ids, split_=st.integers(0, 16), timeSliced_=shares)),
    claimInfo_=thing(namespace_=text, name_=text),
)
made = thing(fake=listed(thing(uuid=ids, parentUUID_=st.none() | ids, timeSliced_=shares)))
specs = thing(
    allocatableDevice_=offers,
    allocatedClaims_=st.dictionaries(text, entries, max_size=2),
    preparedDevices_=st.dictionaries(text, made, max_size=2),
    sharing_=st.lists(text, max_size=2),
)
metas = thing(name=text, namespace_=text, resourceVersion_=text, uid_=text)
well_formed = thing(
    metadata=metas,
    spec_=st.none() | specs,
    status_=st.sampled_from([None, "", "Ready", "NotReady"]),
    heartbeat_=st.none() | thing(renewTime=text, durationSeconds_=st.integers(1, 9)),
)
ODD: list[Any] = [None, True, False, -1, 0, 1, 2.0, float("nan"), "", "Ready", "x" * 128, "x" * 129]
ODD += [b"Ready", (), [], {}, [[]], [{}], {"u": None}, {"fake": {}}, {"fake": {"devices": []}}]


def schema_reads(obj: JSON) -> NodeAllocationState | None:
    try:
        return load_nas(obj, FAKE.device_key)
    except MalformedState:
        return None


def places(value: object) -> list[tuple[Any, Any]]:
    """Return container and key of everything inside a JSON value."""
    inner: list[Any] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [place for key, below in inner for place in [(value, key), *places(below)]]


def places_of_nas(obj: JSON) -> list[tuple[Any, Any]]:
    """Return the places of all that the schema reads."""
    inner = [*places(obj.get("spec")), *places(obj.get("heartbeat"))]
    return [(obj, "status"), (obj, "spec"), (obj, "heartbeat"), *inner]


def agreed(obj: JSON) -> bool:
    state = read_nas(obj, FAKE.device_key)
    return state is None or state == schema_reads(obj)


@given(well_formed)
def test_every_well_formed_object_is_read_without_the_schema(obj: JSON) -> None:
    state = read_nas(obj, FAKE.device_key)
    assert state is not None
    assert state == load_nas(obj, FAKE.device_key)


@given(st.data(), well_formed, st.integers(1, 3))
def test_a_damaged_object_is_read_as_the_schema_reads_it_or_not_at_all(
    data: st.DataObject, obj: JSON, times: int
) -> None:
    for _ in range(times):
        container, key = data.draw(st.sampled_from(places_of_nas(obj)))
        container[key] = copy.deepcopy(data.draw(st.sampled_from(ODD)))
    assert agreed(obj)


every_place = pytest.mark.parametrize("number", range(len(places_of_nas(FULL))))


@every_place
def test_a_place_may_hold_anything(number: int) -> None:
    for odd in ODD:
        obj = copy.deepcopy(FULL)
        container, key = places_of_nas(obj)[number]
        container[key] = odd
        assert agreed(obj), odd


@every_place
def test_a_field_may_be_missing(number: int) -> None:
    obj = copy.deepcopy(FULL)
    container, key = places_of_nas(obj)[number]
    del container[key]
    assert agreed(obj)


@pytest.mark.parametrize("value", [2.0, True, -1, "2", None], ids=repr)
def test_what_is_wrong_is_left_to_the_schema_to_explain(value: object) -> None:
    obj = copy.deepcopy(FULL)
    obj["spec"]["allocatedClaims"]["u"]["fake"]["devices"][0]["split"] = value
    assert read_nas(obj, FAKE.device_key) is None
    with pytest.raises(MalformedState, match=r"devices\.0\.split"):
        parse_nas(obj, FAKE.device_key)


def test_what_is_unusual_is_left_to_the_schema_to_read() -> None:
    obj = copy.deepcopy(FULL)
    obj["metadata"]["resourceVersion"] = 7
    assert read_nas(obj, FAKE.device_key) is None
    assert parse_nas(obj, FAKE.device_key).resource_version == "7"


def test_what_the_driver_writes_is_read_without_the_schema() -> None:
    assert read_nas(FULL, FAKE.device_key) == load_nas(FULL, FAKE.device_key)
