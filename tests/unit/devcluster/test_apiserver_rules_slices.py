"""Which ResourceSlices the API server refuses, and with which words."""

from typing import Any

import pytest

from api.objects import JSON
from devcluster.apiserver.errors import Invalid
from devcluster.apiserver.resourceapi import ResourceApi, structured
from tests.support.apiserverrig import STARTED, Rig, refusals
from tests.support.structuredobjects import device, slice_body

TODAY = structured(37, on=["DRAListTypeAttributes"])


def devices(count: int, **fields: Any) -> list[JSON]:
    return [device(f"gpu-{n}", **fields) for n in range(count)]


def counters(*names: str, value: str = "1") -> JSON:
    return {name: {"value": value} for name in names}


def counter_set(name: str = "card", **given: Any) -> JSON:
    return {"name": name, "counters": counters("units"), **given}


def refused(body: JSON, api: ResourceApi = TODAY) -> list[str]:
    return refusals("ResourceSlice", body, api)


TAINT = {"key": "example.com/sick", "effect": "NoSchedule"}
CONSUMES = [{"counterSet": "card", "counters": counters("units")}]
TERM = {"matchExpressions": [{"key": "zone", "operator": "Exists"}]}
WRONG = {
    "upper-case-name": (
        slice_body(device("GPU")),
        'spec.devices[0].name: Invalid value: "GPU": a lowercase RFC 1123 label must consist',
    ),
    "duplicate-name": (slice_body(device(), device()), 'spec.devices[1]: Duplicate value: "gpu-0"'),
    "129-devices": (
        slice_body(*devices(129)),
        "spec.devices: Too many: 129: must have at most 128 items",
    ),
    "65-devices-one-tainted": (
        slice_body(*devices(64), device("last", taints=[TAINT])),
        "spec.devices: Too many: 65: must have at most 64 items",
    ),
    "65-devices-with-counters": (
        slice_body(*devices(65, consumesCounters=CONSUMES)),
        "spec.devices: Too many: 65: must have at most 64 items",
    ),
    "65-devices-with-a-list": (
        slice_body(*devices(65, attributes={"a": {"ints": [1]}})),
        "spec.devices: Too many: 65: must have at most 64 items",
    ),
    "17-taints": (
        slice_body(device(taints=[TAINT] * 17)),
        "spec.devices[0].taints: Too many: 17: must have at most 16 items",
    ),
    "taint-effect": (
        slice_body(device(taints=[{**TAINT, "effect": "Panic"}])),
        (
            'spec.devices[0].taints[0].effect: Unsupported value: "Panic": supported values: '
            '"NoExecute", "NoSchedule", "None"'
        ),
    ),
    "33-attributes-and-capacities": (
        slice_body(
            device(
                attributes={f"a{n}": {"int": n} for n in range(32)}, capacity={"c": {"value": 1}}
            )
        ),
        (
            "spec.devices[0]: Invalid value: 33: the total number of attributes and capacities "
            "must not exceed 32"
        ),
    ),
    "49-attribute-values": (
        slice_body(device(attributes={"a": {"ints": list(range(49))}})),
        "spec.devices[0]: Invalid value: 49: the total number of attribute values must not exceed",
    ),
    "65-bytes": (
        slice_body(device(attributes={"a": {"string": "é" * 33}})),
        "spec.devices[0].attributes[a].string: Too long: may not be more than 64 bytes",
    ),
    "two-values": (
        slice_body(device(attributes={"a": {"int": 1, "bool": True}})),
        "spec.devices[0].attributes[a]: Invalid value",
    ),
    "no-value": (
        slice_body(device(attributes={"a": {}})),
        'spec.devices[0].attributes[a]: Invalid value: "": exactly one value must be specified',
    ),
    **{
        f"version-{text}": (
            slice_body(device(attributes={"a": {"version": text}})),
            (
                f'spec.devices[0].attributes[a].version: Invalid value: "{text}": must be a string '
                "compatible with semver.org spec 2.0.0"
            ),
        )
        for text in ("1.0", "v1.0.0", "01.0.0")
    },
    "attribute-with-hyphen": (
        slice_body(device(attributes={"a-b": {"int": 1}})),
        'spec.devices[0].attributes: Invalid value: "a-b": a valid C identifier',
    ),
    "long-attribute-name": (
        slice_body(device(attributes={"a" * 33: {"int": 1}})),
        "spec.devices[0].attributes: Too long: may not be more than 32 bytes",
    ),
    "attribute-without-domain": (
        slice_body(device(attributes={"/a": {"int": 1}})),
        'spec.devices[0].attributes: Invalid value: "": the domain must not be empty',
    ),
    "counters-and-devices": (
        slice_body(device(), sharedCounters=[counter_set()]),
        'spec: Invalid value: "": only one of `sharedCounters` or `devices` is allowed',
    ),
    "counters-and-empty-devices": (
        slice_body(sharedCounters=[counter_set()], devices=[]),
        'spec: Invalid value: "": only one of `sharedCounters` or `devices` is allowed',
    ),
    "9-counter-sets": (
        slice_body(sharedCounters=[counter_set(f"card-{n}") for n in range(9)]),
        "spec.sharedCounters: Too many: 9: must have at most 8 items",
    ),
    "33-counters": (
        slice_body(sharedCounters=[counter_set(counters=counters(*(f"c{n}" for n in range(33))))]),
        "spec.sharedCounters[0].counters: Too many: 33: must have at most 32 items",
    ),
    "no-counters": (
        slice_body(sharedCounters=[counter_set(counters={})]),
        "spec.sharedCounters[0].counters: Required value",
    ),
    "counter-with-underscore": (
        slice_body(sharedCounters=[counter_set(counters=counters("a_b"))]),
        'spec.sharedCounters[0].counters: Invalid value: "a_b": a lowercase RFC 1123 label',
    ),
    "3-consumed-sets": (
        slice_body(
            device(
                consumesCounters=[
                    {"counterSet": f"card-{n}", "counters": counters("c")} for n in range(3)
                ]
            )
        ),
        "spec.devices[0].consumesCounters: Too many: 3: must have at most 2 items",
    ),
    "no-selection": (
        slice_body(device(), nodeName=None),
        (
            "spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, "
            "`perDeviceNodeSelection` is required"
        ),
    ),
    "two-selections": (
        slice_body(device(), allNodes=True),
        'spec: Invalid value: "{`nodeName`, `allNodes`}": exactly one of',
    ),
    "empty-node-name": (
        slice_body(device(), nodeName=""),
        'spec.nodeName: Invalid value: "": must be either unset or set to a non-empty string',
    ),
    "not-all-nodes": (
        slice_body(device(), allNodes=False),
        "spec.allNodes: Invalid value: false: must be either unset or set to true",
    ),
    "two-terms": (
        slice_body(device(), nodeName=None, nodeSelector={"nodeSelectorTerms": [TERM, TERM]}),
        "spec.nodeSelector.nodeSelectorTerms: Invalid value",
    ),
    "device-without-selection": (
        slice_body(device(), nodeName=None, perDeviceNodeSelection=True),
        "spec.devices[0]: Required value: exactly one of `nodeName`, `nodeSelector`, or `allNodes`",
    ),
    "device-with-selection": (
        slice_body(device(allNodes=True)),
        "spec.devices[0]: Invalid value: null: `nodeName`, `nodeSelector` and `allNodes` can only",
    ),
    "conditions-alone": (
        slice_body(device(bindingConditions=["ready"])),
        (
            "spec.devices[0].bindingFailureConditions: Invalid value: []: bindingFailureConditions "
            "are required to use bindingConditions"
        ),
    ),
    "conditions-overlap": (
        slice_body(device(bindingConditions=["a"], bindingFailureConditions=["a"])),
        (
            'spec.devices[0].bindingFailureConditions[0]: Invalid value: "a": '
            "bindingFailureConditions must not overlap with bindingConditions"
        ),
    ),
    "5-conditions": (
        slice_body(device(bindingConditions=list("abcde"), bindingFailureConditions=["f"])),
        "spec.devices[0].bindingConditions: Too many: 5: must have at most 4 items",
    ),
    "driver-name": (slice_body(device(), driver="a" * 64), "spec.driver: Too long"),
    "pool-name": (
        slice_body(device(), pool={"name": "a//b", "generation": 1, "resourceSliceCount": 1}),
        'spec.pool.name: Invalid value: ""',
    ),
    "slice-count": (
        slice_body(device(), pool={"name": "p", "generation": -1, "resourceSliceCount": 0}),
        "spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero",
    ),
}


