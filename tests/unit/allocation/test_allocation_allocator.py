"""Claims allocated on a node: which devices they get, and why they get none."""

from typing import Any

import pytest

from allocation.gates import Gates
from allocation.verdicts import Outcome, Rule
from api.objects import JSON
from tests.support.allocationworld import (
    DRIVER,
    Cluster,
    a_class,
    alternative,
    ask,
    claim,
    counters,
    device,
    devices,
    drawing,
    holding,
    pool,
    refused,
)

SMALL = device("small", attributes={"size": 1}, capacity={"memory": "1Gi"})
LARGE = device("large", attributes={"size": 2}, capacity={"memory": "8Gi"})
TAINT: JSON = {"key": "broken", "value": "yes", "effect": "NoSchedule"}
TAINTED = device("tainted", taints=[TAINT])
TWO = pool(SMALL, LARGE)
SIZE = f'device.attributes["{DRIVER}"].size'

TAKEN: dict[str, tuple[Cluster, list[JSON], list[list[str]]]] = {
    "first": (Cluster([TWO]), [claim(ask())], [["small"]]),
    "two-of-a-request": (Cluster([TWO]), [claim(ask(count=2))], [["small", "large"]]),
    "two-claims": (Cluster([TWO]), [claim(ask()), claim(ask())], [["small"], ["large"]]),
    "selected": (Cluster([TWO]), [claim(ask("r", f"{SIZE} == 2"))], [["large"]]),
    "by-capacity": (
        Cluster([TWO]),
        [claim(ask("r", f'device.capacity["{DRIVER}"].memory.isGreaterThan(quantity("1Gi"))'))],
        [["large"]],
    ),
    "by-the-class": (Cluster([TWO], [a_class("any", f"{SIZE} > 1")]), [claim(ask())], [["large"]]),
    "not-in-use": (Cluster([TWO], allocated=[holding("small")]), [claim(ask())], [["large"]]),
    "backwards": (
        Cluster([TWO]),
        [claim(ask("any"), ask("smallest", f"{SIZE} == 1"))],
        [["large", "small"]],
    ),
    "untainted": (Cluster([pool(TAINTED, SMALL)]), [claim(ask())], [["small"]]),
    "tolerated": (
        Cluster([pool(TAINTED, SMALL)]),
        [claim(ask(tolerations=[{"key": "broken", "operator": "Exists"}]))],
        [["tainted"]],
    ),
    "taints-are-off": (
        Cluster([pool(TAINTED)], gates=Gates(device_taints=False)),
        [claim(ask())],
        [["tainted"]],
    ),
    "in-order-of-drivers-and-pools": (
        Cluster(
            [
                pool(device("c"), name="pool-9"),
                pool(device("b"), name="pool-10"),
                pool(device("a"), driver="a.example.com", name="pool-9"),
            ]
        ),
        [claim(ask(count=3))],
        [["a", "b", "c"]],
    ),
    "second-alternative": (
        Cluster([pool(LARGE)]),
        [
            claim(
                ask(
                    firstAvailable=[
                        alternative("tiny", f"{SIZE} == 1"),
                        alternative("big", f"{SIZE} == 2"),
                    ]
                )
            )
        ],
        [["large"]],
    ),
    "all": (Cluster([TWO]), [claim(ask(count="All"))], [["small", "large"]]),
    "all-that-are-selected": (
        Cluster([TWO]),
        [claim(ask("r", f"{SIZE} == 2", count="All"))],
        [["large"]],
    ),
    "counters": (
        Cluster([pool(drawing("half", 8), drawing("whole", 16), count=2), counters("card")]),
        [claim(ask())],
        [["half"]],
    ),
    "admin-access-to-what-is-in-use": (
        Cluster([TWO], allocated=[holding("small")]),
        [claim(ask(adminAccess=True))],
        [["small"]],
    ),
    "same-attribute": (
        Cluster([pool(*(device(n, attributes={"card": n[0]}) for n in ("a1", "b1", "b2")))]),
        [claim(ask(count=2), constraints=[{"matchAttribute": f"{DRIVER}/card"}])],
        [["b1", "b2"]],
    ),
    "distinct-attribute": (
        Cluster([pool(*(device(n, attributes={"card": n[0]}) for n in ("a1", "a2", "b1")))]),
        [claim(ask(count=2), constraints=[{"distinctAttribute": f"{DRIVER}/card"}])],
        [["a1", "b1"]],
    ),
    "shares-pack-one-device": (
        Cluster(
            [
                pool(
                    *(
                        device(n, allowMultipleAllocations=True, capacity={"memory": "8Gi"})
                        for n in ("a", "b")
                    )
                )
            ]
        ),
        [claim(*(ask(n, capacity={"requests": {"memory": "4Gi"}}) for n in "xyz"))],
        [["a", "a", "b"]],
    ),
}


@pytest.mark.parametrize(("cluster", "claims", "taken"), TAKEN.values(), ids=TAKEN)
def test_devices_that_claims_get(
    cluster: Cluster, claims: list[JSON], taken: list[list[str]]
) -> None:
    assert devices(cluster.allocate(*claims)) == taken


