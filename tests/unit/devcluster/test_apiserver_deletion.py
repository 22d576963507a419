from datetime import timedelta
from typing import Any

import pytest

from api.objects import JSON
from devcluster.apiserver.deletion import DeleteOptions, check_preconditions, is_over, plan_deletion
from devcluster.apiserver.errors import Conflict
from devcluster.apiserver.strategy import Strategy
from tests.support.apiserverrig import START, STARTED, thing_kind
from tests.support.tables import cases

KIND = thing_kind()
SLOW = thing_kind(strategy=Strategy(grace=lambda _, asked: 30 if asked is None else asked))


def obj(**meta: Any) -> JSON:
    return {"metadata": {"name": "a", "uid": "u", "resourceVersion": "5", **meta}}


def test_an_object_without_ties_goes_as_it_was() -> None:
    done = plan_deletion(KIND, obj(generation=1), DeleteOptions(), START)
    assert (done.gone, done.obj) == (True, obj(generation=1))


def test_finalizers_keep_an_object() -> None:
    done = plan_deletion(KIND, obj(finalizers=["x/y"], generation=1), DeleteOptions(), START)
    assert not done.gone
    assert done.obj == obj(
        finalizers=["x/y"], generation=2, deletionTimestamp=STARTED, deletionGracePeriodSeconds=0
    )


def test_a_second_deletion_changes_nothing() -> None:
    first = plan_deletion(KIND, obj(finalizers=["x/y"], generation=1), DeleteOptions(), START)
    later = START + timedelta(seconds=60)
    second = plan_deletion(KIND, {**first.obj}, DeleteOptions(), later)
    assert (second.gone, second.obj) == (False, first.obj)


@pytest.mark.parametrize(
    ("policy", "finalizers"), [("Foreground", ["foregroundDeletion"]), ("Orphan", ["orphan"])]
)
def test_policies_are_finalizers_of_the_collector(policy: str, finalizers: list[str]) -> None:
    done = plan_deletion(KIND, obj(), DeleteOptions(propagation=policy), START)
    assert not done.gone
    assert done.obj["metadata"]["finalizers"] == finalizers
    again = plan_deletion(KIND, done.obj, DeleteOptions(propagation=policy), START)
    assert again.obj["metadata"]["finalizers"] == finalizers


def test_a_graceful_deletion_names_its_end() -> None:
    done = plan_deletion(SLOW, obj(), DeleteOptions(), START)
    assert not done.gone
    assert done.obj["metadata"]["deletionTimestamp"] == "2024-05-01T12:00:30Z"
    assert done.obj["metadata"]["deletionGracePeriodSeconds"] == 30


@cases(
    ("asked", "end", "seconds"),
    {
        "shorter": (10, "2024-05-01T12:00:10Z", 10),
        "longer": (90, "2024-05-01T12:00:30Z", 30),
        "not given": (None, "2024-05-01T12:00:30Z", 30),
    },
)
def test_a_second_deletion_can_only_shorten(asked: int | None, end: str, seconds: int) -> None:
    first = plan_deletion(SLOW, obj(), DeleteOptions(), START)
    later = START + timedelta(seconds=5)
    done = plan_deletion(SLOW, first.obj, DeleteOptions(grace_seconds=asked), later)
    assert done.obj["metadata"]["deletionTimestamp"] == end
    assert done.obj["metadata"]["deletionGracePeriodSeconds"] == seconds


def test_no_grace_ends_a_graceful_deletion() -> None:
    first = plan_deletion(SLOW, obj(), DeleteOptions(), START)
    assert plan_deletion(SLOW, first.obj, DeleteOptions(grace_seconds=0), START).gone


def test_an_object_may_be_held_and_marked_by_its_kind() -> None:
    strategy = Strategy(
        held=lambda obj: bool(obj.get("held")),
        prepare_delete=lambda obj: obj.update(phase="Terminating"),
    )
    kind = thing_kind(strategy=strategy)
    done = plan_deletion(kind, {**obj(), "held": True}, DeleteOptions(), START)
    assert (done.gone, done.obj["phase"]) == (False, "Terminating")
    assert not is_over(kind, done.obj)
    assert is_over(kind, {**done.obj, "held": False})


@pytest.mark.parametrize(
    ("meta", "over"),
    [
        ({}, False),
        ({"deletionTimestamp": STARTED}, True),
        ({"deletionTimestamp": STARTED, "finalizers": []}, True),
        ({"deletionTimestamp": STARTED, "finalizers": ["x/y"]}, False),
        ({"deletionTimestamp": STARTED, "deletionGracePeriodSeconds": 0}, True),
        ({"deletionTimestamp": STARTED, "deletionGracePeriodSeconds": 5}, False),
    ],
)
def test_when_a_deletion_is_over(meta: JSON, *, over: bool) -> None:
    assert is_over(KIND, obj(**meta)) is over


@pytest.mark.parametrize(
    "options",
    [DeleteOptions(), DeleteOptions(uid="u"), DeleteOptions(uid="u", resource_version="5")],
)
def test_preconditions_that_hold(options: DeleteOptions) -> None:
    check_preconditions(KIND, obj(), options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (DeleteOptions(uid="v"), "UID in precondition: v, UID in object meta: u"),
        (
            DeleteOptions(resource_version="4"),
            "ResourceVersion in precondition: 4, ResourceVersion in object meta: 5",
        ),
    ],
)
def test_preconditions_that_do_not_hold(options: DeleteOptions, said: str) -> None:
    with pytest.raises(Conflict, match=said):
        check_preconditions(KIND, obj(), options)
