"""Devices that claims share: what the allocator gives, and what the controller makes of it."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.names import CLAIM_PARAMETERS_KIND
from api.nas import AllocatedDevice, Device, Share
from api.objects import JSON, ClaimUID, DeviceID, NodeName
from api.parameters import ClaimParameters, ClassParameters, DeviceSelector
from api.resources import CLAIM_PARAMETERS
from api.sharing import Clients, conflict
from controller.decide.allocator import DeviceRequest, Plan, Refusal, described, plan
from controller.decide.timeslices import SharedDevice
from tests.support.build import (
    POD_CLAIM,
    claim,
    device_claim,
    holding,
    nas,
    offering,
    opaque,
    pod,
    preparing,
    scheduling,
)
from tests.support.controllerrig import Rig

PSC = "psc:default/pod"


def device(number: int, model: str = "M") -> Device:
    return Device(DeviceID(f"d{number}"), model)


def request(claim: str, most: int | None = 2, count: int = 1, offered: str = "*") -> DeviceRequest:
    """Return a request of a class whose devices this many claims share; None is exclusive."""
    its_class = ClassParameters((DeviceSelector(name=offered),), max_clients=most)
    return DeviceRequest(ClaimUID(claim), ClaimParameters(count), its_class)


def shared(number: int, *promises: int, model: str = "M") -> SharedDevice:
    """Return a device with one client for each promise."""
    shares = itertools.starmap(Share, enumerate(promises))
    return SharedDevice(device(number, model), Clients.of(shares))


def told(planned: Plan | Refusal) -> dict[str, list[str]]:
    """Return what claims get as `device` or `device#client/promise`."""
    assert not isinstance(planned, Refusal), planned
    return {claim: [_told(each) for each in devices] for claim, devices in planned.items()}


def _told(each: AllocatedDevice) -> str:
    share = each.share
    return f"{each.id}#{share.client}/{share.max_clients}" if share else each.id


@pytest.mark.parametrize(
    ("free", "sharing", "requests", "expected"),
    [
        pytest.param([0], [], [request("x")], {"x": ["d0#0/2"]}, id="first-client"),
        pytest.param([], [shared(0, 2)], [request("x")], {"x": ["d0#1/2"]}, id="second-client"),
        pytest.param(
            [0], [shared(1, 2)], [request("x")], {"x": ["d1#1/2"]}, id="shared-devices-first"
        ),
        pytest.param(
            [0],
            [shared(1, 4), shared(2, 2)],
            [request("x", 2)],
            {"x": ["d2#1/2"]},
            id="the-same-promise-first",
        ),
        pytest.param([0], [shared(1, 2, 2)], [request("x")], {"x": ["d0#0/2"]}, id="others-full"),
        pytest.param(
            [0],
            [shared(1, 3, 3)],
            [request("x", 2)],
            {"x": ["d0#0/2"]},
            id="promised-fewer-than-there-are",
        ),
        pytest.param(
            [0],
            [shared(1, 4, 2)],
            [request("x", 4)],
            {"x": ["d0#0/4"]},
            id="others-were-promised-fewer",
        ),
        pytest.param(
            [0],
            [],
            [request("x"), request("y")],
            {"x": ["d0#0/2"], "y": ["d0#1/2"]},
            id="two-of-one-pod",
        ),
        pytest.param(
            [0, 1],
            [],
            [request("x"), request("y", None)],
            {"x": ["d0#0/2"], "y": ["d1"]},
            id="beside-an-exclusive-one",
        ),
        pytest.param(
            [0],
            [shared(1, 2)],
            [request("y", None), request("x")],
            {"x": ["d1#1/2"], "y": ["d0"]},
            id="exclusive-gets-the-whole-one",
        ),
        pytest.param(
            [0, 1],
            [],
            [request("x", count=2)],
            {"x": ["d0#0/2", "d1#0/2"]},
            id="one-claim-two-devices",
        ),
        pytest.param(
            [0, 1],
            [],
            [request("x"), request("x")],
            {"x": ["d0#0/2", "d1#0/2"]},
            id="two-requests-of-a-claim-two-devices",
        ),
    ],
)
def test_what_claims_get(
    free: list[int],
    sharing: list[SharedDevice],
    requests: list[DeviceRequest],
    expected: dict[str, list[str]],
) -> None:
    whole = [device(number) for number in free]
    offered = [*whole, *(each.device for each in sharing)]
    assert told(plan(whole, {}, requests, offered, sharing)) == expected


def test_a_client_gets_the_first_number_that_is_not_taken() -> None:
    left = SharedDevice(device(0), Clients.of([Share(0, 3), Share(2, 3)]))
    assert told(plan([], {}, [request("x", 3)], [left.device], [left])) == {"x": ["d0#1/3"]}


def test_a_claim_keeps_the_share_that_it_holds() -> None:
    held = {ClaimUID("x"): (AllocatedDevice(DeviceID("d0"), 0, Share(1, 2)),)}
    sharing = [SharedDevice(device(0), Clients.of([Share(1, 2)]))]
    planned = plan([], held, [request("x"), request("y")], [device(0)], sharing)
    assert told(planned) == {"x": ["d0#1/2"], "y": ["d0#0/2"]}


def test_people_are_told_which_client_a_claim_is() -> None:
    given = [AllocatedDevice(DeviceID("d0"), 0, Share(1, 2)), AllocatedDevice(DeviceID("d1"))]
    told = "2 devices of node n: d0 as client 1 of at most 2, d1"
    assert described(NodeName("n"), given) == told


NOW = "not free at present"


@pytest.mark.parametrize(
    ("free", "sharing", "requests", "reason", "message"),
    [
        pytest.param(
            [],
            [shared(0, 2, 2)],
            [request("x")],
            "TooFewFree",
            f"asked for 1 share of devices with at most 2 clients, {NOW}",
            id="full",
        ),
        pytest.param(
            [],
            [shared(0, 2)],
            [request("x", None)],
            "TooFewFree",
            f"asked for 1 device, {NOW}",
            id="exclusive-beside-a-client",
        ),
        pytest.param(
            [0],
            [],
            [request("x"), request("y", None)],
            "TooFewDevices",
            "asked for 1 share of devices with at most 2 clients, 1 device, which can never fit on "
            "a node of 1",
            id="shared-and-exclusive-on-one-device",
        ),
        pytest.param(
            [0],
            [],
            [request("x", count=2)],
            "TooFewDevices",
            "asked for 2 shares of devices with at most 2 clients, which can never fit on a node "
            "of 1",
            id="a-claim-wants-different-devices",
        ),
        pytest.param(
            [0],
            [],
            [request(name) for name in "xyz"],
            "TooFewDevices",
            "asked for 3 shares of devices with at most 2 clients, which can never fit on a node "
            "of 1",
            id="more-clients-than-may-be",
        ),
        pytest.param(
            [0, 1],
            [],
            [request("x", offered="B")],
            "NoMatchingModel",
            "asked for 1 share of devices with at most 2 clients that the class offers, the node "
            "has none (its models: M)",
            id="no-such-model",
        ),
        pytest.param(
            [0],
            [],
            [request("x", 1), request("y", 3)],
            "NoMatchingModel",
            "asked for 1 share of devices with at most 1 client, 1 share of devices with at most 3 "
            "clients, which can never fit together (its models: M)",
            id="promises-that-exclude-each-other",
        ),
    ],
)
def test_why_claims_get_nothing(
    free: list[int],
    sharing: list[SharedDevice],
    requests: list[DeviceRequest],
    reason: str,
    message: str,
) -> None:
    whole = [device(number) for number in free]
    offered = [*whole, *(each.device for each in sharing)]
    assert plan(whole, {}, requests, offered, sharing) == Refusal(reason, message)


def test_what_the_pod_holds_itself_is_no_reason_that_a_node_is_too_small_for_ever() -> None:
    held = {ClaimUID("x"): (AllocatedDevice(DeviceID("d0"), 0, Share(0, 2)),)}
    sharing = [shared(0, 2, 2)]
    refusal = plan([], held, [request("x"), request("y")], [device(0)], sharing)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "TooFewFree"


Held = Mapping[DeviceID, Sequence[tuple[ClaimUID, Share | None]]]

promises = st.none() | st.integers(1, 3)
nodes = st.lists(
    st.tuples(st.sampled_from("AB"), st.lists(st.integers(1, 3), max_size=2)), max_size=4
)
asked = st.lists(
    st.tuples(
        st.sampled_from("xyz"), promises, st.integers(1, 2), st.sampled_from(["*", "A", "B"])
    ),
    min_size=1,
    max_size=3,
)


@given(nodes, asked)
def test_a_plan_is_found_exactly_when_there_is_one_and_breaks_no_promise(
    made: list[tuple[str, list[int]]], wanted: list[tuple[str, int | None, int, str]]
) -> None:
    devices = [shared(n, *clients, model=model) for n, (model, clients) in enumerate(made)]
    before = {
        each.device.id: [
            (ClaimUID(f"before{client}"), Share(client, promise))
            for client, promise in enumerate(clients)
        ]
        for each, (_, clients) in zip(devices, made, strict=True)
        if conflict([Share(n, promise) for n, promise in enumerate(clients)]) is None
    }
    known = [each for each in devices if each.device.id in before]
    free = [each.device for each in known if not each.clients.count]
    sharing = [each for each in known if each.clients.count]
    requests = [request(*each) for each in wanted]
    offered = [each.device for each in known]
    planned = plan(free, {}, requests, offered, sharing)
    assert planned == plan(free, {}, requests, offered, sharing), "not deterministic"
    if isinstance(planned, Refusal):
        assert not _solvable(requests, offered, before)
        return
    after = defaultdict(list, {device: list(held) for device, held in before.items()})
    for uid, given_out in planned.items():
        for each in given_out:
            after[each.id].append((uid, each.share))
    assert not _broken(after)
    for uid in {each.claim for each in requests}:
        mine = [each for each in requests if each.claim == uid]
        assert len(planned[uid]) == sum(each.wanted.count for each in mine)


def _broken(held: Held) -> bool:
    """Tell whether a device is given out too often, or twice to one claim."""
    return any(
        conflict([share for _, share in each]) or len({uid for uid, _ in each}) < len(each)
        for each in held.values()
    )


def _solvable(requests: Sequence[DeviceRequest], offered: list[Device], before: Held) -> bool:
    """Try everything."""
    options = [
        [
            chosen
            for chosen in itertools.combinations(offered, each.wanted.count)
            if all(each.admits(device) for device in chosen)
        ]
        for each in requests
    ]
    return any(not _broken(_after(requests, chosen, before)) for chosen in _product(options))


def _product(options: list[list[tuple[Device, ...]]]) -> Iterable[tuple[tuple[Device, ...], ...]]:
    return itertools.product(*options)


def _after(
    requests: Sequence[DeviceRequest], chosen: tuple[tuple[Device, ...], ...], before: Held
) -> Held:
    after = {device: list(held) for device, held in before.items()}
    number = itertools.count(100)
    for each, devices in zip(requests, chosen, strict=True):
        for device in devices:
            most = each.max_clients
            share = None if most is None else Share(next(number), most)
            after[device.id].append((each.claim, share))
    return after


SLICED = {"sharing": "TimeSliced", "maxClients": 2}
OFFERS = {"sharing": ["TimeSliced"]}


def waiting(state: JSON, *objects: JSON, version: str = "v1alpha2") -> Rig:
    """Return a controller with a pod that waits for a claim of a time-sliced class."""
    made = objects or [device_claim() if version == "v1alpha3" else claim()]
    known = [pod("pod", (POD_CLAIM, "claim")), *made, *offering(version, **SLICED), state]
    selected = scheduling(potential=["node-1"], selected="node-1")
    return Rig(*known, selected, version=version)


def entry(rig: Rig, uid: str = "uid-claim") -> JSON:
    found: JSON = rig.nas()["spec"].get("allocatedClaims", {}).get(uid, {})
    return found.get("fake", {})


@pytest.mark.parametrize("version", ["v1alpha2", "v1alpha3"])
def test_a_claim_of_a_time_sliced_class_joins_another(version: str) -> None:
    rig = waiting(holding(nas(devices=1, **OFFERS), "u", 0, share=(0, 2)), version=version)
    rig.handle(PSC)
    share = {"client": 1, "maxClients": 2}
    assert entry(rig) == {"devices": [{"uuid": "node-1-0", "timeSliced": share}]}
    shown = [{"uuid": "node-1-0", "clients": 2, "maxClients": 2}]
    assert rig.nas()["summary"] == {"devices": 1, "free": 0, "used": 1, "shared": shown}
    assert rig.claim()["status"]["reservedFor"]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        pytest.param(
            holding(holding(nas(devices=1, **OFFERS), "u", 0, share=(0, 2)), "v", 0, share=(1, 2)),
            "not free at present",
            id="full",
        ),
        pytest.param(
            holding(nas(devices=1, **OFFERS), "u", 0), "not free at present", id="exclusive-claim"
        ),
        pytest.param(
            preparing(nas(devices=1, **OFFERS), "u", 0), "not free at present", id="still-prepared"
        ),
        pytest.param(
            preparing(
                holding(nas(devices=1, **OFFERS), "u", 0, share=(0, 2)), "v", 0, share=(1, 2)
            ),
            "not free at present",
            id="a-share-still-prepared",
        ),
        pytest.param(nas(devices=1), "too old to record that claims share devices", id="too-old"),
        pytest.param(
            nas(devices=1, sharing=["Other"]), "too old to record", id="another-strategy-only"
        ),
    ],
)
def test_a_claim_of_a_time_sliced_class_is_refused(state: JSON, reason: str) -> None:
    rig = waiting(state)
    rig.handle(PSC)
    assert entry(rig) == {}
    ((_, _, message), *_) = rig.told()
    assert reason in message


def test_what_a_claim_holds_is_not_taken_from_it_when_its_class_changes() -> None:
    state = holding(nas(devices=1, **OFFERS), "uid-claim", 0)
    rig = waiting(state)
    rig.handle(PSC)
    assert entry(rig) == {"devices": [{"uuid": "node-1-0"}]}
    assert rig.claim()["status"]["reservedFor"]


@pytest.mark.parametrize("version", ["v1alpha2", "v1alpha3"])
def test_devices_that_claims_share_are_not_split(version: str) -> None:
    rig = splitting(version)
    rig.handle(PSC)
    assert entry(rig) == {}
    kind = "DeviceClass" if version == "v1alpha3" else "ResourceClass"
    text = (
        "FakeClaimParameters of ResourceClaim default/claim is invalid: spec.split: Devices of "
        f"{kind} my-class are TimeSliced, which claims share whole; leave it out, or use a class "
        "with sharing Exclusive."
    )
    assert ("ResourceClaim", "InvalidParameters", text) in rig.told()


def splitting(version: str) -> Rig:
    """Return a controller with a claim that wants to split devices of a time-sliced class."""
    if version == "v1alpha3":
        config = [opaque(CLAIM_PARAMETERS_KIND, split=2)]
        return waiting(nas(**OFFERS), device_claim(config=config), version=version)
    ref = {"apiGroup": CLAIM_PARAMETERS.group, "kind": CLAIM_PARAMETERS_KIND, "name": "halves"}
    parameters = {
        "apiVersion": CLAIM_PARAMETERS.api_version,
        "kind": CLAIM_PARAMETERS_KIND,
        "metadata": {"name": "halves", "namespace": "default", "uid": "uid-halves"},
        "spec": {"split": 2},
    }
    return waiting(nas(**OFFERS), claim(parametersRef=ref), parameters)
