"""The infos: views, reservations, holders."""

import copy
from functools import partial

import pytest

from api.contract import FAKE
from api.errors import MalformedState
from api.nas import AllocatedDevice, NodeAllocationState, Share, parse_nas
from api.objects import JSON, ClaimUID, DeviceID, NodeName
from api.parameters import ClaimParameters, ClassParameters
from controller.decide.allocator import DeviceRequest, Refusal
from controller.nodes import infos as nodes
from controller.nodes.infos import (
    HANDLES_INDEX,
    HOLDERS_INDEX,
    RESERVATION_SECONDS,
    NodeInfos,
    NodeView,
    handles_index,
    holders_index,
)
from kube.store import Store
from testing.clock import Clock
from tests.support.build import SYSTEM, holding, nas, preparing

NODE = NodeName("node-1")
REQUEST = DeviceRequest(ClaimUID("u"), ClaimParameters(count=2))


def infos(*states: dict, clock: Clock | None = None) -> tuple[NodeInfos, Store]:  # type: ignore[type-arg]
    store = Store({HOLDERS_INDEX: holders_index})
    claims = Store({HANDLES_INDEX: partial(handles_index, FAKE)})
    book = NodeInfos(store, claims, SYSTEM, FAKE, clock=clock or Clock())
    for number, state in enumerate(states):
        state["metadata"].setdefault("resourceVersion", str(number + 1))
    store.replace(list(states))
    return book, store


@pytest.mark.parametrize(
    ("state", "reason", "text"),
    [
        (None, "NotPublished", "no plugin"),
        (nas(status="NotReady"), "NotReady", "status NotReady"),
        (nas(status="Odd"), "Malformed", "status"),
        (nas(allocatedClaims={"u": 3}), "Malformed", r"spec\.allocatedClaims\.u"),
    ],
    ids=["absent", "not-ready", "unknown-status", "malformed"],
)
def test_a_node_that_takes_no_claims_says_why(state: object, reason: str, text: str) -> None:
    book, _ = infos(*([state] if state else []))  # type: ignore[list-item]
    refusal = book.view(NODE)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == reason
    assert text.replace("\\", "") in refusal.message


def test_free_is_what_no_claim_holds_in_the_order_of_the_node() -> None:
    book, _ = infos(holding(holding(nas(devices=4), "a", 0), "b", 2))
    view = book.view(NODE)
    assert isinstance(view, NodeView)
    assert [d.id for d in view.free] == ["node-1-1", "node-1-3"]


def test_what_is_prepared_without_an_allocation_is_given_to_nobody_else() -> None:
    orphan = preparing(nas(devices=4), "gone", 0)
    child = [{"uuid": "child", "parentUUID": "node-1-2"}]
    orphan["spec"]["preparedDevices"]["split"] = {"fake": {"devices": child}}
    book, _ = infos(orphan)
    view = book.view(NODE)
    assert isinstance(view, NodeView)
    assert [d.id for d in view.free] == ["node-1-1", "node-1-3"]


def test_a_view_follows_the_cache() -> None:
    book, store = infos(nas(devices=2))
    assert not isinstance(book.plan(NODE, [REQUEST], "me"), Refusal)
    newer = holding(nas(devices=2), "a", 0)
    newer["metadata"]["resourceVersion"] = "7"
    store.apply(newer)
    assert isinstance(book.plan(NODE, [REQUEST], "me"), Refusal)


def test_a_reservation_counts_for_others_until_it_is_released_or_expires() -> None:
    clock = Clock()
    book, _ = infos(nas(devices=2), clock=clock)
    planned = {ClaimUID("u"): (AllocatedDevice(DeviceID("node-1-0")),)}
    book.reserve("me", NODE, planned)
    assert not isinstance(book.plan(NODE, [REQUEST], "me"), Refusal)
    assert isinstance(book.plan(NODE, [REQUEST], "other"), Refusal)
    assert book.release("me") == NODE
    assert book.release("me") is None
    assert not isinstance(book.plan(NODE, [REQUEST], "other"), Refusal)
    book.reserve("me", NODE, planned)
    clock.now = RESERVATION_SECONDS
    assert not isinstance(book.plan(NODE, [REQUEST], "other"), Refusal)


def test_the_latest_reservation_of_a_pod_counts_and_other_nodes_know_nothing_of_it() -> None:
    book, _ = infos(nas(devices=2), nas("node-2", devices=2))
    other = NodeName("node-2")
    for node in (NODE, other):
        book.reserve("me", node, {ClaimUID("u"): (AllocatedDevice(DeviceID(f"{node}-0")),)})
    assert not isinstance(book.plan(NODE, [REQUEST], "you"), Refusal)
    assert isinstance(book.plan(other, [REQUEST], "you"), Refusal)
    assert book.release("me") == other


