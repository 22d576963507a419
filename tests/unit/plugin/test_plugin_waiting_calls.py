"""Calls of the kubelet that come while something is away for a moment, over a real socket."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from api.objects import ClaimUID
from api.resources import DRA_V1ALPHA2, NODES, STATES
from dra.claims import ClaimRef
from dra.kubelet.protocol import dra_v1alpha3_pb2 as batch
from dra.kubelet.wire import usable
from dra.patience import Patience
from kube import deadlines
from kube.calls import Patch
from kube.errors import Conflict, ConnectFailed, KubeError, ReadTimeout, ServerError
from testing.kubeletcalls import V1ALPHA2, V1ALPHA4, KubeletCalls
from testing.waiting import until
from tests.support.build import allocated, claim
from tests.support.pluginrig import PluginRig, node_object

OUTAGE_SECONDS = 1.0


class Skipping(threading.local):
    """Time that passes by itself, and at once for the thread that waits."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.skipped

    def sleep(self, seconds: float) -> None:
        self.skipped += seconds


class Node:
    """A plugin that waits, with a kubelet's connection to it."""

    calls: KubeletCalls

    def __init__(self, root: Path) -> None:
        self.clock = Skipping()
        self.ending = False
        self.rig = PluginRig(root, patience=Patience(self._sleep, clock=self.clock))
        self.socket = self.rig.socket

    def outage(self, *faults: KubeError, of: str = "") -> None:
        """Have a second of faults from the first request on, of one verb or of all."""
        begun: list[float] = []
        kinds = iter(faults)

        def fault(verb: str, _plural: str, _body: Patch | None) -> KubeError | None:
            if of not in ("", verb):
                return None
            now = self.clock()
            begun.append(now)
            return next(kinds, faults[-1]) if now - begun[0] < OUTAGE_SECONDS else None

        self.rig.api.fault = fault

    def counted(self, verb: str, result: str) -> float | None:
        name = f"fake_dra_plugin_{verb}_claims_total"
        return self.rig.registry.get_sample_value(name, {"result": result})

    def _sleep(self, seconds: float) -> bool:
        self.clock.sleep(seconds)
        return self.ending


@pytest.fixture
def node(short_path: Path) -> Iterator[Node]:
    made = Node(short_path)
    with made.rig.serving() as made.calls:
        yield made


AWAY = ConnectFailed("away")
UNAVAILABLE = ServerError(503, "ServiceUnavailable")
CONFLICT = Conflict(409, "Conflict")


@pytest.mark.parametrize(
    ("faults", "of"),
    [
        pytest.param([AWAY], "", id="nothing answers"),
        pytest.param([UNAVAILABLE], "patch", id="writes are refused"),
        pytest.param([ReadTimeout("late")], "patch", id="answers do not come"),
        pytest.param([CONFLICT], "patch", id="others write faster"),
        pytest.param([AWAY, UNAVAILABLE, CONFLICT], "", id="by turns"),
    ],
)
def test_outage_of_a_second_costs_no_failed_prepare(
    node: Node, faults: list[KubeError], of: str
) -> None:
    refs = [node.rig.allocate("a", 0), node.rig.allocate("b", 1, split=2)]
    node.rig.see()
    node.outage(*faults, of=of)
    answers = node.calls.prepare(*refs)
    assert [answers[ref.uid].error for ref in refs] == ["", ""]
    assert [len(answers[ref.uid].cdi_devices) for ref in refs] == [2, 3]
    node.rig.assert_agreed()
    node.rig.events.warning.assert_not_called()
    assert (node.counted("prepare", "success"), node.counted("prepare", "error")) == (2, 0)


def test_outage_of_a_second_costs_kubelet_1_27_nothing_either(node: Node) -> None:
    ref = node.rig.allocate("a", 0)
    node.outage(AWAY)
    assert len(node.calls.prepare(ref, by=V1ALPHA2)[ref.uid].cdi_devices) == 2
    node.outage(AWAY)
    node.calls.unprepare(ref, by=V1ALPHA2)
    assert node.rig.saved() == node.rig.shown() == {}


def test_outage_of_a_second_costs_no_failed_unprepare(node: Node) -> None:
    ref = node.rig.allocate("a", 0)
    node.calls.prepare(ref)
    node.outage(AWAY)
    assert node.calls.unprepare(ref) == {ref.uid: ""}
    assert node.rig.saved() == node.rig.shown() == {}
    assert (node.counted("unprepare", "success"), node.counted("unprepare", "error")) == (1, 0)


def test_kubelet_of_1_31_is_waited_for(node: Node) -> None:
    """A Node that has just registered tells its version a moment later."""
    ref = node.rig.allocate("a", 0)
    node.rig.api.put(NODES, node_object(""))
    looks: list[str] = []

    def registers(_verb: str, plural: str, _body: Patch | None) -> None:
        looks.append(plural)
        if looks.count(NODES.plural) == 2:
            node.rig.api.put(NODES, node_object("v1.31.2"))

    node.rig.api.fault = registers
    assert len(node.calls.prepare(ref, by=V1ALPHA4)[ref.uid].devices) == 1


