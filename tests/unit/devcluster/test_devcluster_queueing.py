"""Queueing hints; ids are cases of kubernetes Test_isSchedulableAfter… where there is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.claims.versions import read_claim
from api.objects import JSON
from api.pods import PodSchedulingContext
from devcluster.queueing import (
    BACKOFF,
    PodBackoff,
    claim_matters,
    context_matters,
    node_matters,
    pod_matters,
)
from tests.support.build import (
    POD_CLAIM,
    allocated,
    claim,
    deleted,
    finalized,
    node,
    pod,
    scheduling,
    templated_pod,
)


def answered(raw: JSON, *unsuitable: str, name: str = POD_CLAIM) -> JSON:
    entry = {"name": name, "unsuitableNodes": [*unsuitable]}
    return {**raw, "status": {"resourceClaims": [entry]}}


ASKED = scheduling(potential=["node-1"])
SELECTED = scheduling(potential=["node-1"], selected="node-1")


@pytest.mark.parametrize(
    ("old", "new", "matters"),
    [
        (allocated(claim()), None, False),
        (None, claim(), True),
        (claim(), finalized(claim()), False),
        (claim(), allocated(claim()), True),
        (claim(), {**claim(), "status": {}}, False),
        (claim(), deleted(claim()), True),
    ],
    ids=[
        "skip-deletes",
        "queue-on-add",
        "skip-adding-finalizer",
        "queue-on-status-change",
        "skip-empty-status",
        "queue-on-deletion-timestamp",
    ],
)
def test_claim_matters(old: JSON | None, new: JSON | None, *, matters: bool) -> None:
    assert claim_matters(old, new) is matters


@pytest.mark.parametrize(
    ("old", "new", "matters"),
    [
        (ASKED, None, False),
        (ASKED, ASKED, False),
        (None, ASKED, False),
        (ASKED, answered(ASKED), True),
        (None, answered(ASKED), True),
        (answered(SELECTED), answered(SELECTED, "node-1"), True),
        (answered(ASKED, "node-1"), answered(SELECTED, "node-1"), True),
        (answered(ASKED), answered(SELECTED), False),
        (answered(ASKED), answered(ASKED, "node-9"), True),
        (ASKED, answered(ASKED, name="another"), False),
        (answered(ASKED), finalized(answered(ASKED)), False),
    ],
    ids=[
        "skip-deleted",
        "skip-missing-infos",
        "skip-new-without-infos",
        "queue-new-infos",
        "queue-new-with-infos",
        "queue-bad-selected-node",
        "queue-selected-what-was-bad",
        "skip-spec-changes",
        "queue-other-status-changes",
        "skip-infos-of-another-claim",
        "skip-finalizer",
    ],
)
def test_context_matters(old: JSON | None, new: JSON | None, *, matters: bool) -> None:
    before = PodSchedulingContext(old) if old else None
    after = PodSchedulingContext(new) if new else None
    assert context_matters(before, after, [(POD_CLAIM, read_claim(claim()))]) is matters


@pytest.mark.parametrize(
    ("claims", "matters"),
    [
        ([("a", claim()), ("b", claim())], False),
        ([("a", claim()), ("b", allocated(claim()))], True),
        ([("a", claim()), ("b", claim(mode="Immediate"))], True),
    ],
    ids=["one-answer-missing", "allocated-needs-none", "immediate-needs-none"],
)
def test_every_pending_claim_needs_an_answer(
    claims: list[tuple[str, JSON]], *, matters: bool
) -> None:
    views = [(name, read_claim(raw)) for name, raw in claims]
    old, new = PodSchedulingContext(ASKED), PodSchedulingContext(answered(ASKED, name="a"))
    assert context_matters(old, new, views) is matters


def labelled(raw: JSON, **labels: str) -> JSON:
    return {**raw, "metadata": {**raw["metadata"], "labels": labels}}


@pytest.mark.parametrize(
    ("old", "new", "matters"),
    [
        (None, pod(), True),
        (pod(), None, False),
        (pod(), {**pod(), "status": {"conditions": [{"type": "PodScheduled"}]}}, False),
        (templated_pod(), templated_pod(made="claim"), True),
        (pod(), labelled(pod(), a="b"), True),
        (pod(), pod(nodeSelector={"a": "b"}), True),
    ],
    ids=["added", "deleted", "own-condition", "claim-recorded", "labels", "spec"],
)
def test_pod_matters(old: JSON | None, new: JSON | None, *, matters: bool) -> None:
    """Source: kubernetes pkg/scheduler/internal/queue isPodUpdated."""
    assert pod_matters(old, new) is matters


def heartbeat(raw: JSON) -> JSON:
    beats = [{**c, "lastHeartbeatTime": "later"} for c in raw["status"]["conditions"]]
    return {**raw, "status": {"conditions": beats}}


@pytest.mark.parametrize(
    ("old", "new", "matters"),
    [
        (None, node(), True),
        (node(), None, False),
        (node(), heartbeat(node()), False),
        (node(ready=False), node(), True),
        (node(), node(unschedulable=True), True),
        (node(), node(taints=[{"key": "a", "effect": "NoSchedule"}]), True),
        (node(), labelled(node(), a="b"), True),
        (node(unschedulable=False), node(), False),
    ],
    ids=["added", "gone", "heartbeat", "ready", "cordoned", "tainted", "labelled", "spelled-out"],
)
def test_node_matters(old: JSON | None, new: JSON | None, *, matters: bool) -> None:
    assert node_matters(old, new) is matters


def test_first_attempt_is_at_once() -> None:
    assert PodBackoff().remaining("uid", 5.0) == 0.0


def test_back_off_doubles_up_to_a_limit() -> None:
    backoff, pauses = PodBackoff(), []
    for _ in range(6):
        backoff.failed("uid", 100.0)
        pauses.append(backoff.remaining("uid", 100.0))
    assert pauses == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_back_off_passes_with_time_and_is_per_pod() -> None:
    backoff = PodBackoff()
    backoff.failed("uid", 100.0)
    assert backoff.remaining("uid", 100.75) == 0.25
    assert backoff.remaining("uid", 101.5) == 0.0
    assert backoff.remaining("other", 100.0) == 0.0


def test_forgotten_pod_starts_anew() -> None:
    backoff = PodBackoff()
    backoff.failed("uid", 0.0)
    backoff.failed("uid", 0.0)
    backoff.forget("uid")
    assert backoff.remaining("uid", 0.0) == 0.0
    backoff.failed("uid", 0.0)
    assert backoff.remaining("uid", 0.0) == BACKOFF.first


@given(failures=st.integers(1, 3000), later=st.floats(0, 100))
def test_back_off_stays_within_its_limits(failures: int, later: float) -> None:
    backoff = PodBackoff()
    for _ in range(failures):
        backoff.failed("uid", 0.0)
    assert 0.0 <= backoff.remaining("uid", later) <= BACKOFF.longest
