"""The extension points one by one; ids are cases of kubernetes dynamicresources TestPlugin."""

from random import Random

from api.claims.v1alpha2 import ResourceClass
from api.claims.versions import read_claim
from api.nodefit import NodeView
from api.objects import JSON, NodeName
from api.pods import Pod, PodSchedulingContext
from api.selectors import only_node
from devcluster.dynamicresources import (
    MAX_POTENTIAL_NODES,
    Change,
    Hold,
    Proceed,
    Use,
    deallocatable,
    filter_node,
    join_uses,
    pre_filter,
    pre_score,
    reserve,
)
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
from tests.support.tables import cases

POD = Pod(pod())
NODE_1, NODE_2 = (NodeView.parse(node(name)) for name in ("node-1", "node-2"))
CLASS = ResourceClass(resource_class())


def use(
    raw: JSON,
    *,
    name: str = "a",
    of_class: ResourceClass | None = CLASS,
    unsuitable: tuple[str, ...] | None = None,
) -> Use:
    answer = None if unsuitable is None else frozenset(map(NodeName, unsuitable))
    return Use(name, read_claim(raw), of_class, answer)


def unshared(raw: JSON) -> JSON:
    raw["status"]["allocation"]["shareable"] = False
    return raw


def context(raw: JSON) -> PodSchedulingContext:
    return PodSchedulingContext(raw)


@cases(
    ("uses", "reason"),
    {
        "empty": ([], None),
        "claim-reference": ([use(claim())], None),
        "waiting-for-immediate-allocation": (
            [use(claim(mode="Immediate"))],
            "unallocated immediate resourceclaim",
        ),
        "missing-class": ([use(claim(), of_class=None)], "resource class my-class does not exist"),
        "waiting-for-deallocation": (
            [use(deallocating(allocated(claim())))],
            "resourceclaim must be reallocated",
        ),
        "allocated": ([use(allocated(claim()))], None),
        "allocated-needs-no-class": ([use(allocated(claim()), of_class=None)], None),
        "in-use": ([use(unshared(reserved(allocated(claim()), "other")))], "resourceclaim in use"),
        "reserved-okay": ([use(unshared(reserved(allocated(claim()))))], None),
        "shared": ([use(reserved(allocated(claim()), "other"))], None),
        "second-claim-counts": (
            [use(claim()), use(claim(mode="Immediate"))],
            "unallocated immediate resourceclaim",
        ),
    },
)
def test_pre_filter(uses: list[Use], reason: str | None) -> None:
    assert pre_filter(POD, uses) == reason


SUITED = ResourceClass(resource_class(suitableNodes=only_node("node-1")))


@cases(
    ("uses", "at_1", "at_2"),
    {
        "no-claims": ([], None, None),
        "pending": ([use(claim())], None, None),
        "answered": ([use(claim(), unsuitable=())], None, None),
        "unsuitable": (
            [use(claim(), unsuitable=("node-2",))],
            None,
            "resourceclaim cannot be allocated for the node (unsuitable)",
        ),
        "class-filter": (
            [use(claim(), of_class=SUITED)],
            None,
            "excluded by resource class node filter",
        ),
        "wrong-topology": (
            [use(allocated(claim()))],
            None,
            "resourceclaim not available on the node",
        ),
        "old-answers-do-not-count-once-allocated": (
            [use(allocated(claim()), of_class=SUITED, unsuitable=("node-1",))],
            None,
            "not available",
        ),
        "two-claims": (
            [use(claim(), unsuitable=("node-1",)), use(allocated(claim()))],
            "resourceclaim cannot be allocated for the node (unsuitable)",
            "resourceclaim not available on the node",
        ),
    },
)
def test_filter(uses: list[Use], at_1: str | None, at_2: str | None) -> None:
    assert filter_node(uses, NODE_1) == at_1
    assert (at_2 or "None") in str(filter_node(uses, NODE_2))


@cases(
    ("uses", "names"),
    {
        "wrong-topology": ([use(allocated(claim()))], ["claim"]),
        "reserved-for-us": ([use(reserved(allocated(claim())))], ["claim"]),
        "in-use": ([use(reserved(allocated(claim()), "other"))], []),
        "immediate-stays": ([use(allocated(claim(mode="Immediate")))], []),
        "available": ([use(allocated(claim(), "node-2"))], []),
        "another-claim-rules-the-node-out": (
            [use(allocated(claim())), use(claim("b"), unsuitable=("node-2",))],
            [],
        ),
        "other-nodes-do-not-count": (
            [use(allocated(claim())), use(claim("b"), unsuitable=("node-1",))],
            ["claim"],
        ),
        "two-on-different-nodes": (
            [use(allocated(claim())), use(allocated(claim("b"), "node-3"))],
            ["claim", "b"],
        ),
        "nothing-allocated": ([use(claim(), unsuitable=("node-2",))], []),
    },
)
def test_deallocatable(uses: list[Use], names: list[str]) -> None:
    assert [found.name for found in deallocatable(POD, uses, [NODE_2])] == names