NEEDED = counters("card", units=8)
REFUSED: dict[str, tuple[Cluster, list[JSON], Rule, str]] = {
    "in-use": (
        Cluster([TWO], allocated=[holding("small", "large")]),
        [claim(ask())],
        Rule.IN_USE,
        "in use by claim default/holder",
    ),
    "selector": (
        Cluster([TWO]),
        [claim(ask("r", f"{SIZE} == 3"))],
        Rule.SELECTOR,
        "the request does not select it",
    ),
    "class": (
        Cluster([TWO], [a_class("any", "false")]),
        [claim(ask())],
        Rule.CLASS_SELECTOR,
        "the class does not select it",
    ),
    "taint": (
        Cluster([pool(TAINTED)]),
        [claim(ask())],
        Rule.TAINT,
        "taint broken=yes:NoSchedule not tolerated",
    ),
    "counters": (
        Cluster([pool(drawing("whole", 16), count=2), NEEDED]),
        [claim(ask())],
        Rule.COUNTERS,
        "counter units of card: 16 wanted, 8 left",
    ),
    "capacity": (
        Cluster([TWO]),
        [claim(ask(capacity={"requests": {"memory": "9Gi"}}))],
        Rule.CAPACITY,
        "capacity memory: 9Gi wanted, 1Gi of 1Gi left",
    ),
    "constraint": (
        Cluster([TWO]),
        [claim(ask(), constraints=[{"matchAttribute": f"{DRIVER}/card"}])],
        Rule.CONSTRAINT,
        f"it has no attribute {DRIVER}/card",
    ),
    "pool": (
        Cluster([pool(SMALL, count=2)]),
        [claim(ask())],
        Rule.POOL,
        f"nothing is allocated from pool {DRIVER}/here: 1 of 2 slices of generation 1",
    ),
}


@pytest.mark.parametrize(("cluster", "claims", "rule", "text"), REFUSED.values(), ids=REFUSED)
def test_rule_that_refuses_a_device(
    cluster: Cluster, claims: list[JSON], rule: Rule, text: str
) -> None:
    found = refused(cluster.allocate(*claims))
    assert found.outcome is Outcome.REFUSED
    assert (rule, text) in [(each.rule, each.text) for each in found.reasons]
    assert {each.node for each in found.reasons} == {"here"}


def test_message_counts_what_refuses() -> None:
    found = refused(
        Cluster([pool(TAINTED, SMALL, LARGE)], allocated=[holding("small")]).allocate(
            claim(ask(count=2))
        )
    )
    assert found.message == (
        "claim default/claim, request r: 2 wanted, 1 of 3 devices fit (1 in-use, 1 taint)"
    )


def test_requests_that_fit_one_by_one_only() -> None:
    found = refused(Cluster([pool(SMALL)]).allocate(claim(ask(), name="a"), claim(ask(), name="b")))
    assert found.reasons[0].rule is Rule.TOGETHER
    assert found.message == (
        "each of the 2 requests of default/a, default/b fits by itself, "
        "but not all together on 1 device"
    )


def test_devices_of_one_request_that_fit_one_by_one_only() -> None:
    parts = pool(drawing("whole", 16), drawing("half", 8), count=2)
    found = refused(Cluster([counters("card"), parts]).allocate(claim(ask(count=2))))
    assert found.reasons[0].rule is Rule.TOGETHER
    assert found.message == (
        "the request of default/claim finds enough one by one, but not together, of 2 devices"
    )


ENDS: dict[str, tuple[Cluster, list[JSON], Rule, str]] = {
    "missing-class": (
        Cluster([TWO], []),
        [claim(ask())],
        Rule.CLASS,
        "could not retrieve device class any: it does not exist",
    ),
    "missing-attribute": (
        Cluster([pool(SMALL, device("bare"))]),
        [claim(ask("r", f"{SIZE} == 2"))],
        Rule.SELECTOR_ERROR,
        f"selector #0 on device {DRIVER}/here/bare: CEL runtime error: no such key: size",
    ),
    "syntax": (
        Cluster([TWO]),
        [claim(ask("r", "device.driver =="))],
        Rule.SELECTOR_SYNTAX,
        "selector #0: CEL compile error: compilation failed: ",
    ),
    "all-of-a-pool-that-changes": (
        Cluster([TWO, pool(SMALL, driver="z.example.com", count=2)]),
        [claim(ask(count="All"))],
        Rule.POOL,
        "asks for all devices, but resource pool z.example.com/here is currently being updated",
    ),
    "all-against-a-constraint": (
        Cluster([TWO]),
        [claim(ask(count="All"), constraints=[{"matchAttribute": f"{DRIVER}/size"}])],
        Rule.CONSTRAINT,
        f"cannot add device {DRIVER}/here/large",
    ),
    "admin-access-is-off": (
        Cluster([TWO], gates=Gates(admin_access=False)),
        [claim(ask(adminAccess=True))],
        Rule.FEATURE,
        "admin access is requested, but the feature is disabled",
    ),
    "alternatives-are-off": (
        Cluster([TWO], gates=Gates(prioritized_list=False)),
        [claim(ask(firstAvailable=[alternative("a")]))],
        Rule.FEATURE,
        "has subrequests, but the DRAPrioritizedList feature is disabled",
    ),
    "more-than-a-claim-can-have": (
        Cluster([TWO]),
        [claim(ask("a", count=30), ask("b", count=3))],
        Rule.RESULTS,
        "request b: adding 3 devices exceeds the claim limit of 32, with 30 already",
    ),
}


