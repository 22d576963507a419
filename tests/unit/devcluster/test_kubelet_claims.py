"""The DRA manager: which calls a driver gets, and what the kubelet makes of the answers."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.contract import FAKE
from api.objects import JSON
from api.pods import Pod
from devcluster.kubelet.checkpoint import ClaimInfo, Handle
from devcluster.kubelet.dialect import DIALECTS
from devcluster.kubelet.draclient import Answer, CdiDevice, ClaimRequest
from devcluster.kubelet.errors import PluginCallFailed, PrepareFailed, UnprepareFailed
from tests.support.build import allocated, claim, owned, pod, reserved
from tests.support.claimrig import FakeDriver, Node, one_device_each, ready, using


def test_a_claim_is_prepared_with_its_handle_and_its_devices_are_known(tmp_path: Path) -> None:
    made = ready()
    made["status"]["allocation"]["resourceHandles"] = [
        {"driverName": FAKE.driver_name, "data": "d"}
    ]
    node = Node(tmp_path, made)
    consumer = using("pod", "claim")
    node.manager.prepare(consumer)
    assert node.driver.calls == [("prepare", [ClaimRequest("default", "uid-claim", "claim", "d")])]
    assert node.manager.devices(consumer, consumer.raw["spec"]["containers"][0]) == (
        "cdi/dev=uid-claim",
    )
    assert node.manager.pods() == {"uid-pod"}


def test_all_claims_of_a_driver_are_one_batch_and_each_handle_one_entry(tmp_path: Path) -> None:
    first, second = ready("one"), ready("two")
    handles = [{"driverName": FAKE.driver_name, "data": "x"}, {"driverName": "other", "data": "y"}]
    second["status"]["allocation"]["resourceHandles"] = handles
    node = Node(tmp_path, first, second)
    node.drivers["other"] = other = FakeDriver()
    node.manager.prepare(using("pod", "one", "two"))
    assert node.driver.uids == [("prepare", ["uid-one", "uid-two"])]
    assert other.uids == [("prepare", ["uid-two"])]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda c: {}, "failed to fetch ResourceClaim claim"),
        (lambda c: {"claim": ready("claim", "another")}, "is not allowed to use resource claim"),
        (lambda c: {"claim": reserved(claim())}, "is not allocated"),
        (lambda c: {"claim": allocated(claim())}, "is not allowed to use resource claim"),
    ],
    ids=["missing", "reserved-for-another", "not-allocated", "not-reserved"],
)
def test_a_claim_that_the_pod_may_not_use_leads_to_no_call(
    tmp_path: Path, change: Any, text: str
) -> None:
    node = Node(tmp_path, ready())
    node.claims = change(node.claims)
    with pytest.raises(PrepareFailed, match=text):
        node.manager.prepare(using("pod", "claim"))
    assert node.driver.calls == []


def from_template(entry: JSON, made: str | None) -> Pod:
    raw = pod("pod", containers=[{"name": "main", "resources": {"claims": [{"name": "gpu"}]}}])
    raw["spec"]["resourceClaims"] = [entry]
    if made is not None:
        raw["status"] = {"resourceClaimStatuses": [{"name": "gpu", "resourceClaimName": made}]}
    return Pod(raw)


TEMPLATE = {"name": "gpu", "source": {"resourceClaimTemplateName": "t"}}


def test_a_claim_made_from_a_template_must_be_the_pods_own(tmp_path: Path) -> None:
    node = Node(tmp_path, ready())
    with pytest.raises(PrepareFailed, match="pod is not owner"):
        node.manager.prepare(from_template(TEMPLATE, "claim"))
    node.claims["claim"] = owned(ready())
    node.manager.prepare(from_template(TEMPLATE, "claim"))
    assert node.driver.uids == [("prepare", ["uid-claim"])]


def test_a_claim_that_the_pods_status_does_not_name_yet(tmp_path: Path) -> None:
    node = Node(tmp_path)
    with pytest.raises(PrepareFailed, match="does not name it yet"):
        node.manager.prepare(from_template(TEMPLATE, None))


def test_a_claim_that_is_deliberately_not_there_needs_no_call(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.manager.prepare(from_template(TEMPLATE, ""))
    assert node.driver.calls == []


@pytest.mark.parametrize(
    ("minor", "called"), [("1.27", []), ("1.30", []), ("1.31", [("prepare", ["uid-claim"])])]
)
def test_a_claim_that_no_container_uses(
    tmp_path: Path, minor: str, called: list[tuple[str, list[str]]]
) -> None:
    node = Node(tmp_path, ready(), dialect=DIALECTS[minor])
    node.manager.prepare(using("pod", unused=["claim"]))
    assert node.driver.uids == called


def test_a_prepared_claim_is_not_prepared_again_but_gets_another_user(tmp_path: Path) -> None:
    node = Node(tmp_path, ready("claim", "a", "b"))
    node.manager.prepare(using("a", "claim"))
    node.manager.prepare(using("b", "claim"))
    assert node.driver.uids == [("prepare", ["uid-claim"])]
    assert node.manager.pods() == {"uid-a", "uid-b"}


def test_an_earlier_kubelets_claim_is_prepared_again(tmp_path: Path) -> None:
    node = Node(tmp_path, ready())
    node.manager.prepare(using("pod", "claim"))
    node.restart()
    assert node.manager.pods() == {"uid-pod"}
    node.manager.prepare(using("pod", "claim"))
    assert node.driver.uids == [("prepare", ["uid-claim"])] * 2


def fails(_claims: Sequence[ClaimRequest]) -> dict[str, Answer]:
    raise PluginCallFailed("rpc failed: code = DEADLINE_EXCEEDED")


BAD_ANSWERS = pytest.mark.parametrize(
    ("answers", "text"),
    [
        (fails, "DEADLINE_EXCEEDED"),
        (lambda claims: {}, "left out 1 claims"),
        (lambda claims: {"other": Answer()}, "result for unknown claim UID other"),
        (
            lambda claims: {"uid-claim": Answer(error="no device")},
            "failed for claim default/claim: no device",
        ),
    ],
    ids=["timeout", "empty", "unknown-uid", "error"],
)


@BAD_ANSWERS
def test_a_bad_answer_to_prepare_is_an_error_and_tried_again(
    tmp_path: Path, answers: Any, text: str
) -> None:
    node = Node(tmp_path, ready())
    node.driver.answers = answers
    with pytest.raises(PrepareFailed, match=text):
        node.manager.prepare(using("pod", "claim"))
    node.driver.answers = one_device_each
    node.manager.prepare(using("pod", "claim"))
    assert node.driver.uids == [("prepare", ["uid-claim"])] * 2


@BAD_ANSWERS
def test_a_bad_answer_to_unprepare_keeps_the_claim_held(
    tmp_path: Path, answers: Any, text: str
) -> None:
    node = Node(tmp_path, ready())
    node.manager.prepare(using("pod", "claim"))
    node.driver.answers = answers
    with pytest.raises(UnprepareFailed, match=text):
        node.manager.unprepare("uid-pod")
    assert node.manager.pods() == {"uid-pod"}
    node.driver.answers = one_device_each
    node.manager.unprepare("uid-pod")
    assert node.manager.pods() == set()
    assert node.checkpoint.load() == []


def test_an_empty_entry_is_prepared_without_devices(tmp_path: Path) -> None:
    node = Node(tmp_path, ready())
    node.driver.answers = lambda claims: {c.uid: Answer() for c in claims}
    consumer = using("pod", "claim")
    node.manager.prepare(consumer)
    node.manager.prepare(consumer)
    assert node.driver.uids == [("prepare", ["uid-claim"])]
    assert node.manager.devices(consumer, consumer.raw["spec"]["containers"][0]) == ()


def test_a_claim_of_the_same_name_and_another_uid_is_refused(tmp_path: Path) -> None:
    node = Node(tmp_path, ready())
    node.manager.prepare(using("pod", "claim"))
    node.claims["claim"]["metadata"]["uid"] = "uid-new"
    with pytest.raises(PrepareFailed, match="different UID uid-claim"):
        node.manager.prepare(using("pod", "claim"))
    assert node.driver.uids == [("prepare", ["uid-claim"])]


def test_an_unknown_driver_is_an_error_until_it_registers(tmp_path: Path) -> None:
    node = Node(tmp_path, ready())
    node.drivers.clear()
    with pytest.raises(PrepareFailed, match=f"plugin name {FAKE.driver_name} not found"):
        node.manager.prepare(using("pod", "claim"))
    node.drivers[FAKE.driver_name] = node.driver
    node.manager.prepare(using("pod", "claim"))
    assert node.driver.uids == [("prepare", ["uid-claim"])]


def test_unprepare_without_the_driver_keeps_the_claim(tmp_path: Path) -> None:
    node = Node(tmp_path, ready())
    node.manager.prepare(using("pod", "claim"))
    node.drivers.clear()
    with pytest.raises(UnprepareFailed, match="not found in the list of registered"):
        node.manager.unprepare("uid-pod")
    assert node.manager.pods() == {"uid-pod"}


def test_only_the_last_user_of_a_claim_unprepares_it(tmp_path: Path) -> None:
    node = Node(tmp_path, ready("claim", "a", "b"))
    for name in ("a", "b"):
        node.manager.prepare(using(name, "claim"))
    node.manager.unprepare("uid-a")
    assert node.driver.uids[1:] == []
    node.manager.unprepare("uid-b")
    assert node.driver.uids[1:] == [("unprepare", ["uid-claim"])]


def test_an_earlier_kubelets_claim_is_unprepared_even_if_it_is_deleted(tmp_path: Path) -> None:
    node = Node(tmp_path, ready())
    node.manager.prepare(using("pod", "claim"))
    node.claims.clear()
    node.restart()
    node.manager.unprepare("uid-pod")
    assert node.driver.uids[1:] == [("unprepare", ["uid-claim"])]
    assert node.checkpoint.load() == []


def test_unprepare_of_what_was_never_prepared_is_no_call(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.manager.unprepare("uid-pod")
    assert node.driver.calls == []


def test_a_claim_is_recorded_before_its_driver_is_called(tmp_path: Path) -> None:
    node = Node(tmp_path, ready())
    seen: list[ClaimInfo] = []

    def answers(claims: Sequence[ClaimRequest]) -> dict[str, Answer]:
        seen.extend(node.checkpoint.load())
        return one_device_each(claims)

    node.driver.answers = answers
    node.manager.prepare(using("pod", "claim"))
    recorded = ClaimInfo(
        "default", "claim", "uid-claim", (Handle(FAKE.driver_name),), frozenset({"uid-pod"})
    )
    assert seen == [recorded]
    devices = {FAKE.driver_name: (CdiDevice("cdi/dev=uid-claim"),)}
    assert node.checkpoint.load() == [replace(recorded, devices=devices)]


@pytest.mark.parametrize(("minor", "fits"), [("1.30", False), ("1.31", True)])
def test_a_driver_name_too_long_for_the_annotation(tmp_path: Path, minor: str, fits: bool) -> None:
    """The annotation has driver and claim uid in its key; 1.31 does without it."""
    name = "a-driver-with-a-very-long-name.of-a-company.example.com"
    made = allocated(claim(), driver=name)
    made["status"]["reservedFor"] = ready()["status"]["reservedFor"]
    if minor == "1.31":
        made["status"]["allocation"] = {"devices": {"results": [{"driver": name}]}}
    node = Node(tmp_path, made, dialect=DIALECTS[minor])
    node.drivers[name] = node.driver
    if fits:
        node.manager.prepare(using("pod", "claim"))
        return
    with pytest.raises(PrepareFailed, match="at most 26"):
        node.manager.prepare(using("pod", "claim"))
