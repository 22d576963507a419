"""Whole attempts: the texts of kube-scheduler, and what must hold for any cluster."""

from random import Random
from types import MappingProxyType

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from api.claims.v1alpha2 import ResourceClass
from api.claims.versions import read_claim
from api.claims.view import with_status
from api.nodefit import NodeView, misfit
from api.objects import JSON, NodeName
from api.pods import Pod, PodSchedulingContext
from api.selectors import selects
from devcluster.dynamicresources import DriverClaims, filter_node, join_uses
from devcluster.podclaims import can_be_reserved, is_reserved_for, with_consumer, without_consumer
from devcluster.schedulingcycle import Attempt, attempt
from devcluster.schedulingverdicts import Await, Bind, Change, Failed, Unschedulable, Verdict
from tests.support.build import (
    allocated,
    claim,
    deallocating,
    node,
    pod,
    reserved,
    resource_class,
    scheduling,
)
from tests.support.effort import tries
from tests.support.tables import cases

CLASSES = {"my-class": ResourceClass(resource_class())}
NAMES = ("node-1", "node-2", "node-3")


def attempt_at(
    raw: JSON, nodes: list[JSON], claims: list[JSON], context: JSON | None = None, *, seed: int = 0
) -> Verdict:
    view = PodSchedulingContext(context) if context is not None else None
    uses = join_uses([(c["metadata"]["name"], read_claim(c)) for c in claims], CLASSES, view)
    parsed = tuple(NodeView.parse(n) for n in nodes)
    return attempt(Attempt(Pod(raw), DriverClaims(Pod(raw), uses, view), parsed, {}), Random(seed))


@cases(
    ("nodes", "claims", "message"),
    {
        "no-nodes": ([], [], "no nodes available to schedule pods"),
        "pre-filter": (
            [node(), node("node-2", unschedulable=True)],
            [claim(mode="Immediate")],
            (
                "0/2 nodes are available: unallocated immediate resourceclaim. "
                "no new claims to deallocate"
            ),
        ),
        "cordoned": (
            [node(unschedulable=True), node("node-2", unschedulable=True)],
            [],
            "0/2 nodes are available: 2 node(s) were unschedulable.",
        ),
        "mixed": (
            [node(unschedulable=True), node("node-2")],
            [allocated(claim(mode="Immediate"), "node-3")],
            (
                "0/2 nodes are available: 1 node(s) were unschedulable, "
                "1 resourceclaim not available on the node. still not schedulable"
            ),
        ),
        "deallocates": (
            [node("node-2")],
            [allocated(claim())],
            (
                "0/1 nodes are available: 1 resourceclaim not available on the node. "
                "deallocation of ResourceClaim completed"
            ),
        ),
    },
)
def test_unschedulable(nodes: list[JSON], claims: list[JSON], message: str) -> None:
    verdict = attempt_at(pod(), nodes, claims)
    assert isinstance(verdict, Unschedulable)
    assert verdict.message == message


@cases(
    ("selected", "change"),
    {
        "stale-node-selected": ("node-1", Change(selected_node="")),
        "nothing-selected": ("", Change()),
    },
)
def test_selected_node_is_cleared_before_deallocation(selected: str, change: Change) -> None:
    verdict = attempt_at(
        pod(), [node("node-2")], [allocated(claim())], scheduling(selected=selected)
    )
    assert isinstance(verdict, Unschedulable)
    assert verdict.deallocate is not None
    assert verdict.deallocate.name == "claim"
    assert verdict.change == change


def test_binds_where_the_claim_is() -> None:
    nodes = [node(name) for name in NAMES]
    verdict = attempt_at(pod(), nodes, [allocated(claim(), "node-2")])
    assert isinstance(verdict, Bind)
    assert verdict.node == "node-2"
    assert [c.name for c in verdict.reserve] == ["claim"]


def test_reserves_only_what_is_missing() -> None:
    given = [reserved(allocated(claim())), reserved(allocated(claim("other")), "stranger")]
    verdict = attempt_at(pod(), [node()], given)
    assert isinstance(verdict, Bind)
    assert [c.name for c in verdict.reserve] == ["other"]


