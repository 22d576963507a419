import pytest

from api.claims.v1alpha2 import ResourceClass, read
from api.claims.view import ParametersReference
from api.contract import FAKE
from api.objects import JSON
from tests.support import build


@pytest.mark.parametrize(
    ("raw", "namespace", "expected"),
    [
        pytest.param(
            {"apiGroup": "g", "kind": "K", "name": "n"},
            "ns",
            ParametersReference("g", "K", "n", "ns"),
            id="of-a-claim",
        ),
        pytest.param(
            {"apiGroup": "g/v1alpha1", "kind": "K", "name": "n"},
            None,
            ParametersReference("g", "K", "n", None),
            id="group-with-version",
        ),
        pytest.param(
            {"kind": "ConfigMap", "name": "n", "namespace": "own"},
            None,
            ParametersReference("", "ConfigMap", "n", "own"),
            id="core-group-of-a-class",
        ),
        pytest.param({}, "ns", ParametersReference("", "", "", "ns"), id="empty"),
    ],
)
def test_a_reference_is_read(
    raw: JSON, namespace: str | None, expected: ParametersReference
) -> None:
    assert ParametersReference.parse(raw, namespace) == expected


@pytest.mark.parametrize(
    ("namespace", "text"), [("shop", "Kind.group shop/few"), (None, "Kind.group few")]
)
def test_a_reference_is_named_for_people(namespace: str | None, text: str) -> None:
    assert str(ParametersReference("group", "Kind", "few", namespace)) == text


def test_a_class_is_read() -> None:
    selector: JSON = {"nodeSelectorTerms": []}
    ref = {"apiGroup": FAKE.driver_name, "kind": "DeviceClassParameters", "name": "p"}
    view = ResourceClass(build.resource_class(parametersRef=ref, suitableNodes=selector))
    assert (view.name, view.driver_name, view.suitable_nodes) == (
        "my-class",
        FAKE.driver_name,
        selector,
    )
    assert view.parameters == ParametersReference(
        FAKE.driver_name, "DeviceClassParameters", "p", None
    )


def test_a_class_may_have_nothing_but_its_name() -> None:
    view = ResourceClass({"metadata": {"name": "bare"}})
    assert (view.driver_name, view.parameters, view.suitable_nodes) == ("", None, None)


def test_claim_parameters_are_in_the_namespace_of_the_claim() -> None:
    ref = {"apiGroup": FAKE.driver_name, "kind": "FakeClaimParameters", "name": "few"}
    found = read(build.claim(parametersRef=ref)).parameters
    assert found == ParametersReference(FAKE.driver_name, "FakeClaimParameters", "few", "default")


@pytest.mark.parametrize(
    ("mode", "immediate"), [("Immediate", True), ("WaitForFirstConsumer", False)]
)
def test_the_allocation_mode_is_read(mode: str, immediate: bool) -> None:
    assert read(build.claim(mode=mode)).immediate is immediate


def test_a_claim_names_its_class() -> None:
    view = read(build.claim())
    assert (view.class_name, view.parameters, view.immediate) == ("my-class", None, False)
