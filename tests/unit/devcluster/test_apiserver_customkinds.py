import pytest

from api.objects import JSON
from devcluster.apiserver.errors import Invalid
from devcluster.apiserver.patch import MERGE, Patch
from tests.support.apiserverrig import Rig, definition


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.create("CustomResourceDefinition", definition())
    return rig


def test_a_definition_says_that_it_is_established(rig: Rig) -> None:
    crd = rig.get("CustomResourceDefinition", "foos.example.org")
    assert crd is not None
    conditions = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert crd["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]


def test_a_changed_definition_changes_the_kind(rig: Rig) -> None:
    versions = definition(served=True, subresources={"status": {}})["spec"]["versions"]
    patch = Patch(MERGE, {"spec": {"versions": versions}})
    kind = rig.kind("CustomResourceDefinition")
    rig.store.patch(kind, "", "foos.example.org", patch)
    assert rig.kind("Foo").has_status


def test_a_definition_that_cannot_be_served_is_refused(rig: Rig) -> None:
    body = definition("bars", "Bar")
    body["metadata"]["name"] = "other.example.org"
    with pytest.raises(Invalid):
        rig.create("CustomResourceDefinition", body)
    assert rig.registry.find("example.org", "v1", "bars") is None


def test_a_change_of_a_definitions_metadata_keeps_the_kind(rig: Rig) -> None:
    before = rig.kind("Foo")
    kind = rig.kind("CustomResourceDefinition")
    rig.store.patch(
        kind, "", "foos.example.org", Patch(MERGE, {"metadata": {"labels": {"a": "1"}}})
    )
    assert rig.kind("Foo") is before


@pytest.mark.parametrize(
    ("change", "field"),
    [({"scope": "Cluster"}, "spec.scope"), ({"names": {"kind": "Bar"}}, "spec.names.kind")],
)
def test_kind_and_scope_of_a_definition_stay(rig: Rig, change: JSON, field: str) -> None:
    kind = rig.kind("CustomResourceDefinition")
    with pytest.raises(Invalid, match=f"{field}: .*field is immutable"):
        rig.store.patch(kind, "", "foos.example.org", Patch(MERGE, {"spec": change}))
