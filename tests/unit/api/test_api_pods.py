import pytest

from api.objects import JSON
from api.pods import Pod, PodClaim, PodSchedulingContext
from tests.support import build

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
