"""The decisions of the claim controller that its own tests do not spell out."""

from hypothesis import given
from hypothesis import strategies as st

from api.claims.versions import read_claim
from api.claims.view import ClaimView
from api.objects import JSON
from api.pods import Pod, PodClaim, PodSchedulingContext
from api.resources import DRA_V1ALPHA2
from devcluster.claimrules import (
    SelectNode,
    claim_from,
    existing_claim,
    for_scheduled_pod,
    generated_name,
    recorded_statuses,
    template_keys,
    template_name,
)
from tests.support.build import (
    POD_CLAIM,
    allocated,
    claim,
    deallocating,
    deleted,
    owned,
    pod,
    reserved,
    scheduling,
    template,
    templated_pod,
)
from tests.support.tables import cases

ENTRY = PodClaim(POD_CLAIM, None, from_template=True)
SCHEDULED = Pod(pod("pod", ("a", "claim"), ("b", "other"), nodeName="node-1"))


@cases(
    ("pod_name", "claim_name", "expected"),
    {
        "short": ("pod", "gpu", "pod-gpu-"),
        "truncates-both": ("p" * 63, "c" * 63, "p" * 28 + "-" + "c" * 28 + "-"),
        "long-pod": ("p" * 253, "c", "p" * 56 + "--"),
        "just-fits": ("p" * 28, "c" * 28, "p" * 28 + "-" + "c" * 28 + "-"),
    },
)
def test_generated_name(pod_name: str, claim_name: str, expected: str) -> None:
    """Source: kubernetes e2e "truncates the name of a generated resource claim"."""
    assert generated_name(pod_name, claim_name) == expected


@given(pod_name=st.integers(1, 253), claim_name=st.integers(1, 63))
def test_generated_name_leaves_room_for_the_random_part(pod_name: int, claim_name: int) -> None:
    assert len(generated_name("p" * pod_name, "c" * claim_name)) + 5 <= 63


@cases(
    "source",
    {
        "up-to-1.30": {"source": {"resourceClaimTemplateName": "t"}},
        "1.31": {"resourceClaimTemplateName": "t"},
    },
)
def test_template_name(source: JSON) -> None:
    raw = pod(resourceClaims=[{"name": "first", "source": {}}, {"name": POD_CLAIM, **source}])
    assert template_name(Pod(raw), ENTRY) == "t"
    assert [*template_keys(Pod(raw))] == ["default/t"]


def test_named_claims_have_no_template() -> None:
    raw = pod("pod", (POD_CLAIM, "claim"))
    assert template_name(Pod(raw), ENTRY) is None
    assert template_name(Pod(pod()), ENTRY) is None
    assert [*template_keys(Pod(raw))] == []


def test_claim_takes_the_spec_of_its_template() -> None:
    made = claim_from(template(), Pod(templated_pod()), ENTRY, DRA_V1ALPHA2.claims)
    assert made["spec"] == template()["spec"]["spec"]
    assert "labels" not in made["metadata"]


def annotated(raw: JSON, name: str) -> JSON:
    notes = {"resource.kubernetes.io/pod-claim-name": name}
    return {**raw, "metadata": {**raw["metadata"], "annotations": notes}}


@cases(
    ("raw", "found"),
    {
        "annotation": (annotated(owned(claim()), POD_CLAIM), True),
        "legacy-name": (owned(claim(f"pod-{POD_CLAIM}")), True),
        "no-sign": (owned(claim("something")), False),
        "other-entry": (annotated(owned(claim(f"pod-{POD_CLAIM}")), "other"), False),
        "other-pod": (annotated(owned(claim(), "stranger"), POD_CLAIM), False),
        "on-its-way-out": (annotated(deleted(owned(claim())), POD_CLAIM), False),
    },
)
def test_existing_claim(raw: JSON, *, found: bool) -> None:
    answer = existing_claim(Pod(templated_pod()), ENTRY, [read_claim(raw)])
    assert (answer is not None) is found


def test_recorded_statuses_replace_and_keep() -> None:
    raw = pod()
    raw["status"] = {
        "resourceClaimStatuses": [
            {"name": "kept", "resourceClaimName": "k"},
            {"name": "moved", "resourceClaimName": "old"},
        ]
    }
    assert recorded_statuses(Pod(raw), {"moved": "new", "added": "a"}) == [
        {"name": "kept", "resourceClaimName": "k"},
        {"name": "added", "resourceClaimName": "a"},
        {"name": "moved", "resourceClaimName": "new"},
    ]


def unshared(raw: JSON) -> JSON:
    raw["status"]["allocation"]["shareable"] = False
    return raw


@cases(
    ("raws", "reserve", "selects"),
    {
        "free": ([allocated(claim())], ["claim"], False),
        "ours": ([reserved(allocated(claim()))], [], False),
        "shared": ([reserved(allocated(claim()), "stranger")], ["claim"], False),
        "in-use": ([unshared(reserved(allocated(claim()), "stranger"))], [], False),
        "deallocating": ([deallocating(allocated(claim()))], [], False),
        "deleting": ([deleted(allocated(claim()))], [], False),
        "immediate": ([claim(mode="Immediate")], [], False),
        "two-pending": ([claim(), claim("other")], [], True),
        "second-pending": ([allocated(claim()), claim("other")], ["claim"], True),
        "first-pending": ([claim(), allocated(claim("other"))], [], True),
    },
)
def test_for_scheduled_pod(raws: list[JSON], reserve: list[str], *, selects: bool) -> None:
    steps = for_scheduled_pod(SCHEDULED, [read_claim(raw) for raw in raws], None)
    assert [step.name for step in steps if isinstance(step, ClaimView)] == reserve
    assert [step.exists for step in steps if isinstance(step, SelectNode)] == [False] * selects


def stranger() -> JSON:
    raw = scheduling()
    raw["metadata"]["ownerReferences"][0]["uid"] = "uid-former"
    return raw


@cases(
    ("raw", "selected"),
    {
        "already": (scheduling(selected="node-1"), []),
        "other-node": (scheduling(selected="node-9"), ["node-1"]),
        "none-yet": (scheduling(), ["node-1"]),
        "of-another-pod": (stranger(), []),
    },
)
def test_selects_the_node_once(raw: JSON, selected: list[str]) -> None:
    steps = for_scheduled_pod(SCHEDULED, [read_claim(claim())], PodSchedulingContext(raw))
    bodies = [step.body for step in steps if isinstance(step, SelectNode) and step.exists]
    assert [body["spec"]["selectedNode"] for body in bodies] == selected
    assert len(steps) == len(bodies)
