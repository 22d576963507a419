"""Which node lacks least, who holds that, and that the event of a pod that waits tells it."""

import pytest

from api.claims.view import with_status
from api.contract import FAKE
from api.nas import AllocatedClaim, AllocatedDevice, Share, parse_nas
from api.objects import JSON, ClaimUID, DeviceID, NodeName
from api.parameters import ClaimParameters, ClassParameters, DeviceSelector
from controller.decide.allocator import DeviceRequest, Plan, Refusal
from controller.decide.nearmiss import Miss, nearest
from controller.decide.nodeview import NodeView, view_of
from tests.support.build import (
    POD_CLAIM,
    claim,
    holding,
    nas,
    pod,
    resource_class,
    scheduling,
)
from tests.support.build import told as told_by
from tests.support.controllerrig import Rig

PSC = "psc:default/pod"
SINCE = "2026-11-29T09:00:00Z"


def named(
    state: JSON, uid: str, name: str, *indexes: int, share: tuple[int, int] | None = None
) -> JSON:
    """Return the NAS with devices, or shares of them, allocated to a claim of this name."""
    held = holding(state, uid, *indexes, share=share)
    info = {"namespace": "default", "name": name}
    entry = {**held["spec"]["allocatedClaims"][uid], "claimInfo": info}
    allocated = {**held["spec"]["allocatedClaims"], uid: entry}
    return {**held, "spec": {**held["spec"], "allocatedClaims": allocated}}


def used(name: str, by: str) -> JSON:
    """Return a claim that a pod uses."""
    made = claim(name)
    made["metadata"]["creationTimestamp"] = SINCE
    consumer = {"resource": "pods", "name": by, "uid": f"uid-{by}"}
    return with_status(made, reservedFor=[consumer])


def ask(count: int, model: str | None = None, claim: str = "uid-claim") -> DeviceRequest:
    return DeviceRequest(ClaimUID(claim), ClaimParameters(count, 0, model))


def share(count: int, most: int = 2, claim: str = "uid-claim", offered: str = "*") -> DeviceRequest:
    """Return a request for shares of devices that so many claims may have."""
    its_class = ClassParameters((DeviceSelector(name=offered),), max_clients=most)
    return DeviceRequest(ClaimUID(claim), ClaimParameters(count), its_class)


def seen(raw: JSON) -> NodeView:
    view = view_of(parse_nas(raw, FAKE.device_key))
    assert isinstance(view, NodeView)
    return view


def missed(raw: JSON, *requests: DeviceRequest, reserved: Plan | None = None) -> Miss | None:
    view, others = seen(raw), reserved or {}
    found = nearest([view.supply(others)], requests)
    assert found is None or isinstance(view.plan(requests, others), Refusal)
    return found


def told(raw: JSON, *requests: DeviceRequest, reserved: Plan | None = None) -> str:
    found = missed(raw, *requests, reserved=reserved)
    return found.told(lambda _uid, _entry: None) if found else ""


def about(*devices: AllocatedDevice) -> Plan:
    """Return what a claim of another pod is about to get."""
    return {ClaimUID("uid-next"): devices}


MIXED = nas("node-2", 4)
MIXED["spec"]["allocatableDevice"][3]["fake"]["name"] = "X"


@pytest.mark.parametrize(
    ("state", "requests", "text"),
    [
        pytest.param(
            named(nas("node-2", 4), "uid-a", "a", 3),
            [ask(4)],
            "nearest is node-2, with 3 of 4 devices free; the rest is held by claim default/a",
            id="the fourth",
        ),
        pytest.param(
            named(named(MIXED, "uid-a", "a", 3), "uid-b", "b", 0),
            [ask(1, "X")],
            "nearest is node-2, with 0 of 1 device of model X free; the rest is held by claim "
            "default/a",
            id="of the model only",
        ),
        pytest.param(
            named(MIXED, "uid-a", "a", 0, 3),
            [ask(2, "M"), ask(1, "X", "uid-other")],
            "nearest is node-2, with 2 of 2 devices of model M, 1 device of model X free; the rest "
            "is held by claim default/a",
            id="several requests",
        ),
        pytest.param(
            holding(nas("node-2", 2), "uid-a", 0),
            [ask(2)],
            "nearest is node-2, with 1 of 2 devices free; the rest is held by the claim of uid "
            "uid-a",
            id="without a name",
        ),
        pytest.param(nas("node-2", 2), [ask(2)], "", id="fits"),
        pytest.param(named(nas("node-2", 2), "uid-a", "a", 0), [ask(3)], "", id="never fits"),
        pytest.param(MIXED, [ask(1, "Y")], "", id="no such model"),
    ],
)
def test_what_a_node_lacks(state: JSON, requests: list[DeviceRequest], text: str) -> None:
    assert told(state, *requests) == text