def test_gives_back_claims_while_it_waits() -> None:
    verdict = attempt_at(pod(), [node()], [reserved(allocated(claim())), claim("other")])
    assert isinstance(verdict, Await)
    assert verdict.change == Change(NodeName("node-1"), (NodeName("node-1"),))
    assert [c.name for c in verdict.unreserve] == ["claim"]
    assert verdict.message == "waiting for resource driver"


def test_waits_without_a_change() -> None:
    asked = scheduling(potential=["node-1"], selected="node-1")
    verdict = attempt_at(pod(), [node()], [claim()], asked)
    assert verdict == Await(
        "0/1 nodes are available: 1 waiting for resource driver to provide information.", Change()
    )


def test_deallocating_claim_is_not_used() -> None:
    verdict = attempt_at(pod(), [node()], [deallocating(allocated(claim()))])
    assert isinstance(verdict, Unschedulable)
    assert verdict.deallocate is None


def _claim(name: str, where: str, mode: str, user: str, *, shareable: bool) -> JSON:
    raw = claim(name, mode=mode)
    if not where:
        return raw
    raw = allocated(raw, where)
    raw["status"]["allocation"]["shareable"] = shareable
    return reserved(raw, user) if user else raw


CLAIMS = st.lists(
    st.builds(
        _claim,
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["", *NAMES, "node-9"]),
        st.sampled_from(["WaitForFirstConsumer", "Immediate"]),
        st.sampled_from(["", "pod", "stranger"]),
        shareable=st.booleans(),
    ),
    max_size=3,
    unique_by=lambda raw: raw["metadata"]["name"],
)
NODES = st.lists(
    st.builds(node, st.sampled_from(NAMES), ready=st.booleans(), unschedulable=st.booleans()),
    max_size=3,
    unique_by=lambda raw: raw["metadata"]["name"],
)


@st.composite
def contexts(draw: st.DrawFn) -> JSON | None:
    if draw(st.booleans()):
        return None
    names = st.lists(st.sampled_from(NAMES), unique=True)
    raw = scheduling(potential=draw(names), selected=draw(st.sampled_from(["", *NAMES])))
    answers = draw(st.dictionaries(st.sampled_from(["a", "b", "c"]), names))
    entries = [{"name": k, "unsuitableNodes": v} for k, v in answers.items()]
    return {**raw, "status": {"resourceClaims": entries}}


@given(nodes=NODES, claims=CLAIMS, context=contexts(), seed=st.integers())
@settings(max_examples=tries(300))
def test_verdict_is_never_wrong(
    nodes: list[JSON], claims: list[JSON], context: JSON | None, seed: int
) -> None:
    view = PodSchedulingContext(context) if context is not None else None
    uses = join_uses([(c["metadata"]["name"], read_claim(c)) for c in claims], CLASSES, view)
    views = {n["metadata"]["name"]: NodeView.parse(n) for n in nodes}
    fitting = {
        name
        for name, found in views.items()
        if misfit(Pod(pod()), found) is None and filter_node(uses, found) is None
    }
    match attempt_at(pod(), nodes, claims, context, seed=seed):
        case Bind(chosen, reserve):
            assert chosen in fitting
            assert all(use.claim.allocation is not None for use in uses)
            missing = [u.claim for u in uses if not is_reserved_for(Pod(pod()), u.claim)]
            assert [*reserve] == missing
            assert all(can_be_reserved(found) for found in reserve)
        case Await(_, change, unreserve):
            assert any(use.pending for use in uses)
            assert change.selected_node is None or change.selected_node in fitting
            assert set(change.potential_nodes or ()) <= fitting
            assert all(is_reserved_for(Pod(pod()), found) for found in unreserve)
        case Failed(message):
            raise AssertionError(message)
        case Unschedulable(message, found, _):
            assert message
            if found is not None:
                assert not found.immediate
                assert {c["uid"] for c in found.reserved_for} <= {"uid-pod"}


