"""Objects of structured versions, from each into each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.claims.versions import STRUCTURED
from api.conversion import converted
from api.objects import JSON
from api.resources import STRUCTURED_VERSIONS

EXACT = {"deviceClassName": "c", "allocationMode": "ExactCount", "count": 2}
MAIN = {
    **EXACT,
    "selectors": [{"cel": {"expression": "true"}}],
    "adminAccess": False,
    "tolerations": [{"operator": "Exists"}],
    "capacity": {"requests": {"memory": "1Gi"}},
    "derivedAttributes": [{"name": "x.example.com/y"}],
}
ALTERNATIVES = {"name": "r", "firstAvailable": [{"name": "s", **EXACT}]}


def structured(version: str, *requests: JSON, kind: str = "ResourceClaim") -> JSON:
    spec: JSON = {"devices": {"requests": list(requests), "constraints": []}}
    if kind == "ResourceClaimTemplate":
        spec = {"metadata": {"labels": {"a": "b"}}, "spec": spec}
    head = {"apiVersion": STRUCTURED_VERSIONS[version].claims.api_version, "kind": kind}
    return {**head, "metadata": {"name": "n", "namespace": "ns"}, "spec": spec}


def to(version: str, obj: JSON) -> JSON:
    known = STRUCTURED_VERSIONS[version]
    kinds = {each.kind: each for each in (known.claims, known.templates, known.slices)}
    return converted(obj, kinds[obj.get("kind", "ResourceSlice")])


@pytest.mark.parametrize("kind", ["ResourceClaim", "ResourceClaimTemplate"])
@pytest.mark.parametrize("nested", ["v1", "v1beta2"])
@pytest.mark.parametrize(
    ("flat_request", "nested_request"),
    [
        pytest.param({"name": "r", **MAIN}, {"name": "r", "exactly": MAIN}, id="all-members"),
        pytest.param(ALTERNATIVES, ALTERNATIVES, id="alternatives"),
        pytest.param({"name": "r"}, {"name": "r"}, id="nothing"),
        pytest.param(
            {**ALTERNATIVES, "count": 1}, {**ALTERNATIVES, "exactly": {"count": 1}}, id="both"
        ),
    ],
)
def test_requests_are_converted_both_ways(
    kind: str, nested: str, flat_request: JSON, nested_request: JSON
) -> None:
    flat = structured("v1beta1", flat_request, kind=kind)
    deep = structured(nested, nested_request, kind=kind)
    assert to(nested, flat) == deep
    assert to("v1beta1", deep) == flat


def test_members_that_are_not_set_ask_for_nothing() -> None:
    unset = {"deviceClassName": "", "count": 0, "adminAccess": None, "selectors": None}
    flat = structured("v1beta1", {**ALTERNATIVES, **unset})
    assert to("v1", flat) == structured("v1", ALTERNATIVES)


@pytest.mark.parametrize("spec", [None, {}, {"devices": None}, {"devices": {"requests": None}}])
def test_a_claim_may_ask_for_nothing(spec: JSON | None) -> None:
    raw = {**structured("v1beta1"), "spec": spec}
    assert to("v1", raw) == {**structured("v1"), "spec": spec}


@given(st.dictionaries(st.sampled_from(sorted(MAIN)), st.just(0)), st.sampled_from(STRUCTURED))
def test_a_version_is_itself(chosen: dict[str, int], version: str) -> None:
    members = {name: MAIN[name] for name in chosen}
    request = {"name": "r", **members}
    if version != "v1beta1" and members:
        request = {"name": "r", "exactly": members}
    raw = structured(version, request)
    assert to(version, raw) is raw


def test_a_slice_of_v1beta1_is_read_as_one_of_v1() -> None:
    body = {
        "metadata": {"name": "a"},
        "spec": {"driver": "d", "devices": [{"name": "a", "taints": []}, {"name": "b"}]},
    }
    sent = to("v1beta1", body)
    assert (sent["apiVersion"], sent["kind"]) == ("resource.k8s.io/v1beta1", "ResourceSlice")
    assert sent["spec"]["devices"] == [
        {"name": "a", "basic": {"taints": []}},
        {"name": "b", "basic": {}},
    ]
    assert to("v1", sent)["spec"] == body["spec"]


@pytest.mark.parametrize("basic", [{}, {"basic": None}], ids=["absent", "null"])
def test_what_is_empty_in_a_slice_of_v1beta1_is_not_set(basic: JSON) -> None:
    spec = {"nodeName": "", "allNodes": False, "driver": "", "devices": [{"name": "a", **basic}]}
    found = to("v1", {"apiVersion": "resource.k8s.io/v1beta1", "spec": spec})
    assert found["spec"] == {"driver": "", "devices": [{"name": "a"}]}