SHARING = nas("node-2", 2, sharing=["TimeSliced"])
FULL = named(
    named(SHARING, "uid-a", "a", 0, share=(0, 2)), "uid-b", "b", 0, share=(1, 2)
)  # the first device; the second is free


@pytest.mark.parametrize(
    ("state", "requests", "text"),
    [
        pytest.param(
            named(FULL, "uid-x", "x", 1),
            [share(1)],
            "nearest is node-2, with 0 of 1 share of devices with at most 2 clients free; the rest "
            "is held by claim default/a, claim default/b, claim default/x",
            id="full and alone",
        ),
        pytest.param(FULL, [share(1)], "", id="room on the free device"),
        pytest.param(
            named(named(SHARING, "uid-a", "a", 0, share=(0, 2)), "uid-x", "x", 1),
            [share(2)],
            "nearest is node-2, with 1 of 2 shares of devices with at most 2 clients free; the "
            "rest is held by claim default/x",
            id="who leaves room is not in the way",
        ),
        pytest.param(
            named(named(SHARING, "uid-a", "a", 0, share=(0, 1)), "uid-x", "x", 1, share=(0, 2)),
            [share(2, 4)],
            "nearest is node-2, with 1 of 2 shares of devices with at most 4 clients free; the "
            "rest is held by claim default/a",
            id="the smallest promise counts",
        ),
        pytest.param(
            named(SHARING, "uid-a", "a", 0, share=(0, 2)),
            [ask(2)],
            "nearest is node-2, with 1 of 2 devices free; the rest is held by claim default/a",
            id="clients hold a device that is wanted alone",
        ),
        pytest.param(
            named(named(SHARING, "uid-a", "a", 0, share=(0, 4)), "uid-x", "x", 1),
            [share(1, 4), ask(1, claim="uid-other")],
            "nearest is node-2, with 1 of 1 share of devices with at most 4 clients, 1 device "
            "free; the rest is held by claim default/a, claim default/x",
            id="both kinds",
        ),
        pytest.param(
            named(named(SHARING, "uid-a", "a", 0, share=(0, 2)), "uid-x", "x", 1),
            [share(1, claim="uid-p"), share(1, claim="uid-q")],
            "nearest is node-2, with 1 of 2 shares of devices with at most 2 clients free; the "
            "rest is held by claim default/a, claim default/x",
            id="room for one of two",
        ),
        pytest.param(named(SHARING, "uid-x", "x", 0, 1), [share(3)], "", id="never so many"),
        pytest.param(
            named(SHARING, "uid-x", "x", 0, 1), [share(1, offered="Y")], "", id="no such model"
        ),
        pytest.param(
            named(nas("node-2", 2), "uid-x", "x", 0, 1), [share(1)], "", id="nothing is shared here"
        ),
    ],
)
def test_what_a_node_lacks_where_devices_are_shared(
    state: JSON, requests: list[DeviceRequest], text: str
) -> None:
    assert told(state, *requests) == text


@pytest.mark.parametrize(
    ("state", "requests", "reserved", "text"),
    [
        pytest.param(
            nas("node-2", 2),
            [ask(2)],
            [AllocatedDevice(DeviceID("node-2-0"))],
            "1 of 2 devices free; the rest is held by other pods that are about to get 1 device",
            id="alone",
        ),
        pytest.param(
            SHARING,
            [ask(2)],
            [AllocatedDevice(DeviceID(f"node-2-{n}"), 0, Share(0, 2)) for n in range(2)],
            "0 of 2 devices free; the rest is held by other pods that are about to get 2 shares",
            id="shares of what is wanted alone",
        ),
        pytest.param(
            named(SHARING, "uid-a", "a", 0, share=(0, 2)),
            [share(2)],
            [AllocatedDevice(DeviceID("node-2-0"), 0, Share(1, 2))],
            "1 of 2 shares of devices with at most 2 clients free; the rest is held by claim "
            "default/a, other pods that are about to get 1 share",
            id="the last share",
        ),
        pytest.param(
            named(FULL, "uid-next", "next", 1),
            [ask(1)],
            [AllocatedDevice(DeviceID("node-2-1"))],
            "0 of 1 device free; the rest is held by claim default/a, claim default/b, claim "
            "default/next",
            id="got it by now",
        ),
    ],
)
def test_devices_that_others_are_about_to_get_are_no_claims_yet(
    state: JSON,
    requests: list[DeviceRequest],
    reserved: list[AllocatedDevice],
    text: str,
) -> None:
    found = told(state, *requests, reserved=about(*reserved))
    assert found == f"nearest is node-2, with {text}"


