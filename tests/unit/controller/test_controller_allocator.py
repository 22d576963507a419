"""The allocator: deterministic, all or nothing, and complete where models constrain it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.nas import AllocatedDevice, Device
from api.objects import ClaimUID, DeviceID
from api.parameters import ClaimParameters, ClassParameters, DeviceSelector
from controller.decide.allocator import DeviceRequest, Refusal, plan


def device(number: int, model: str = "M") -> Device:
    return Device(DeviceID(f"d{number}"), model)


def request(
    claim: str, count: int = 1, split: int = 0, model: str | None = None, offered: str = "*"
) -> DeviceRequest:
    return DeviceRequest(
        ClaimUID(claim),
        ClaimParameters(count, split, model),
        ClassParameters((DeviceSelector(name=offered),)),
    )


def ids(planned: object, claim: str) -> list[str]:
    assert not isinstance(planned, Refusal), planned
    return [d.id for d in planned[ClaimUID(claim)]]  # type: ignore[index]


FREE = [device(i) for i in range(4)]
MIXED = [device(0, "A"), device(1, "A"), device(2, "B"), device(3, "B")]


def test_devices_are_taken_in_the_order_of_the_node() -> None:
    planned = plan(FREE, {}, [request("x"), request("y", 2)], FREE)
    assert ids(planned, "x") == ["d0"]
    assert ids(planned, "y") == ["d1", "d2"]


@pytest.mark.parametrize(
    ("split", "stored"), [(0, 0), (1, 0), (2, 2), (5, 5)], ids=["absent", "one", "two", "five"]
)
def test_split_of_less_than_two_is_the_whole_device(split: int, stored: int) -> None:
    planned = plan(FREE, {}, [request("x", 1, split)], FREE)
    assert not isinstance(planned, Refusal)
    assert planned[ClaimUID("x")] == (AllocatedDevice(DeviceID("d0"), stored),)


def test_a_claim_keeps_what_it_holds() -> None:
    held = {ClaimUID("x"): (AllocatedDevice(DeviceID("d9"), 3),)}
    planned = plan(FREE, held, [request("x", 4), request("y")], FREE)
    assert not isinstance(planned, Refusal)
    assert planned[ClaimUID("x")] == held[ClaimUID("x")]
    assert ids(planned, "y") == ["d0"]


@pytest.mark.parametrize(
    ("offered", "requests", "reason", "message"),
    [
        pytest.param(
            FREE,
            [request("x", 5)],
            "TooFewDevices",
            "asked for 5 devices, which can never fit on a node of 4",
            id="one-claim",
        ),
        pytest.param(
            FREE,
            [request("x", 3), request("y", 2)],
            "TooFewDevices",
            "asked for 5 devices, which can never fit on a node of 4",
            id="all-claims-together",
        ),
        pytest.param(
            [],
            [request("x")],
            "TooFewDevices",
            "asked for 1 device, which can never fit on a node of 0",
            id="no-devices",
        ),
        pytest.param(
            MIXED,
            [request("x", 3, model="A")],
            "NoMatchingModel",
            "asked for 3 devices of model A, the node has 2 (its models: A, B)",
            id="too-few-of-a-model",
        ),
        pytest.param(
            MIXED,
            [request("x", 1, model="H*")],
            "NoMatchingModel",
            "asked for 1 device of model H*, the node has none (its models: A, B)",
            id="no-such-model",
        ),
        pytest.param(
            MIXED,
            [request("x", 1, offered="C*")],
            "NoMatchingModel",
            "asked for 1 device that the class offers, the node has none (its models: A, B)",
            id="class",
        ),
        pytest.param(
            MIXED,
            [request("x", 1, model="A", offered="B")],
            "NoMatchingModel",
            "asked for 1 device of model A that the class offers, the node has none "
            "(its models: A, B)",
            id="model-and-class",
        ),
        pytest.param(
            MIXED,
            [request("x", 1, model="A"), request("y", 2, model="A")],
            "NoMatchingModel",
            "asked for 3 devices of model A, the node has 2 (its models: A, B)",
            id="together-of-a-model",
        ),
        pytest.param(
            MIXED,
            [request("x", 1, model="A"), request("y", 2, model="A*"), request("z", model="B")],
            "NoMatchingModel",
            "asked for 1 device of model A, 2 devices of model A*, 1 device of model B, "
            "which can never fit together (its models: A, B)",
            id="competition",
        ),
        pytest.param(
            [device(i, f"M{i}") for i in range(7)],
            [request("x", model="A")],
            "NoMatchingModel",
            "asked for 1 device of model A, the node has none (its models: M0, M1, M2, M3, M4 "
            "and 2 more)",
            id="many-models",
        ),
    ],
)
def test_what_can_never_fit_is_told_from_all_devices_of_the_node(
    offered: list[Device], requests: list[DeviceRequest], reason: str, message: str
) -> None:
    for free in (offered, offered[:1], []):
        assert plan(free, {}, requests, offered) == Refusal(reason, message)


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        ([request("x", 3)], "asked for 3 devices, not free at present"),
        ([request("x"), request("y", 2)], "asked for 3 devices, not free at present"),
        (
            [request("x", 1, model="B")],
            "asked for 1 device of model B, not free at present",
        ),
        (
            [request("x", 2), request("y", 1, model="B")],
            "asked for 2 devices, 1 device of model B, not free at present",
        ),
    ],
    ids=["one-claim", "all-claims-together", "model", "one-with-a-model"],
)
def test_what_does_not_fit_now_is_told_without_numbers_that_change(
    requests: list[DeviceRequest], message: str
) -> None:
    for free in (MIXED[:2], MIXED[:1], []):
        assert plan(free, {}, requests, MIXED) == Refusal("TooFewFree", message)


def test_what_a_claim_holds_already_serves_no_other() -> None:
    held = {ClaimUID("x"): (AllocatedDevice(DeviceID("d0")),)}
    refusal = plan(MIXED[1:], held, [request("x"), request("y", 2, model="A")], MIXED)
    assert refusal == Refusal(
        "NoMatchingModel",
        "asked for 2 devices of model A, the node has 1 (its models: A, B)",
    )


def test_a_picky_claim_gets_its_model_although_it_comes_last() -> None:
    planned = plan(MIXED, {}, [request("any", 2), request("picky", 2, model="A")], MIXED)
    assert ids(planned, "picky") == ["d0", "d1"]
    assert ids(planned, "any") == ["d2", "d3"]


def test_requests_of_one_claim_get_their_devices_in_order() -> None:
    asked = [request("x", 1, 2, "B"), request("y"), request("x", 2, 0, "A")]
    planned = plan(MIXED, {}, asked, MIXED)
    assert ids(planned, "x") == ["d2", "d0", "d1"]
    assert ids(planned, "y") == ["d3"]
    assert not isinstance(planned, Refusal)
    assert [d.split for d in planned[ClaimUID("x")]] == [2, 0, 0]


def test_requests_of_one_claim_are_served_together_or_not_at_all() -> None:
    refusal = plan(MIXED, {}, [request("x", model="A"), request("x", 3, model="B")], MIXED)
    assert isinstance(refusal, Refusal)
    held = {ClaimUID("x"): (AllocatedDevice(DeviceID("d9")),)}
    assert plan([], held, [request("x"), request("x", 3)], []) == held


def test_devices_change_hands_along_a_chain() -> None:
    free = [device(0, "AB"), device(1, "BC"), device(2, "CD")]
    planned = plan(
        free,
        {},
        [request("x", model="[AB]*"), request("y", model="?[CD]"), request("z", model="A*")],
        free,
    )
    assert ids(planned, "z") == ["d0"]


@given(
    st.lists(st.sampled_from("AB"), max_size=6),
    st.lists(
        st.tuples(
            st.sampled_from("xyz"),
            st.integers(1, 3),
            st.integers(0, 3),
            st.sampled_from([None, "A", "B"]),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_a_plan_is_found_exactly_when_there_is_one(
    models: list[str], wanted: list[tuple[str, int, int, str | None]]
) -> None:
    free = [device(i, model) for i, model in enumerate(models)]
    requests = [request(*each) for each in wanted]
    planned = plan(free, {}, requests, free)
    assert planned == plan(list(free), {}, list(requests), free), "not deterministic"
    if isinstance(planned, Refusal):
        assert not _solvable(free, requests)
        return
    given_out = [d.id for devices in planned.values() for d in devices]
    assert len(given_out) == len(set(given_out))
    by_id = {d.id: d for d in free}
    left = {claim: list(devices) for claim, devices in planned.items()}
    for asked in requests:
        devices, rest = _cut(left[asked.claim], asked.wanted.count)
        left[asked.claim] = rest
        assert len(devices) == asked.wanted.count
        assert all(asked.admits(by_id[d.id]) for d in devices)
        assert {d.split for d in devices} == {asked.wanted.split if asked.wanted.split > 1 else 0}
    assert not any(left.values())


@given(
    st.lists(st.sampled_from(["A", "B", "AB"]), max_size=6),
    st.integers(1, 3),
    st.sampled_from([None, "A", "A*", "?", "*"]),
    st.sampled_from(["*", "A*", "B"]),
)
def test_a_request_alone_gets_the_first_devices_that_it_admits(
    models: list[str], count: int, model: str | None, offered: str
) -> None:
    free = [device(i, name) for i, name in enumerate(models)]
    asked = request("x", count, 0, model, offered)
    admitted = [d.id for d in free if asked.admits(d)]
    planned = plan(free, {}, [asked], free)
    if len(admitted) >= count:
        assert ids(planned, "x") == admitted[:count]
    else:
        assert isinstance(planned, Refusal)
        few = planned.reason == "TooFewDevices"
        assert few is (len(free) < count)
        assert few or f"the node has {len(admitted) or 'none'} " in planned.message


@given(
    st.lists(st.tuples(st.sampled_from("AB"), st.booleans()), max_size=6),
    st.lists(
        st.tuples(
            st.sampled_from("xyz"),
            st.integers(1, 3),
            st.just(0),
            st.sampled_from([None, "A", "B", "?"]),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_only_what_would_fit_on_the_empty_node_is_told_to_be_short_at_present(
    devices: list[tuple[str, bool]], wanted: list[tuple[str, int, int, str | None]]
) -> None:
    offered = [device(i, model) for i, (model, _) in enumerate(devices)]
    free = [device(i, model) for i, (model, is_free) in enumerate(devices) if is_free]
    requests = [request(*each) for each in wanted]
    refusal = plan(free, {}, requests, offered)
    if isinstance(refusal, Refusal):
        assert (refusal.reason == "TooFewFree") is _solvable(offered, requests)


def _cut(devices: list[AllocatedDevice], count: int) -> tuple[list[AllocatedDevice], ...]:
    return devices[:count], devices[count:]


def _solvable(free: list[Device], requests: list[DeviceRequest]) -> bool:
    slots = [r for r in requests for _ in range(r.wanted.count)]
    if len(slots) > len(free):
        return False
    return any(
        all(slot.admits(d) for slot, d in zip(slots, chosen, strict=True))
        for chosen in itertools.permutations(free, len(slots))
    )
