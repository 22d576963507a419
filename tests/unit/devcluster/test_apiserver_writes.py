from typing import Any

import pytest

from api.objects import JSON
from devcluster.apiserver.errors import BadRequest, Conflict, Invalid
from devcluster.apiserver.fielderrors import not_allowed
from devcluster.apiserver.objectmeta import SystemFields
from devcluster.apiserver.strategy import Strategy
from devcluster.apiserver.writes import WriteOptions, changed_object, changed_status, new_object
from tests.support.apiserverrig import STARTED, thing_kind
from tests.support.tables import cases

SYSTEM_FIELDS = SystemFields("uid-1", STARTED, "abcde")
PLAIN = WriteOptions()
SIZED = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {"size": {"type": "integer", "default": 3, "maximum": 5}},
        },
        "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
    },
}
KIND = thing_kind(schema=SIZED)


def stored(**fields: Any) -> JSON:
    return {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": {
            "name": "a",
            "namespace": "ns",
            "uid": "uid-1",
            "resourceVersion": "7",
            "generation": 1,
        },
        "spec": {"size": 1},
        "status": {"ready": True},
        **fields,
    }


def sent(meta: JSON | None = None, **fields: Any) -> JSON:
    return {"metadata": {"name": "a", **(meta or {})}, **fields}


def test_a_new_object_has_defaults_and_no_status() -> None:
    obj = new_object(KIND, "ns", sent(spec={}, status={"ready": True}), SYSTEM_FIELDS, PLAIN)
    assert obj == {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": {
            "name": "a",
            "namespace": "ns",
            "uid": "uid-1",
            "creationTimestamp": STARTED,
            "generation": 1,
        },
        "spec": {"size": 3},
    }


def test_a_kind_may_keep_the_first_status() -> None:
    kind = thing_kind(strategy=Strategy(keeps_first_status=True))
    assert new_object(kind, "ns", sent(status={"x": 1}), SYSTEM_FIELDS, PLAIN)["status"] == {"x": 1}


@cases(
    ("custom", "spec", "error", "said"),
    {
        "custom type": (
            True,
            {"size": "x"},
            Invalid,
            'Thing.example.com "a" is invalid: spec.size',
        ),
        "custom value": (True, {"size": 9}, Invalid, "less than or equal to 5"),
        "built-in type": (
            False,
            {"size": "x"},
            BadRequest,
            'Thing in version "v1" cannot be handled as a Thing',
        ),
        "built-in value": (False, {"size": 9}, Invalid, "less than or equal to 5"),
    },
)
def test_the_schema_is_checked(custom: bool, spec: JSON, error: type[Exception], said: str) -> None:
    kind = thing_kind(schema=SIZED, custom=custom)
    with pytest.raises(error, match=said):
        new_object(kind, "ns", sent(spec=spec), SYSTEM_FIELDS, PLAIN)


def test_unknown_fields_are_dropped_with_a_warning() -> None:
    warnings: list[str] = []
    options = WriteOptions(field_validation="Warn", warn=warnings.append)
    obj = new_object(KIND, "ns", sent(spec={"sise": 1}), SYSTEM_FIELDS, options)
    assert obj["spec"] == {"size": 3}
    assert warnings == ['unknown field "spec.sise"']


def test_unknown_fields_are_dropped_in_silence_if_asked_for() -> None:
    warnings: list[str] = []
    options = WriteOptions(field_validation="Ignore", warn=warnings.append)
    assert new_object(KIND, "ns", sent(spec={"sise": 1}), SYSTEM_FIELDS, options)["spec"] == {
        "size": 3
    }
    assert warnings == []


def test_unknown_fields_are_refused_if_asked_for() -> None:
    with pytest.raises(BadRequest) as refused:
        new_object(
            KIND,
            "ns",
            sent(spec={"a": 1, "b": 1}),
            SYSTEM_FIELDS,
            WriteOptions(field_validation="Strict"),
        )
    assert refused.value.message == (
        'strict decoding error: unknown field "spec.a", unknown field "spec.b"'
    )


def test_rules_of_the_kind_come_after_the_metadata() -> None:
    strategy = Strategy(
        default=lambda obj: obj.setdefault("spec", {}).update(x=1),
        prepare_create=lambda obj: obj.update(status={"x": obj["spec"]["x"]}),
        check_create=lambda obj: [not_allowed("spec", "never")],
    )
    with pytest.raises(Invalid) as refused:
        new_object(
            thing_kind(strategy=strategy), "ns", {"metadata": {"name": "A"}}, SYSTEM_FIELDS, PLAIN
        )
    assert refused.value.details is not None
    fields = [cause["field"] for cause in refused.value.details["causes"]]
    assert fields == ["metadata.name", "spec"]


def test_an_update_leaves_the_status_and_counts_the_generation() -> None:
    new = changed_object(KIND, sent(spec={"size": 2}, status={"ready": False}), stored(), PLAIN)
    assert (new["spec"], new["status"]) == ({"size": 2}, {"ready": True})
    assert new["metadata"]["generation"] == 2
    assert new["metadata"]["uid"] == "uid-1"


def test_an_update_cannot_add_a_status() -> None:
    old = stored()
    del old["status"]
    assert "status" not in changed_object(KIND, sent(status={"ready": True}), old, PLAIN)


@pytest.mark.parametrize("change", [changed_object, changed_status])
@cases(
    ("meta", "said"),
    {
        "revision": (
            {"resourceVersion": "6"},
            (
                'Operation cannot be fulfilled on things.example.com "a": the object has been '
                "modified; please apply your changes to the latest version and try again"
            ),
        ),
        "uid": (
            {"uid": "uid-0"},
            (
                'Operation cannot be fulfilled on things.example.com "a": Precondition failed: '
                "UID in precondition: uid-0, UID in object meta: uid-1"
            ),
        ),
    },
)
def test_an_update_of_something_else_is_a_conflict(change: Any, meta: JSON, said: str) -> None:
    with pytest.raises(Conflict) as lost:
        change(KIND, sent(meta), stored(), PLAIN)
    assert lost.value.message == said


def test_an_update_of_the_right_revision_passes() -> None:
    meta = {"resourceVersion": "7", "uid": "uid-1"}
    assert changed_object(KIND, sent(meta, spec={}), stored(), PLAIN)["spec"] == {"size": 3}


def test_an_update_of_the_status_leaves_all_else() -> None:
    body = sent({"labels": {"l": "1"}, "finalizers": ["x.com/f"]}, spec={"size": 5}, status={})
    new = changed_status(KIND, body, stored(), PLAIN)
    assert new == stored(status={})


def test_an_update_of_the_status_can_take_it_away() -> None:
    assert "status" not in changed_status(KIND, sent(), stored(), PLAIN)


def test_rules_of_updates_see_both_objects() -> None:
    seen: list[tuple[Any, Any]] = []

    def look(new: JSON, old: JSON) -> list[Any]:
        seen.append((new["spec"], old["spec"]))
        return []

    strategy = Strategy(check_update=look)
    kind = thing_kind(strategy=strategy, schema=SIZED)
    changed_object(kind, sent(spec={"size": 2}), stored(), PLAIN)
    assert seen == [({"size": 2}, {"size": 1})]
