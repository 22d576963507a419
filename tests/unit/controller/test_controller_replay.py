"""A controller that dies after any single write leads to the same end when it starts again.

Each case lets one write of the walk succeed and fails everything after it, then runs a fresh
controller on what is stored.
"""

import itertools
from collections.abc import Callable

import pytest

from api.objects import JSON
from kube.errors import ConnectFailed, KubeError
from tests.support.build import (
    POD_CLAIM,
    allocated,
    claim,
    deleted,
    finalized,
    holding,
    nas,
    pod,
    resource_class,
    scheduling,
)
from tests.support.controllerrig import Rig
from tests.support.fakeapi import FakeApi, Fault

CLAIM = "claim:default/claim"
PSC = "psc:default/pod"


def dies_after(writes: int) -> Fault:
    done = itertools.count()

    def fault(verb: str, _plural: str, _body: JSON | None) -> KubeError | None:
        if verb == "get" or next(done) < writes:
            return None
        return ConnectFailed("the controller is dead")

    return fault


def scheduled_pod() -> Rig:
    return Rig(
        pod("pod", (POD_CLAIM, "claim"), ("other", "claim-2")),
        claim(),
        claim("claim-2"),
        resource_class(),
        scheduling(potential=["node-1", "node-2"], selected="node-1"),
        nas("node-1"),
        nas("node-2"),
    )


def restarted(rig: Rig) -> Rig:
    rig.api.fault = lambda *_: None
    return Rig(api=rig.api)


def settle(rig: Rig, *keys: str) -> None:
    """Reconcile until nothing is written any more."""
    for _ in range(10):
        before = len(rig.api.writes())
        for key in keys:
            rig.handle(key)
        if len(rig.api.writes()) == before:
            return
    raise AssertionError("does not settle")


@pytest.mark.parametrize("writes", range(7))
def test_allocation_goes_on_after_a_crash(writes: int) -> None:
    rig = scheduled_pod()
    rig.api.fault = dies_after(writes)
    rig.handle(PSC)
    again = restarted(rig)
    settle(again, PSC)
    assert again.allocated("node-1") == {"uid-claim": ["node-1-0"], "uid-claim-2": ["node-1-1"]}
    assert again.allocated("node-2") == {}
    for name in ("claim", "claim-2"):
        assert again.claim(name)["status"]["allocation"]
        assert [r["uid"] for r in again.claim(name)["status"]["reservedFor"]] == ["uid-pod"]


@pytest.mark.parametrize("writes", range(7))
def test_a_pod_that_moved_after_the_crash_leaves_nothing_behind(writes: int) -> None:
    rig = scheduled_pod()
    rig.api.fault = dies_after(writes)
    rig.handle(PSC)
    again = restarted(rig)
    moved = again.scheduling()
    moved["spec"]["selectedNode"] = "node-2"
    again.api.fault = lambda *_: None
    again.cache("contexts").written(again.api.put_spec(moved))
    settle(again, PSC)
    held = {**again.allocated("node-1"), **again.allocated("node-2")}
    assert set(held) == {"uid-claim", "uid-claim-2"}
    for name in ("claim", "claim-2"):
        node = again.claim(name)["status"]["allocation"]["availableOnNodes"]["nodeSelectorTerms"][
            0
        ]["matchFields"][0]["values"][0]
        assert f"uid-{name}" in again.allocated(node)
    both = set(again.allocated("node-1")) & set(again.allocated("node-2"))
    assert both == set()


@pytest.mark.parametrize("writes", range(4))
def test_deallocation_goes_on_after_a_crash(writes: int) -> None:
    rig = Rig(
        deleted(finalized(allocated(claim()))), holding(nas(), "uid-claim", 0, 1), resource_class()
    )
    rig.api.fault = dies_after(writes)
    rig.handle(CLAIM)
    again = restarted(rig)
    settle(again, CLAIM)
    assert again.allocated() == {}
    with pytest.raises(KeyError):
        again.claim()


def test_a_late_write_of_an_older_attempt_is_refused() -> None:
    """Two controllers, one pod that moves: the slow one must not store the node it lost."""
    rig = Rig(
        pod("pod", (POD_CLAIM, "claim")),
        finalized(claim()),
        resource_class(),
        scheduling(potential=["node-1", "node-2"], selected="node-1"),
        nas("node-1"),
        nas("node-2"),
    )
    late: list[Callable[[], None]] = []

    def interrupt(verb: str, plural: str, _body: JSON | None) -> None:
        if (verb, plural) == ("update", "resourceclaims/status") and not late:
            late.append(lambda: None)
            _move_and_allocate(rig.api)

    rig.api.fault = lambda verb, plural, body: interrupt(verb, plural, body)
    assert rig.handle(PSC) == "again"
    fields = rig.claim()["status"]["allocation"]["availableOnNodes"]["nodeSelectorTerms"][0]
    assert fields["matchFields"][0]["values"] == ["node-2"]
    assert rig.allocated("node-1") == {}
    assert rig.allocated("node-2") == {"uid-claim": ["node-2-0"]}


def _move_and_allocate(api: FakeApi) -> None:
    other = Rig(api=api)
    moved = other.scheduling()
    moved["spec"]["selectedNode"] = "node-2"
    other.cache("contexts").written(api.put_spec(moved))
    assert other.handle(PSC) == "waiting"