def test_allocation_that_comes_a_moment_later_is_waited_for(node: Node) -> None:
    node.rig.api.put(DRA_V1ALPHA2.claims, allocated(claim("a")))
    ref = ClaimRef("default", "a", "uid-a")  # type: ignore[arg-type]
    looks: list[str] = []

    def restores(_verb: str, plural: str, _body: Patch | None) -> None:
        looks.append(plural)
        if looks.count(STATES.plural) == 2:
            node.rig.allocate("a", 3)

    node.rig.api.fault = restores
    answer = node.calls.prepare(ref)[ref.uid]
    assert (answer.error, len(answer.cdi_devices)) == ("", 2)
    node.rig.assert_agreed()


def test_device_of_a_claim_that_is_being_unprepared_is_waited_for(node: Node) -> None:
    holder = node.rig.allocate("holder", 0)
    node.calls.prepare(holder)
    node.rig.edit_nas({"allocatedClaims": {holder.uid: None}})
    ref = node.rig.allocate("a", 0)
    looks: list[str] = []

    def frees(_verb: str, plural: str, _body: Patch | None) -> None:
        looks.append(plural)
        if looks.count(DRA_V1ALPHA2.claims.plural) == 2:
            looks.append(DRA_V1ALPHA2.claims.plural)
            node.rig.driver.unprepare(holder)

    node.rig.api.fault = frees
    assert node.calls.prepare(ref)[ref.uid].error == ""
    assert node.rig.saved() == {ref.uid: [node.rig.device(0).id]}
    node.rig.assert_agreed()


def test_claim_that_waits_costs_the_others_of_its_call_nothing(node: Node) -> None:
    node.rig.api.put(DRA_V1ALPHA2.claims, allocated(claim("lost")))
    lost = ClaimRef("default", "lost", "uid-lost")  # type: ignore[arg-type]
    others = [node.rig.allocate("a", 0), node.rig.allocate("b", 1)]
    node.outage(AWAY)
    answers = node.calls.prepare(lost, *others)
    assert "has no devices in NodeAllocationState" in answers[lost.uid].error
    assert [answers[ref.uid].error for ref in others] == ["", ""]
    assert node.rig.events.warning.call_count == 1
    assert (node.counted("prepare", "success"), node.counted("prepare", "error")) == (2, 1)


def test_reason_is_told_before_the_call_is_over(node: Node) -> None:
    ref = node.rig.allocate("a", 0)
    asked: list[str] = []

    def fault(_verb: str, plural: str, _body: Patch | None) -> KubeError:
        asked.append(plural)
        return AWAY

    node.rig.api.fault = fault
    with pytest.raises(grpc.RpcError, match="away") as caught:
        node.calls.prepare(ref, by=V1ALPHA2)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert len(asked) > 3


def test_what_does_not_pass_fails_at_once(node: Node) -> None:
    ref = node.rig.allocate("a", 0)
    node.rig.api.calls.clear()
    gone = ClaimRef(ref.namespace, ref.name, ClaimUID("uid-none"))
    assert "was deleted and made anew" in node.calls.prepare(gone)[gone.uid].error
    assert [plural for _, plural, _ in node.rig.api.calls].count(DRA_V1ALPHA2.claims.plural) == 1


def test_plugin_that_ends_waits_no_longer(node: Node) -> None:
    ref = node.rig.allocate("a", 0)

    def ends(_verb: str, plural: str, _body: Patch | None) -> KubeError | None:
        node.ending = True
        return AWAY if plural == DRA_V1ALPHA2.claims.plural else None

    node.rig.api.fault = ends
    assert node.calls.prepare(ref)[ref.uid].error == "away"
    assert [plural for _, plural, _ in node.rig.api.calls].count(DRA_V1ALPHA2.claims.plural) == 1


def test_call_that_is_cancelled_ends_with_its_attempt(node: Node) -> None:
    ref = node.rig.allocate("a", 0)
    seen: list[deadlines.Deadline | None] = []
    noticed = threading.Event()

    def fault(_verb: str, plural: str, _body: Patch | None) -> KubeError | None:
        if plural != DRA_V1ALPHA2.claims.plural:
            return None
        seen.append(deadlines.current())
        assert noticed.wait(30)
        return AWAY

    node.rig.api.fault = fault
    request = batch.NodePrepareResourcesRequest(
        claims=[batch.Claim(namespace=ref.namespace, name=ref.name, uid=ref.uid)]
    )
    with grpc.insecure_channel(f"unix:{node.socket}") as channel:
        unary = channel.unary_unary("/v1alpha3.Node/NodePrepareResources")
        call = unary.future(request.SerializeToString(), timeout=30)
        deadline = until("an attempt", lambda: seen[0] if seen else None)
        assert deadline.active()
        call.cancel()
        until("the call is cancelled", lambda: not deadline.active())
    noticed.set()
    until("end of the call", lambda: node.counted("prepare", "error"))
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("remaining", "seconds"),
    [
        pytest.param(45.0, 44.0, id="1.28"),
        pytest.param(10.0, 9.0, id="1.27"),
        pytest.param(None, 44.0, id="no-limit"),
        pytest.param(3600.0, 44.0, id="hour"),
        pytest.param(1.0, 0.5, id="second"),
        pytest.param(0.0, 0.0, id="over"),
    ],
)
def test_margin_for_the_answer(remaining: float | None, seconds: float) -> None:
    assert usable(remaining) == seconds
