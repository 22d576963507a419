"""The classes are there in each version, and what others made or edited stays as they want it."""

from collections.abc import Callable
from typing import Any
from unittest.mock import create_autospec

import pytest

from api.classes import CLASSES, MANAGED_BY, wanted_classes
from api.contract import FAKE
from controller.classes import ClassKeeper
from devcluster.apiserver.resourceapi import structured
from kube.errors import AlreadyExists, Conflict, NotFound
from kube.events import EventRecorder
from testing.apiserver import MemoryApi
from tests.support.upgrade import upgraded

NAME = "fake.3-shake.com"
SPLIT = f"split.{NAME}"
SERVERS: dict[str, tuple[Callable[[], MemoryApi], str]] = {
    "1.27": (lambda: MemoryApi("v1alpha2"), "v1alpha2"),
    "1.30": (lambda: MemoryApi("v1alpha2"), "v1alpha2"),
    "1.31": (lambda: MemoryApi("v1alpha3"), "v1alpha3"),
    "1.32": (lambda: MemoryApi(api=structured(32)), "v1beta1"),
    "1.33": (lambda: MemoryApi(api=structured(33)), "v1beta2"),
    "1.34": (lambda: MemoryApi(api=structured(34)), "v1"),
    "1.37": (lambda: MemoryApi(api=structured(37)), "v1"),
}


class Keeper:
    """A keeper with its API server."""

    def __init__(self, api: MemoryApi, version: str, name: str = NAME) -> None:
        self.api = api
        self.version = version
        self.resource = CLASSES[version]
        self.events = create_autospec(EventRecorder, instance=True, spec_set=True)
        self.keeper = ClassKeeper(api, FAKE, name, self.events)

    def look(self) -> list[tuple[str, str]]:
        """Look once; return the writes."""
        before = len(self.api.writes())
        self.keeper.look(self.version)
        return self.api.writes()[before:]

    def edit(self, name: str = NAME, **fields: Any) -> None:
        self.api.update(self.resource, {**self.api.get(self.resource, name), **fields})

    def specs(self) -> dict[str, Any]:
        return {
            obj["metadata"]["name"]: obj.get("spec") or obj.get("driverName")
            for obj in self.api.all(self.resource)
        }

    def told(self) -> list[tuple[str, str]]:
        calls = self.events.warning.call_args_list
        return [(call.args[0]["metadata"]["name"], call.args[1]) for call in calls]


def wanted(version: str) -> dict[str, Any]:
    return {
        obj["metadata"]["name"]: obj.get("spec") or obj.get("driverName")
        for obj in wanted_classes(version, FAKE, NAME)
    }


@pytest.fixture(params=SERVERS)
def kept(request: pytest.FixtureRequest) -> Keeper:
    make, version = SERVERS[request.param]
    return Keeper(make(), version)


def test_classes_are_made_once(kept: Keeper) -> None:
    first = kept.look()
    assert first == [("create", kept.resource.plural)] * len(wanted(kept.version))
    assert kept.specs() == wanted(kept.version)
    assert kept.look() == []


def test_class_that_a_user_deletes_is_made_again(kept: Keeper) -> None:
    kept.look()
    kept.api.delete(kept.resource, NAME)
    assert kept.look() == [("create", kept.resource.plural)]
    assert kept.specs() == wanted(kept.version)


def test_class_of_somebody_else_is_left_alone_and_told_once(kept: Keeper) -> None:
    (obj, *_) = wanted_classes(kept.version, FAKE, NAME)
    theirs = {**obj, "metadata": {"name": NAME, "labels": {MANAGED_BY: "Helm"}}}
    kept.api.create(kept.resource, theirs)
    before = kept.api.get(kept.resource, NAME)
    kept.look()
    assert kept.look() == []
    assert kept.api.get(kept.resource, NAME) == before
    assert kept.told() == [(NAME, "ForeignClass")]
    kept.api.delete(kept.resource, NAME)
    assert kept.look() == [("create", kept.resource.plural)]


@pytest.fixture
def structured_kept() -> Keeper:
    kept = Keeper(MemoryApi(api=structured(37)), "v1")
    kept.look()
    return kept


def test_class_that_a_user_edits_stays_so_and_is_told_once(structured_kept: Keeper) -> None:
    kept = structured_kept
    edited = {"selectors": [{"cel": {"expression": "true"}}]}
    kept.edit(spec=edited)
    assert (kept.look(), kept.look()) == ([], [])
    assert kept.specs() == {**wanted("v1"), NAME: edited}
    assert kept.told() == [(NAME, "EditedClass")]