class Negotiation(RuleBasedStateMachine):
    """Pods, claims that they share, and a driver that does as it likes.

    Verdicts are carried out at once; what must hold does so after every step.
    """

    pods = ("pod-0", "pod-1", "pod-2")
    uses = MappingProxyType({"pod-0": ("one",), "pod-1": ("one", "two"), "pod-2": ("two", "three")})
    picks = st.sampled_from(pods)
    of_claims = st.sampled_from(("one", "two", "three"))

    def __init__(self) -> None:
        super().__init__()
        self.claims = {name: claim(name) for name in ("one", "two", "three")}
        self.nodes = {name: node(name) for name in NAMES}
        self.contexts: dict[str, JSON] = {}
        self.bound: dict[str, str] = {}

    @rule(name=picks, seed=st.integers(0, 9))
    def schedule(self, name: str, seed: int) -> None:
        if name in self.bound:
            return
        claims = [self.claims[each] for each in self.uses[name]]
        nodes = [*self.nodes.values()]
        verdict = attempt_at(pod(name), nodes, claims, self.contexts.get(name), seed=seed)
        match verdict:
            case Bind(chosen, reserve):
                for found in reserve:
                    self.claims[found.name] = with_consumer(found, Pod(pod(name)))
                self.contexts.pop(name, None)
                self.bound[name] = chosen
                assert misfit(Pod(pod(name)), NodeView.parse(self.nodes[chosen])) is None
            case Await(_, change, unreserve):
                self.publish(name, change)
                for found in unreserve:
                    self.claims[found.name] = without_consumer(found, Pod(pod(name)))
            case Unschedulable(_, found, change):
                self.publish(name, change)
                if found is not None:
                    gone = with_status(found.raw, reservedFor=None, deallocationRequested=True)
                    self.claims[found.name] = gone

    def publish(self, name: str, change: Change) -> None:
        if not change:
            return
        raw = self.contexts.get(name) or scheduling(name)
        spec = dict(raw["spec"])
        if change.selected_node is not None:
            spec["selectedNode"] = change.selected_node
        if change.potential_nodes is not None:
            spec["potentialNodes"] = [*change.potential_nodes]
        self.contexts[name] = {**raw, "spec": spec}

    @rule(name=picks, shareable=st.booleans(), reserves=st.booleans())
    def allocate(self, name: str, *, shareable: bool, reserves: bool) -> None:
        """The driver allocates on the selected node."""
        selected = (self.contexts.get(name) or {"spec": {}})["spec"].get("selectedNode")
        for each in self.uses[name] if selected else ():
            if read_claim(self.claims[each]).allocation is None:
                given = allocated(claim(each), selected)
                given["status"]["allocation"]["shareable"] = shareable
                self.claims[each] = reserved(given, name) if reserves else given

    @rule(name=picks, bad=st.sets(st.sampled_from(NAMES)))
    def answer(self, name: str, bad: set[str]) -> None:
        if name in self.contexts:
            entries = [{"name": n, "unsuitableNodes": sorted(bad)} for n in self.uses[name]]
            self.contexts[name] = {**self.contexts[name], "status": {"resourceClaims": entries}}

    @rule(name=of_claims)
    def deallocate(self, name: str) -> None:
        if read_claim(self.claims[name]).deallocation_requested:
            self.claims[name] = claim(name)

    @rule(name=st.sampled_from(NAMES))
    def cordon(self, name: str) -> None:
        before = self.nodes[name]["spec"].get("unschedulable", False)
        self.nodes[name] = node(name, unschedulable=not before)

    @precondition(lambda self: self.bound)
    @rule(name=picks)
    def finish(self, name: str) -> None:
        if self.bound.pop(name, None) is not None:
            for each in self.uses[name]:
                self.claims[each] = without_consumer(read_claim(self.claims[each]), Pod(pod(name)))

    @invariant()
    def unshared_claims_have_one_consumer(self) -> None:
        for raw in map(read_claim, self.claims.values()):
            if raw.allocation is not None and not raw.allocation.raw["shareable"]:
                assert len(raw.reserved_for) <= 1

    @invariant()
    def bound_pods_sit_where_their_claims_are(self) -> None:
        for name, chosen in self.bound.items():
            for each in self.uses[name]:
                found = read_claim(self.claims[each])
                assert found.allocation is not None
                assert not found.deallocation_requested
                assert is_reserved_for(Pod(pod(name)), found)
                assert selects(found.allocation.nodes, chosen, {})


TestNegotiation = Negotiation.TestCase
TestNegotiation.settings = settings(max_examples=tries(60), stateful_step_count=30, deadline=None)