@pytest.mark.parametrize(("body", "said"), WRONG.values(), ids=WRONG)
def test_refused_slice(body: JSON, said: str) -> None:
    assert any(text.startswith(said) for text in refused(body)), refused(body)


RIGHT = {
    "128-devices": slice_body(*devices(128)),
    "64-devices-with-counters": slice_body(*devices(64, consumesCounters=CONSUMES)),
    "128-shared-devices": slice_body(*devices(128, allowMultipleAllocations=True)),
    "8-counter-sets": slice_body(sharedCounters=[counter_set(f"c-{n}") for n in range(8)]),
    "dangling-counters": slice_body(device(consumesCounters=CONSUMES)),
    "64-bytes": slice_body(device(attributes={"gpu.example.com/a": {"string": "é" * 32}})),
    "two-slashes": slice_body(device(attributes={"a/b/c": {"int": 1}})),
    "version": slice_body(device(attributes={"a": {"version": "1.2.3-rc.1+build"}})),
    "no-devices": slice_body(),
    "pool-with-slashes": slice_body(
        pool={"name": "a/b.c/d", "generation": 0, "resourceSliceCount": 1}
    ),
    "devices-that-select": slice_body(
        device(nodeName="n"), nodeName=None, perDeviceNodeSelection=True
    ),
}