def test_label_of_a_user_is_no_edit(structured_kept: Keeper) -> None:
    kept = structured_kept
    meta = kept.api.get(kept.resource, NAME)["metadata"]
    kept.edit(metadata={**meta, "labels": {**meta["labels"], "team": "a"}})
    assert kept.look() == []
    assert kept.told() == []


@pytest.mark.parametrize("name", ["other", ""], ids=["renamed", "none"])
def test_classes_that_are_not_wanted_any_more_go(structured_kept: Keeper, name: str) -> None:
    api = structured_kept.api
    structured_kept.api.create(
        structured_kept.resource, {"metadata": {"name": "theirs"}, "spec": {}}
    )
    later = Keeper(api, "v1", name)
    later.look()
    ours = {name, f"split.{name}"} if name else set()
    assert set(later.specs()) == {"theirs", *ours}
    assert later.look() == []


def test_class_of_1_31_gets_its_selectors_on_1_32() -> None:
    old = Keeper(MemoryApi("v1alpha3"), "v1alpha3")
    old.look()
    new = Keeper(upgraded(old.api), "v1beta1")
    assert set(new.specs()) == {NAME}
    assert new.look() == [("update", "deviceclasses"), ("create", "deviceclasses")]
    assert new.specs() == wanted("v1beta1")
    assert new.look() == []


def test_edited_class_of_1_31_is_left_to_its_user_on_1_32() -> None:
    old = Keeper(MemoryApi("v1alpha3"), "v1alpha3")
    old.look()
    edited = {"selectors": [{"cel": {"expression": "true"}}]}
    old.edit(spec=edited)
    new = Keeper(upgraded(old.api), "v1beta1")
    assert new.look() == [("create", "deviceclasses")]
    assert new.specs()[NAME] == edited
    assert new.told() == [(NAME, "EditedClass")]


def test_newer_version_of_the_same_kind_needs_no_write() -> None:
    api = MemoryApi(api=structured(33))
    Keeper(api, "v1beta1").look()
    assert Keeper(api, "v1beta2").look() == []


def test_classes_go_back_with_the_control_plane() -> None:
    kept = Keeper(MemoryApi("v1alpha3"), "v1alpha3")
    for obj in wanted_classes("v1beta1", FAKE, NAME):
        kept.api.put(kept.resource, obj)
    assert kept.look() == [("update", "deviceclasses"), ("delete", "deviceclasses")]
    assert kept.specs() == {NAME: None}


def test_somebody_may_be_faster() -> None:
    kept = Keeper(MemoryApi(api=structured(37)), "v1")
    taken = AlreadyExists(409, "AlreadyExists", "there is one", {})
    kept.api.fault = lambda verb, _plural, _body: taken if verb == "create" else None
    assert kept.look() == [("create", "deviceclasses")] * 2
    gone = NotFound(404, "NotFound", "gone", {})
    kept.api.fault = lambda verb, _plural, _body: gone if verb == "delete" else None
    later = Keeper(kept.api, "v1", "")
    assert later.look() == []


def test_edit_in_between_is_not_written_over() -> None:
    old = Keeper(MemoryApi("v1alpha3"), "v1alpha3")
    old.look()
    api = upgraded(old.api)
    edited = {"selectors": [{"cel": {"expression": "true"}}]}

    def edit(verb: str, plural: str, _body: object) -> None:
        if verb == "update":
            key = (plural, next(key for name, key in api.objects if name == plural))
            api.objects[key] = {**api.objects[key], "spec": edited}

    api.fault = edit
    new = Keeper(api, "v1beta1")
    with pytest.raises(Conflict):
        new.look()
    api.fault = lambda *_: None
    new.look()
    assert new.specs()[NAME] == edited


def test_a_copy_under_another_name_stays() -> None:
    """As people make it by kubectl get -o yaml, with the driver's label."""
    keeper = Keeper(MemoryApi(api=structured(37)), "v1")
    keeper.look()
    made = keeper.api.get(keeper.resource, NAME)
    kept = {name: made["metadata"][name] for name in ("labels", "annotations")}
    copied = {**made, "metadata": {**kept, "name": "my-devices"}}
    keeper.api.create(keeper.resource, copied)
    assert keeper.look() == []
    assert "my-devices" in keeper.specs()
