import pytest

from api.claims import (
    Claim,
    ParametersReference,
    Pod,
    PodClaim,
    PodSchedulingContext,
    ResourceClass,
)
from api.contract import FAKE
from api.names import POD_CLAIM_NAME_ANNOTATION
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


def test_a_new_claim_has_nothing_yet() -> None:
    view = Claim(build.claim())
    assert (view.key, view.name, view.uid) == ("default/claim", "claim", "uid-claim")
    assert view.class_name == "my-class"
    assert (view.allocation, view.driver_name, view.reserved_for) == (None, "", [])
    assert (view.parameters, view.owner_uid, view.pod_claim_name) == (None, None, None)
    assert (view.deleting, view.deallocation_requested, view.immediate) == (False, False, False)
    assert view.finalizers == []


def test_a_claim_without_spec_and_status_is_read() -> None:
    view = Claim({"metadata": {"name": "c", "namespace": "n"}, "spec": None, "status": None})
    assert (view.uid, view.class_name, view.immediate, view.allocation) == ("", "", False, None)


def test_an_allocated_claim_is_read() -> None:
    raw = build.deallocating(build.reserved(build.allocated(build.finalized(build.claim()))))
    view = Claim(build.deleted(raw))
    assert view.driver_name == FAKE.driver_name
    assert (view.finalizers, view.deleting) == ([FAKE.finalizer], True)
    assert [consumer["name"] for consumer in view.reserved_for] == ["pod"]
    assert view.deallocation_requested


def test_an_empty_allocation_is_none() -> None:
    assert Claim({**build.claim(), "status": {"allocation": {}}}).allocation is None


def test_a_claim_of_a_template_names_its_pod() -> None:
    raw = build.owned(build.claim())
    raw["metadata"]["annotations"] = {POD_CLAIM_NAME_ANNOTATION: "devices"}
    assert (Claim(raw).owner_uid, Claim(raw).pod_claim_name) == ("uid-pod", "devices")


def test_claim_parameters_are_in_the_namespace_of_the_claim() -> None:
    ref = {"apiGroup": FAKE.driver_name, "kind": "FakeClaimParameters", "name": "few"}
    found = Claim(build.claim(parametersRef=ref)).parameters
    assert found == ParametersReference(FAKE.driver_name, "FakeClaimParameters", "few", "default")


@pytest.mark.parametrize(
    ("mode", "immediate"), [("Immediate", True), ("WaitForFirstConsumer", False)]
)
def test_the_allocation_mode_is_read(mode: str, immediate: bool) -> None:
    assert Claim(build.claim(mode=mode)).immediate is immediate


STATUSES = [
    {"name": "made", "resourceClaimName": "pod-made-x1"},
    {"name": "left-out", "resourceClaimName": None},
]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            ("direct", {"resourceClaimName": "c"}),
            PodClaim("direct", "c", from_template=False),
            id="claim",
        ),
        pytest.param(
            ("made", {"resourceClaimTemplateName": "t"}),
            PodClaim("made", "pod-made-x1", from_template=True),
            id="template",
        ),
        pytest.param(
            ("unmade", {"resourceClaimTemplateName": "t"}),
            PodClaim("unmade", None, from_template=True),
            id="template-not-made-yet",
        ),
        pytest.param(
            ("left-out", {"resourceClaimTemplateName": "t"}),
            PodClaim("left-out", None, from_template=True, omitted=True),
            id="template-left-out",
        ),
    ],
)
@pytest.mark.parametrize("flat", [False, True], ids=["v1alpha2", "v1alpha3"])
def test_a_pod_claim_is_read_in_both_shapes(
    source: tuple[str, JSON], expected: PodClaim, flat: bool
) -> None:
    name, fields = source
    entry = {"name": name, **fields} if flat else {"name": name, "source": fields}
    raw = {**build.pod(resourceClaims=[entry]), "status": {"resourceClaimStatuses": STATUSES}}
    assert list(Pod(raw).claims) == [expected]


def test_pod_claims_keep_the_order_of_the_spec() -> None:
    pod = Pod(build.pod("web", ("z", "c1"), ("a", "c2")))
    assert [claim.name for claim in pod.claims] == ["z", "a"]
    assert (pod.uid, pod.name, pod.namespace, pod.deleting) == ("uid-web", "web", "default", False)


def test_a_pod_may_have_no_claims() -> None:
    assert list(Pod({"metadata": {"name": "p"}, "spec": None}).claims) == []
    assert Pod(build.deleted(build.pod())).deleting


def test_a_scheduling_context_is_read() -> None:
    raw = build.scheduling(potential=["a", "b"], selected="b")
    raw["status"] = {
        "resourceClaims": [{"name": "x", "unsuitableNodes": ["a"]}, {"name": "y"}],
    }
    view = PodSchedulingContext(raw)
    assert (view.key, view.name, view.namespace) == ("default/pod", "pod", "default")
    assert (view.potential_nodes, view.selected_node) == (["a", "b"], "b")
    assert view.unsuitable_nodes == {"x": ["a"], "y": []}
    assert (view.owner_uid, view.deleting) == ("uid-pod", False)


@pytest.mark.parametrize("spec", [None, {}, {"selectedNode": "", "potentialNodes": None}])
def test_a_scheduling_context_may_say_nothing_yet(spec: JSON | None) -> None:
    view = PodSchedulingContext({**build.deleted(build.scheduling()), "spec": spec})
    assert (view.selected_node, view.potential_nodes, view.unsuitable_nodes) == (None, [], {})
    assert view.deleting