@pytest.mark.parametrize("body", RIGHT.values(), ids=RIGHT)
def test_accepted_slice(body: JSON) -> None:
    assert refused(body) == []


OLD = structured(34, on=["DRAPartitionableDevices", "DRADeviceTaints"])


def test_counters_stand_beside_devices_up_to_1_34() -> None:
    mixed = slice_body(device(consumesCounters=CONSUMES), sharedCounters=[counter_set()])
    assert refused(mixed, OLD) == []
    assert refused(mixed) != []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            slice_body(device(consumesCounters=CONSUMES)),
            (
                'spec.devices[0].consumesCounters[0].counterSet: Invalid value: "card": must '
                "reference a counterSet defined in the ResourceSlice sharedCounters"
            ),
        ),
        (
            slice_body(
                device(consumesCounters=[{"counterSet": "card", "counters": counters("other")}]),
                sharedCounters=[counter_set()],
            ),
            (
                'spec.devices[0].consumesCounters[0].counters: Invalid value: "other": must '
                "reference a counter defined in the ResourceSlice sharedCounters"
            ),
        ),
        (
            slice_body(device(taints=[TAINT] * 5)),
            "spec.devices[0].taints: Too many: 5: must have at most 4 items",
        ),
        (
            slice_body(
                sharedCounters=[
                    counter_set(name, counters=counters(*(f"c{n}" for n in range(20))))
                    for name in ("a", "b")
                ]
            ),
            (
                "spec.sharedCounters: Invalid value: 40: the total number of shared counters must "
                "not exceed 32"
            ),
        ),
        (
            slice_body(
                *devices(
                    33,
                    consumesCounters=[
                        {"counterSet": "a", "counters": counters(*(f"c{n}" for n in range(32)))}
                    ],
                ),
                sharedCounters=[counter_set("a", counters=counters(*(f"c{n}" for n in range(32))))],
            ),
            (
                "spec.devices: Invalid value: 1056: the total number of counters in devices "
                "must not exceed 1024"
            ),
        ),
    ],
    ids=["set", "counter", "taints", "shared-counters", "device-counters"],
)
def test_refused_slice_of_1_34(body: JSON, said: str) -> None:
    assert refused(body, OLD) == [said]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"driver": "other.example.com"}, 'spec.driver: Invalid value: "other.example.com"'),
        ({"nodeName": "node-2"}, 'spec.nodeName: Invalid value: "node-2"'),
        (
            {"pool": {"name": "other", "generation": 1, "resourceSliceCount": 1}},
            'spec.pool.name: Invalid value: "other"',
        ),
    ],
    ids=["driver", "node", "pool"],
)
def test_what_never_changes(change: JSON, said: str) -> None:
    rig = Rig(api=TODAY)
    rig.create("ResourceSlice", slice_body(device()))
    with pytest.raises(Invalid) as caught:
        rig.store.update(rig.kind("ResourceSlice"), "", "s", slice_body(device(), **change))
    assert f"{said}: field is immutable" in caught.value.message


def test_generation_counts_changes_of_the_spec() -> None:
    rig = Rig(api=TODAY)
    kind = rig.kind("ResourceSlice")
    assert rig.create("ResourceSlice", slice_body(device()))["metadata"]["generation"] == 1
    same = {**slice_body(device()), "metadata": {"name": "s", "labels": {"a": "b"}}}
    assert rig.store.update(kind, "", "s", same)["metadata"]["generation"] == 1
    changed = rig.store.update(kind, "", "s", slice_body(device("gpu-1")))
    assert changed["metadata"]["generation"] == 2


def test_taints_are_stamped() -> None:
    rig = Rig(api=TODAY)
    stored = rig.create("ResourceSlice", slice_body(device(taints=[TAINT])))
    assert stored["spec"]["devices"][0]["taints"] == [{**TAINT, "timeAdded": STARTED}]
