import pytest

from devcluster.apiserver.errors import Forbidden, MethodNotAllowed, NotFound
from tests.support.apiserverrig import Rig, definition, pod_body, thing


def test_an_object_needs_a_namespace() -> None:
    with pytest.raises(NotFound) as missing:
        Rig().create("Thing", thing(), "nowhere")
    assert missing.value.message == 'namespaces "nowhere" not found'


def test_a_namespace_that_ends_takes_no_new_objects() -> None:
    rig = Rig()
    rig.create("Namespace", {"metadata": {"name": "n"}})
    rig.delete("Namespace", "n")
    with pytest.raises(Forbidden) as refused:
        rig.create("Pod", pod_body("p"), "n")
    assert refused.value.message == (
        'pods "p" is forbidden: unable to create new content in namespace n because it is being '
        "terminated"
    )
    assert refused.value.details is not None
    assert refused.value.details["causes"][0]["reason"] == "NamespaceTerminating"


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
def test_some_namespaces_stay(name: str) -> None:
    with pytest.raises(Forbidden, match="this namespace may not be deleted"):
        Rig().delete("Namespace", name)


def test_a_definition_that_ends_takes_no_new_objects() -> None:
    rig = Rig()
    rig.create("CustomResourceDefinition", definition())
    rig.create("Foo", {"metadata": {"name": "a"}})
    rig.delete("CustomResourceDefinition", "foos.example.org")
    with pytest.raises(MethodNotAllowed, match="custom resource definition is terminating"):
        rig.create("Foo", {"metadata": {"name": "b"}})