def test_room_that_is_left_is_no_miss_where_shares_are_about_to_be_given() -> None:
    given = about(AllocatedDevice(DeviceID("node-2-0"), 0, Share(0, 2)))
    assert missed(SHARING, share(2), reserved=given) is None


def test_what_is_not_needed_of_what_others_are_about_to_get_is_not_told() -> None:
    state = named(SHARING, "uid-x", "x", 1)
    given = about(AllocatedDevice(DeviceID("node-2-0"), 0, Share(0, 2)))
    assert told(state, share(2), reserved=given).endswith("held by claim default/x")


def test_what_a_claim_of_the_pod_has_is_not_held_by_others() -> None:
    state = named(nas("node-2", 2), "uid-claim", "claim", 0)
    assert missed(state, ask(1), ask(1, claim="uid-other")) is None


def test_the_nearest_stays_the_same_among_equals() -> None:
    states = [
        named(nas("c", 4), "uid-a", "a", 0, 1),
        named(nas("b", 4), "uid-b", "b", 3),
        named(nas("a", 4), "uid-c", "c", 2),
        named(nas("never", 3), "uid-d", "d", 0),
    ]
    supplies = [seen(each).supply() for each in states]
    for order in (supplies, supplies[::-1]):
        near = nearest(order, [ask(4)])
        assert near is not None
        assert (near.node, near.missing) == ("a", 1)
    assert nearest([], [ask(4)]) is None


def waiting(*objects: JSON) -> Rig:
    return Rig(
        pod("pod", (POD_CLAIM, "claim")),
        claim(),
        resource_class(),
        scheduling(potential=["node-1", "node-2"]),
        *objects,
    )


def test_a_pod_that_waits_hears_of_the_nearest_node_first() -> None:
    rig = waiting(
        named(nas("node-1", 1), "uid-gone", "gone", 0),
        named(nas("node-2", 1), "uid-held", "held", 0),
        used("held", "y"),
        used("gone", "z") | {"metadata": {**claim("gone")["metadata"], "uid": "another"}},
    )
    assert rig.handle(PSC) == "blocked"
    (text,) = {text for _, _, text in rig.told()}
    assert text == (
        "0 of 2 nodes can serve the claims; nearest is node-1, with 0 of 1 device free; the rest "
        "is held by claim default/gone; node-1, node-2: asked for 1 device, not free at present"
    )


def test_the_event_names_the_pod_and_no_age() -> None:
    rig = waiting(named(nas("node-2", 1), "uid-held", "held", 0), used("held", "y"))
    assert rig.handle(PSC) == "blocked"
    (text,) = {text for _, _, text in rig.told()}
    assert f"held by claim default/held (pod default/y) since {SINCE};" in text


def test_a_claim_that_says_itself_what_it_has_is_in_the_way() -> None:
    rig = waiting(nas("node-1", 1), told_by(used("held", "y"), "node-1-0"))
    assert rig.handle(PSC) == "blocked"
    (text,) = {text for _, _, text in rig.told()}
    assert text.startswith(
        "0 of 2 nodes can serve the claims; nearest is node-1, with 0 of 1 device free; the rest "
        f"is held by claim default/held (pod default/y) since {SINCE};"
    )


def test_an_immediate_claim_hears_it_too() -> None:
    rig = Rig(
        claim(mode="Immediate"),
        resource_class(),
        named(nas("node-2", 1), "uid-held", "held", 0),
        used("held", "y"),
    )
    rig.handle("claim:default/claim")
    (text,) = {text for _, _, text in rig.told()}
    assert f"held by claim default/held (pod default/y) since {SINCE};" in text


def test_holders_are_found_by_uid() -> None:
    entry = AllocatedClaim((), "default", "a")
    miss = Miss(NodeName("n"), 0, 1, "1 device", {ClaimUID("uid-a"): entry})
    asked: list[tuple[str, str]] = []

    def claim_of(uid: ClaimUID, found: AllocatedClaim) -> JSON:
        asked.append((uid, found.name))
        return used("a", "p")

    assert miss.told(claim_of).endswith(f"held by claim default/a (pod default/p) since {SINCE}")
    assert asked == [("uid-a", "a")]