def test_reservations_of_several_pods_on_a_node_add_up() -> None:
    clock = Clock()
    book, _ = infos(nas(devices=4), clock=clock)
    for number, owner in enumerate(["a", "b", "c"]):
        clock.now = number
        device = AllocatedDevice(DeviceID(f"node-1-{number}"))
        book.reserve(owner, NODE, {ClaimUID(owner): (device,)})
    assert isinstance(book.plan(NODE, [REQUEST], "you"), Refusal)
    assert not isinstance(book.plan(NODE, [REQUEST], "a"), Refusal)
    book.release("b")
    assert not isinstance(book.plan(NODE, [REQUEST], "you"), Refusal)


def test_a_reserved_share_leaves_room_for_other_clients_and_counts_once() -> None:
    sharing = ["TimeSliced"]
    book, store = infos(nas(devices=1, sharing=sharing))
    mine, yours, third = (
        DeviceRequest(ClaimUID(name), offered_by_class=ClassParameters(max_clients=2))
        for name in ("mine", "yours", "third")
    )
    planned = book.plan(NODE, [mine], "me")
    assert not isinstance(planned, Refusal)
    book.reserve("me", NODE, planned)
    other = book.plan(NODE, [yours], "you")
    assert not isinstance(other, Refusal)
    assert other[yours.claim] == (AllocatedDevice(DeviceID("node-1-0"), 0, Share(1, 2)),)
    stored = holding(nas(devices=1, sharing=sharing), "mine", 0, share=(0, 2))
    store.written({**stored, "metadata": {**stored["metadata"], "resourceVersion": "9000"}})
    assert book.plan(NODE, [yours], "you") == other
    book.reserve("you", NODE, other)
    assert isinstance(book.plan(NODE, [third], "they"), Refusal)


def test_a_reservation_that_was_never_released_is_forgotten_at_the_next_one() -> None:
    clock = Clock()
    book, _ = infos(nas(devices=2), clock=clock)
    planned = {ClaimUID("u"): (AllocatedDevice(DeviceID("node-1-0")),)}
    book.reserve("me", NODE, planned)
    clock.now = RESERVATION_SECONDS
    book.reserve("you", NODE, planned)
    assert book.release("me") is None


def test_a_state_is_read_once_for_all_questions_and_before_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []

    def reading(obj: JSON, key: str) -> NodeAllocationState:
        read.append(obj["metadata"]["resourceVersion"])
        return parse_nas(obj, key)

    monkeypatch.setattr(nodes, "parse_nas", reading)
    book, store = infos(nas(devices=2))
    newer = holding(nas(devices=2), "a", 0)
    newer["metadata"]["resourceVersion"] = "7"
    store.apply(newer)
    assert read == ["1", "7"]
    assert isinstance(book.plan(NODE, [REQUEST], "me"), Refusal)
    assert book.state(NODE) is book.state(NODE)
    assert read == ["1", "7"]


def test_of_a_heartbeat_just_the_heartbeat_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    specs: list[object] = []

    def reading(obj: JSON, key: str) -> NodeAllocationState:
        specs.append(obj["spec"])
        return parse_nas(obj, key)

    monkeypatch.setattr(nodes, "parse_nas", reading)
    full = preparing(holding(nas(devices=2), "a", 0), "a", 0)
    book, store = infos(full)
    beat = {"heartbeat": {"renewTime": "now", "durationSeconds": 9}, "status": "NotReady"}
    newer = copy.deepcopy(full) | beat
    newer["metadata"]["resourceVersion"] = "7"
    store.apply(newer)
    assert specs == [full["spec"], None]
    assert book.state(NODE) == parse_nas(newer, FAKE.device_key)
    refusal = book.view(NODE)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "NotReady"


def test_a_node_that_is_gone_is_not_remembered() -> None:
    book, store = infos(nas(devices=2))
    gone = nas(devices=2)
    gone["metadata"]["resourceVersion"] = "9"
    store.remove(gone)
    refusal = book.view(NODE)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "NotPublished"
    assert book.state(NODE) is None


def test_holders_are_found_by_claim_on_every_node() -> None:
    book, _ = infos(holding(nas("b"), "u", 0), holding(nas("a"), "u", 1), nas("c"))
    assert book.holders(ClaimUID("u")) == ["a", "b"]
    assert book.holders(ClaimUID("v")) == []
    assert book.nodes() == ["a", "b", "c"]


@pytest.mark.parametrize(
    "spec", [None, [], {"allocatedClaims": []}, {"allocatedClaims": None}], ids=repr
)
def test_the_index_survives_malformed_objects(spec: object) -> None:
    assert list(holders_index({"metadata": {}, "spec": spec})) == []


def test_a_malformed_state_is_an_error_where_it_has_to_be_written() -> None:
    book, _ = infos(nas(allocatedClaims={"u": 3}))
    with pytest.raises(MalformedState, match="delete the object"):
        book.state(NODE)
