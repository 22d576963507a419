import pytest

from api.objects import JSON
from devcluster.apiserver.errors import Invalid
from devcluster.apiserver.patch import MERGE, Patch
from tests.support.apiserverrig import Rig
from tests.support.tables import cases


def patched(rig: Rig, kind: str, name: str, body: JSON) -> JSON:
    found = rig.kind(kind)
    return rig.store.patch(found, "default" if found.namespaced else "", name, Patch(MERGE, body))


def test_a_namespace_is_active_and_has_its_name_as_label(rig: Rig) -> None:
    namespace = rig.create("Namespace", {"metadata": {"name": "n"}, "spec": {"finalizers": []}})
    assert namespace["status"] == {"phase": "Active"}
    assert namespace["spec"] == {"finalizers": ["kubernetes"]}
    assert namespace["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n"}


def test_a_namespace_keeps_label_and_finalizer(rig: Rig) -> None:
    rig.create("Namespace", {"metadata": {"name": "n"}})
    body = {"metadata": {"labels": {"kubernetes.io/metadata.name": None, "a": "1"}}, "spec": None}
    namespace = patched(rig, "Namespace", "n", body)
    assert namespace["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n", "a": "1"}
    assert namespace["spec"] == {"finalizers": ["kubernetes"]}


def test_the_name_of_a_namespace_is_a_label(rig: Rig) -> None:
    with pytest.raises(Invalid):
        rig.create("Namespace", {"metadata": {"name": "a.b"}})


def test_strings_of_a_secret_are_encoded(rig: Rig) -> None:
    body = {"metadata": {"name": "s"}, "data": {"a": "YQ=="}, "stringData": {"b": "b"}}
    secret = rig.create("Secret", body)
    assert (secret["type"], secret["data"]) == ("Opaque", {"a": "YQ==", "b": "Yg=="})
    assert "stringData" not in secret


def test_the_type_of_a_secret_stays(rig: Rig) -> None:
    rig.create("Secret", {"metadata": {"name": "s"}})
    with pytest.raises(Invalid, match="type"):
        patched(rig, "Secret", "s", {"type": "other"})


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_keys_are_file_names(rig: Rig, kind: str) -> None:
    with pytest.raises(Invalid, match=r"data\[a/b\]"):
        rig.create(kind, {"metadata": {"name": "c"}, "data": {"a/b": ""}})


@cases("change", {"data": {"data": {"a": "2"}}, "flag": {"immutable": False}})
def test_frozen_data_stays(rig: Rig, change: JSON) -> None:
    rig.create("ConfigMap", {"metadata": {"name": "c"}, "data": {"a": "1"}, "immutable": True})
    with pytest.raises(Invalid, match="field is immutable when `immutable` is set"):
        patched(rig, "ConfigMap", "c", change)
    patched(rig, "ConfigMap", "c", {"metadata": {"labels": {"a": "1"}}})


def test_a_node_comes_with_its_status(rig: Rig) -> None:
    status = {"capacity": {"pods": "110"}}
    node = rig.create("Node", {"metadata": {"name": "n"}, "status": status})
    assert node["status"] == status
    node = patched(rig, "Node", "n", {"status": None, "spec": {"unschedulable": True}})
    assert (node["status"], node["spec"]["unschedulable"]) == (status, True)