@pytest.mark.parametrize(("cluster", "claims", "rule", "text"), ENDS.values(), ids=ENDS)
def test_what_ends_the_attempt_on_all_nodes(
    cluster: Cluster, claims: list[JSON], rule: Rule, text: str
) -> None:
    found = refused(cluster.allocate(*claims))
    assert (found.outcome, found.reasons[0].rule) == (Outcome.INVALID, rule)
    assert text in found.message


def test_selector_that_cannot_be_told_is_unknown() -> None:
    found = refused(Cluster([TWO]).allocate(claim(ask("r", "[1, 2].sum() == 3"))))
    assert (found.outcome, found.reasons[0].rule) == (Outcome.UNKNOWN, Rule.UNKNOWN)
    assert found.message.startswith("claim default/claim: selector #0: it does not compile here")


@pytest.mark.parametrize("count", [3, 10, 31])
def test_claims_for_one_device_more_than_there_is(count: int) -> None:
    cluster = Cluster([pool(*(device(f"d{n}") for n in range(count)))])
    claims = [claim(ask(), name=f"c{n}") for n in range(count + 1)]
    found = refused(cluster.allocate(*claims))
    assert found.outcome is Outcome.REFUSED
    assert found.effort.steps <= 4 * (count + 1)
    assert found.effort.upstream_gives_up == (count > 9)


def test_cards_of_one_kind_are_not_tried_one_by_one() -> None:
    cards = [f"card-{n}" for n in range(8)]
    parts = [drawing(f"{card}-{size}", size, of=card) for card in cards for size in (16, 8, 4)]
    cluster = Cluster([pool(*parts, count=2), counters(*cards)])
    claims = [claim(ask(), name=f"c{n}") for n in range(17)]
    found = refused(cluster.allocate(*claims))
    assert found.outcome is Outcome.REFUSED
    assert found.effort.steps < 5_000


def test_budget_is_told() -> None:
    cluster = Cluster([pool(*(device(f"d{n}") for n in range(12)))])
    claims = [claim(ask(), name=f"c{n}") for n in range(13)]
    found = refused(cluster.allocate(*claims, budget=10))
    assert (found.outcome, found.message) == (Outcome.GAVE_UP, "gave up after 10 steps")


def written(**devices: Any) -> JSON:
    found = Cluster(
        [TWO],
        [a_class("any", config=[{"opaque": {"driver": DRIVER, "parameters": {"of": "class"}}}])],
    ).allocate(claim(ask("a"), ask("b"), **devices))
    assert not isinstance(found, type(None))
    return found.claims[0]  # type: ignore[union-attr]


def test_configuration_of_class_and_claim_in_order() -> None:
    mine = {"requests": ["b"], "opaque": {"driver": DRIVER, "parameters": {"of": "claim"}}}
    others = {"requests": ["c"], "opaque": {"driver": DRIVER, "parameters": {}}}
    assert written(config=[others, mine])["devices"]["config"] == [
        {"source": "FromClass", "opaque": {"driver": DRIVER, "parameters": {"of": "class"}}},
        {"source": "FromClaim", **mine},
    ]


def test_node_of_local_devices() -> None:
    requirement = {"key": "metadata.name", "operator": "In", "values": ["here"]}
    assert written()["nodeSelector"] == {"nodeSelectorTerms": [{"matchFields": [requirement]}]}


STABLE = Gates(binding_conditions=False, consumable_capacity=False)
SHARED = device("d", allowMultipleAllocations=True, capacity={"memory": "1Gi"})


def test_stable_allocator_knows_no_shares() -> None:
    cluster = Cluster([pool(SHARED)], gates=STABLE)
    asked = ask("r", "!device.allowMultipleAllocations", capacity={"requests": {"memory": "2Gi"}})
    assert devices(cluster.allocate(claim(asked))) == [["d"]]


def test_stable_allocator_knows_no_distinct_attributes() -> None:
    cluster = Cluster([pool(SHARED)], gates=STABLE)
    found = refused(cluster.allocate(claim(ask(), constraints=[{"distinctAttribute": "a/b"}])))
    assert found.message == (
        "claim default/claim, constraint #0: empty constraint (unsupported constraint type?)"
    )


def test_alpha_gate_is_unknown() -> None:
    gates = Gates.of({"DRAListTypeAttributes": True})
    found = refused(Cluster([TWO], gates=gates).allocate(claim(ask())))
    assert found.outcome is Outcome.UNKNOWN
    assert found.message == "what DRAListTypeAttributes changes is not known here"
