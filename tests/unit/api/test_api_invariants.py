"""What counts as a violation, in both versions of claims."""

from collections.abc import Callable

import pytest

from api.claims.versions import read_claim
from api.contract import FAKE
from api.handles import with_claims
from api.invariants import (
    Fault,
    NodeFiles,
    Violation,
    check,
    check_files,
    whole,
)
from api.names import PREPARED_ANNOTATION
from api.nas import AllocatedDevice, PreparedDevice, parse_nas
from api.objects import JSON, ClaimUID, DeviceID
from tests.support.build import (
    allocated,
    claim,
    deallocating,
    deleted,
    device_allocated,
    device_claim,
    finalized,
    holding,
    nas,
    preparing,
    told,
)

UID = ClaimUID("uid-claim")
HELD = holding(nas(), UID, 0)
READY = holding(preparing(nas(), UID, 0), UID, 0)
MADE = finalized(allocated(claim()))
TOLD = finalized(told(claim(), "node-1-0"))


def kinds(states: list[JSON], claims: list[JSON]) -> list[Fault]:
    found = check(
        [parse_nas(s, FAKE.device_key) for s in states], [read_claim(c) for c in claims], FAKE
    )
    return [violation.kind for violation in found]


def split(*children: str) -> JSON:
    devices = [{"uuid": child, "parentUUID": "node-1-0"} for child in children]
    state = preparing(HELD, UID, 0)
    state["spec"]["allocatedClaims"][UID] = {
        "fake": {"devices": [{"uuid": "node-1-0", "split": 2}]}
    }
    state["spec"]["preparedDevices"] = {UID: {"fake": {"devices": devices}}}
    return state


@pytest.mark.parametrize(
    ("states", "claims", "expected"),
    [
        ([nas()], [], []),
        ([READY], [MADE], []),
        ([HELD], [finalized(device_allocated(device_claim()))], []),
        ([split("x", "y")], [MADE], []),
        ([nas()], [allocated(claim(), driver="other")], []),
        ([nas()], [deleted(MADE)], []),
        ([nas()], [deallocating(MADE)], []),
        ([HELD], [], [Fault.ORPHANED]),
        ([HELD], [finalized(claim())], [Fault.ABANDONED]),
        ([HELD], [claim()], [Fault.UNPROTECTED]),
        ([HELD], [finalized(allocated(claim(), driver="other"))], [Fault.MISPLACED]),
        ([nas()], [MADE], [Fault.LOST]),
        ([], [MADE], [Fault.LOST]),
        (
            [HELD, holding(nas("node-2"), UID, 0)],
            [finalized(allocated(claim(), "node-2"))],
            [Fault.MISPLACED],
        ),
        ([preparing(nas(), UID, 0)], [claim()], [Fault.NOT_ALLOCATED]),
        ([holding(preparing(nas(), UID, 1), UID, 0)], [MADE], [Fault.WRONG_CHILDREN]),
        ([split("x")], [MADE], [Fault.WRONG_CHILDREN]),
        ([split("x", "x")], [MADE], [Fault.WRONG_CHILDREN]),
        ([holding(nas(devices=1), UID, 1)], [MADE], [Fault.NOT_OFFERED]),
        (
            [holding(HELD, "uid-other", 0)],
            [MADE, finalized(allocated(claim("other")))],
            [Fault.DEVICE_SHARED],
        ),
        ([nas()], [TOLD], []),
        ([preparing(nas(), UID, 0)], [TOLD], []),
        ([preparing(nas(), UID, 1)], [TOLD], [Fault.WRONG_CHILDREN]),
        ([nas()], [told(claim(), "node-1-0")], [Fault.UNPROTECTED]),
        ([nas(devices=0)], [TOLD], [Fault.NOT_OFFERED]),
        (
            [holding(nas(), "uid-other", 0)],
            [TOLD, finalized(allocated(claim("other")))],
            [Fault.DEVICE_SHARED],
        ),
    ],
    ids=[
        "empty",
        "prepared",
        "allocated in 1.31",
        "split",
        "another driver's",
        "deleted, not freed yet",
        "deallocated, not freed yet",
        "claim gone",
        "never completed",
        "no finalizer",
        "taken over by another driver",
        "entry lost",
        "state lost",
        "on two nodes",
        "prepared only",
        "prepared another device",
        "a child too few",
        "the same child twice",
        "device gone",
        "device in two claims",
        "said by the claim",
        "said by the claim, prepared",
        "said by the claim, prepared another device",
        "said by the claim, no finalizer",
        "said by the claim, device gone",
        "device in two claims, one of which says so",
    ],
)
def test_states_and_claims(states: list[JSON], claims: list[JSON], expected: list[Fault]) -> None:
    assert kinds(states, claims) == expected


