"""Fields that the API server does not store are found out, and told once."""

import json
import logging
from typing import Any
from unittest.mock import create_autospec

import pytest

from api.objects import JSON
from api.resources import STATES, Resource
from kube.calls import Patch
from kube.events import EventRecorder
from ops.pruning import (
    APPLY,
    APPLY_CLASSES,
    AppliedClassParameters,
    ComparedWrites,
    missing,
    unstored,
)
from testing.apiserver import MemoryApi
from tests.support.build import SYSTEM, nas, offering

HEARTBEAT = {"heartbeat": {"renewTime": "now", "durationSeconds": 150}}


class OldApi(MemoryApi):
    """An API server whose definition lacks some top-level fields."""

    def __init__(self, *unknown: str) -> None:
        super().__init__()
        self.unknown = unknown

    def create(self, resource: Resource, body: JSON, namespace: str | None = None) -> JSON:
        return super().create(resource, self._pruned(body), namespace)

    def patch(self, resource: Resource, name: str, patch: Patch, **options: Any) -> JSON:
        kept = patch if isinstance(patch, list) else self._pruned(patch)
        return super().patch(resource, name, kept, **options)

    def _pruned(self, obj: JSON) -> JSON:
        return {name: value for name, value in obj.items() if name not in self.unknown}


class Rig:
    def __init__(self, *unknown: str) -> None:
        self.api = OldApi(*unknown)
        self.api.put(STATES, nas())
        self.events = create_autospec(EventRecorder, instance=True, spec_set=True)
        self.writes = ComparedWrites(self.api, self.events)

    def patch(self, patch: JSON | list[JSON]) -> JSON:
        return self.writes.patch(STATES, "node-1", patch, namespace=SYSTEM)

    def told(self) -> list[tuple[str, str, str]]:
        calls = self.events.warning.call_args_list
        return [(c.args[0]["metadata"]["name"], c.args[1], c.args[2]) for c in calls]


@pytest.mark.parametrize(
    ("sent", "stored", "expected"),
    [
        ({}, {"a": 1}, []),
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {}, ["a"]),
        ({"a": 1}, {"a": 2}, []),
        ({"a": None}, {}, []),
        ({"a": {"b": 1, "c": None}}, {"a": {"b": 1}}, []),
        ({"a": {"b": 1}}, {"a": {}}, ["a.b"]),
        ({"a": {"b": 1}}, {}, ["a"]),
        ({"a": {"b": {"c": 1}}, "d": 1}, {"a": {"b": {}}}, ["a.b.c", "d"]),
        ({"a": [{"b": 1, "c": 1}]}, {"a": [{"b": 1}]}, ["a[].c"]),
        ({"a": [{"b": 1}]}, {"a": []}, []),
        ({"a": ["x"]}, {"a": ["x"]}, []),
    ],
)
def test_what_is_missing(sent: JSON, stored: JSON, expected: list[str]) -> None:
    assert list(missing(sent, stored)) == expected


def test_a_field_that_is_dropped_is_told_once_with_the_command_that_helps(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    rig = Rig("heartbeat")
    for _ in range(3):
        assert "heartbeat" not in rig.patch(HEARTBEAT)
    text = (
        "the API server does not store heartbeat: its CustomResourceDefinition "
        "nodeallocationstates.nas.fake.resource.3-shake.com is older than this program, and "
        f"Helm does not upgrade it; run: {APPLY}"
    )
    assert rig.told() == [("node-1", "OutdatedDefinition", text)]
    logged = [r for r in caplog.records if APPLY in str(vars(r).get("keys"))]
    assert len(logged) == 1


def test_each_field_is_told() -> None:
    rig = Rig("heartbeat", "summary")
    rig.patch(HEARTBEAT)
    rig.patch({**HEARTBEAT, "summary": {"devices": 1}})
    assert [message.partition(":")[0] for _, _, message in rig.told()] == [
        "the API server does not store heartbeat",
        "the API server does not store summary",
    ]


def test_what_is_created_is_compared_too() -> None:
    rig = Rig("summary")
    rig.writes.create(STATES, {**nas("node-2"), "summary": {"devices": 1}}, SYSTEM)
    assert [name for name, _, _ in rig.told()] == ["node-2"]


def test_nothing_is_told_of_what_is_stored() -> None:
    rig = Rig()
    assert rig.patch(HEARTBEAT)["heartbeat"] == HEARTBEAT["heartbeat"]
    rig.patch([{"op": "add", "path": "/summary", "value": {"devices": 1}}])
    rig.patch({"heartbeat": {"durationSeconds": None}})
    assert rig.writes.get(STATES, "node-1", SYSTEM)["heartbeat"] == {"renewTime": "now"}
    assert rig.told() == []


def applied(spec: JSON, given: object) -> JSON:
    """Return parameters of a class with this spec, as they were applied otherwise."""
    (_, made) = offering(**spec)
    notes = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(given)}
    return {**made, "metadata": {**made["metadata"], "annotations": notes}}


SLICED = {"sharing": "TimeSliced", "maxClients": 2}


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        pytest.param(applied(SLICED, {"spec": SLICED}), [], id="stored"),
        pytest.param(
            applied({}, {"spec": SLICED}), ["spec.sharing", "spec.maxClients"], id="dropped"
        ),
        pytest.param(applied({}, {"spec": None}), [], id="applied-empty"),
        pytest.param(applied({}, "x"), [], id="nonsense"),
        pytest.param(offering()[1], [], id="created"),
    ],
)
def test_fields_that_were_applied_and_are_not_stored(obj: JSON, expected: list[str]) -> None:
    assert list(unstored(obj)) == expected


def test_parameters_of_a_class_that_lack_what_was_applied_are_told_of_once() -> None:
    events = create_autospec(EventRecorder, instance=True, spec_set=True)
    looks = AppliedClassParameters(events)
    pruned = applied({}, {"spec": SLICED})
    for obj in (pruned, pruned, applied(SLICED, {"spec": SLICED}), None, pruned):
        looks.saw(None, obj)
    texts = [call.args[2] for call in events.warning.call_args_list]
    assert len(texts) == 2
    assert texts[0].startswith("spec.sharing, spec.maxClients was applied, and is not stored: ")
    assert f"run: {APPLY_CLASSES}, and apply the object again" in texts[0]