@cases(
    ("uses", "known", "potential"),
    {
        "ask": ([use(claim())], None, ("node-1", "node-2")),
        "ask-for-more": ([use(claim())], ["node-1"], ("node-1", "node-2")),
        "known": ([use(claim())], ["node-1", "node-2", "node-3"], None),
        "nothing-pending": ([use(allocated(claim()))], None, None),
        "no-claims": ([], None, None),
    },
)
def test_pre_score(
    uses: list[Use], known: list[str] | None, potential: tuple[str, ...] | None
) -> None:
    before = context(scheduling(potential=known)) if known is not None else None
    assert pre_score(uses, before, [NODE_2, NODE_1], Random(0)) == potential


def test_pre_score_picks_some_of_many() -> None:
    nodes = [NodeView.parse(node(f"node-{i:03}")) for i in range(300)]
    found = pre_score([use(claim())], None, nodes, Random(0))
    assert found is not None
    assert len(found) == len(set(found)) == MAX_POTENTIAL_NODES
    assert list(found) == sorted(found)


BOTH = ("node-1", "node-2")
HOLD = Hold("waiting for resource driver to provide information")
ONE = [use(claim())]
TWO = [use(claim()), use(claim("b"), name="b")]
TWO_ANSWERED = [use(claim(), unsuitable=()), use(claim("b"), name="b", unsuitable=("node-2",))]
ASKED = context(scheduling(potential=[*BOTH]))
SELECTED = context(scheduling(potential=[*BOTH], selected="node-1"))


@cases(
    ("uses", "before", "scored", "only", "answer"),
    {
        "empty": ([], None, None, False, Proceed(Change())),
        "scheduling-completed": ([use(allocated(claim()))], None, None, False, Proceed(Change())),
        "scheduling-select-immediately": (ONE, None, BOTH, False, Proceed(Change("node-1", BOTH))),
        "single-node": (ONE, None, None, True, Proceed(Change("node-1", ("node-1",)))),
        "scheduling-finish": (ONE, ASKED, None, False, Proceed(Change("node-1", None))),
        "selected-already": (ONE, SELECTED, None, False, HOLD),
        "selected-already-single-node": (ONE, SELECTED, None, True, HOLD),
        "scheduling-ask": (TWO, None, BOTH, False, Proceed(Change(None, BOTH))),
        "answers-missing": (TWO, ASKED, None, False, HOLD),
        "answers-complete": (TWO_ANSWERED, ASKED, None, False, Proceed(Change("node-1", None))),
        "allocation-runs": (TWO_ANSWERED, SELECTED, None, False, HOLD),
        "one-of-two-pending": (
            [use(claim()), use(allocated(claim("b")))],
            ASKED,
            None,
            False,
            Proceed(Change("node-1")),
        ),
    },
)
def test_reserve(
    uses: list[Use],
    before: PodSchedulingContext | None,
    scored: tuple[NodeName, ...] | None,
    answer: Proceed | Hold,
    *,
    only: bool,
) -> None:
    assert reserve(uses, before, NodeName("node-1"), scored, only_candidate=only) == answer


def test_join_finds_class_and_answer() -> None:
    answered = scheduling()
    answered["status"] = {"resourceClaims": [{"name": "a", "unsuitableNodes": ["node-2"]}]}
    pairs = [("a", read_claim(claim())), ("b", read_claim(claim("b", resourceClassName="none")))]
    first, second = join_uses(pairs, {"my-class": CLASS}, context(answered))
    assert (first.resource_class, first.unsuitable) == (CLASS, {"node-2"})
    assert (second.resource_class, second.unsuitable) == (None, None)
    assert join_uses(pairs[:1], {}, None)[0].unsuitable is None


@cases(
    ("change", "matters"),
    {
        "nothing": (Change(), False),
        "clears-the-node": (Change(selected_node=""), True),
        "no-potential-nodes": (Change(None, ()), True),
    },
)
def test_empty_values_are_changes(change: Change, *, matters: bool) -> None:
    assert bool(change) is matters