def clients(*shares: tuple[int, int] | None, prepared: tuple[int, int] | None = None) -> JSON:
    """Return a node whose device 0 is held by one claim for each client number and promise."""
    state = nas()
    for number, share in enumerate(shares):
        state = holding(state, f"uid-c{number}", 0, share=share)
    return preparing(state, "uid-c0", 0, share=prepared) if prepared else state


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(clients((0, 2), (1, 2)), [], id="as-many-as-promised"),
        pytest.param(clients((0, 4), (1, 2)), [], id="as-many-as-the-smaller-promise"),
        pytest.param(clients((3, 4), (0, 2)), [], id="a-number-beyond-the-smaller-promise"),
        pytest.param(clients((0, 4), (1, 2), (2, 4)), [Fault.DEVICE_SHARED], id="one-too-many"),
        pytest.param(clients((1, 2), (1, 2)), [Fault.DEVICE_SHARED], id="the-same-client"),
        pytest.param(clients((0, 2), None), [Fault.DEVICE_SHARED], id="beside-an-exclusive-one"),
        pytest.param(clients((0, 2), (1, 2), prepared=(0, 2)), [], id="prepared"),
        pytest.param(
            clients((0, 2), (1, 2), prepared=(1, 2)),
            [Fault.WRONG_CHILDREN],
            id="prepared-as-another-client",
        ),
    ],
)
def test_a_device_has_no_more_clients_than_each_was_promised(
    state: JSON, expected: list[Fault]
) -> None:
    held = state["spec"]["allocatedClaims"]
    made = [finalized(allocated(claim(uid.removeprefix("uid-")))) for uid in held]
    assert kinds([state], made) == expected


DEVICES = (PreparedDevice(DeviceID("node-1-0")),)
NOBODY = ClaimUID("")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (NodeFiles({UID: DEVICES}), []),
        (NodeFiles(None), [(Fault.CHECKPOINT_CORRUPT, NOBODY)]),
        (NodeFiles({UID: DEVICES}, missing=(UID,)), [(Fault.FILE_MISSING, UID)]),
        (NodeFiles({UID: DEVICES}, wrong=(UID,)), [(Fault.FILE_WRONG, UID)]),
        (NodeFiles({UID: DEVICES}, surplus=("x",)), [(Fault.FILE_SURPLUS, NOBODY)]),
        (NodeFiles({}), [(Fault.PREPARED_DIFFERS, UID)]),
    ],
    ids=["right", "corrupt", "missing", "wrong", "surplus", "differs"],
)
def test_files(files: NodeFiles, expected: list[tuple[Fault, ClaimUID]]) -> None:
    found = check_files(parse_nas(READY, FAKE.device_key), files)
    assert [(violation.kind, violation.claim) for violation in found] == expected


@pytest.mark.parametrize(
    ("prepared", "expected"),
    [({UID: DEVICES}, []), ({ClaimUID("x"): DEVICES}, [(Fault.NOT_ALLOCATED, ClaimUID("x"))])],
    ids=["right", "of a claim that has none"],
)
def test_files_of_a_plugin_that_shows_nothing(
    prepared: dict[ClaimUID, tuple[PreparedDevice, ...]],
    expected: list[tuple[Fault, ClaimUID]],
) -> None:
    raw = nas()
    raw["metadata"]["annotations"] = {PREPARED_ANNOTATION: "checkpoint"}
    state = with_claims(parse_nas(raw, FAKE.device_key), [read_claim(TOLD)], FAKE)
    found = check_files(state, NodeFiles(prepared))
    assert [(violation.kind, violation.claim) for violation in found] == expected


def test_whole_devices_of_prepared_ones() -> None:
    parent, lone = DeviceID("p"), DeviceID("d")
    prepared = [PreparedDevice(DeviceID(c), parent) for c in "xy"] + [PreparedDevice(lone)]
    assert whole(prepared) == (AllocatedDevice(parent, 2), AllocatedDevice(lone))


@pytest.mark.parametrize(
    "make", [lambda: check([parse_nas(HELD, FAKE.device_key)], [], FAKE)], ids=["orphan"]
)
def test_a_violation_says_what_and_what_to_do(make: Callable[[], list[Violation]]) -> None:
    (violation,) = make()
    assert UID in violation.message
    assert "fsck --repair" in violation.remedy
    assert violation.node == "node-1"


def by_name(operator: str, *values: str) -> JSON:
    return {"matchFields": [{"key": "metadata.name", "operator": operator, "values": [*values]}]}


@pytest.mark.parametrize(
    ("terms", "node"),
    [
        pytest.param([by_name("In", "a", "b")], "a", id="several"),
        pytest.param([by_name("In", "a"), by_name("In", "b")], "a", id="alternatives"),
        pytest.param([by_name("NotIn", "a")], None, id="all-but-one"),
        pytest.param(
            [{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}], None, id="zone"
        ),
        pytest.param([{"matchFields": None}], None, id="null"),
        pytest.param(None, None, id="every-node"),
    ],
)
def test_an_allocation_is_on_the_node_that_it_names(
    terms: list[JSON] | None, node: str | None
) -> None:
    selector = {"availableOnNodes": {"nodeSelectorTerms": terms}}
    status = {"driverName": FAKE.driver_name, "allocation": {"shareable": True, **selector}}
    assert read_claim({**claim(), "status": status}).node(FAKE.driver_name) == node
