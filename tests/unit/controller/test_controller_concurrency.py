"""Two workers that meet at one claim, at every write that the first one makes.

The second one is started in the middle of a write of the first; it either waits until the first is
done, or finds a world that has changed, and in the end one node holds the claim.
"""

import threading
from collections.abc import Callable

import pytest

from api.objects import JSON
from tests.support.build import POD_CLAIM, claim, deleted, nas, pod, resource_class, scheduling
from tests.support.controllerrig import Rig

FIRST, SECOND, CLAIM = "psc:default/first", "psc:default/second", "claim:default/claim"
HELD_SECONDS = 0.2
"""How long a write is held up for a worker that does not wait for it."""


class Meeting:
    """Starts handling another key in the middle of the n-th write."""

    def __init__(
        self, rig: Rig, key: str, write: int, first: Callable[[], None] = lambda: None
    ) -> None:
        self._left = write
        self._first = first
        self._other = threading.Thread(target=rig.controller.reconciler.handle, args=(key,))

    def __call__(self, verb: str, *_: object) -> None:
        if verb == "get" or threading.current_thread() is self._other:
            return
        self._left -= 1
        if self._left == 0:
            self._first()
            self._other.start()
            self._other.join(HELD_SECONDS)

    def end(self) -> None:
        if self._left <= 0:
            self._other.join(10)
            assert not self._other.is_alive()


def two_pods(*, selected: tuple[str, str]) -> list[JSON]:
    return [
        obj
        for name, node in zip(("first", "second"), selected, strict=True)
        for obj in (
            pod(name, (POD_CLAIM, "claim")),
            scheduling(name, potential=["node-1", "node-2"], selected=node),
        )
    ]


@pytest.mark.parametrize("write", [1, 2, 3, 4])
def test_two_pods_that_share_a_claim_get_it_on_one_node(write: int) -> None:
    pods = two_pods(selected=("node-1", "node-2"))
    rig = Rig(claim(), resource_class(), nas("node-1"), nas("node-2"), *pods)
    meeting = Meeting(rig, SECOND, write)
    rig.api.fault = meeting
    rig.controller.reconciler.handle(FIRST)
    meeting.end()
    rig.handle(SECOND)
    holders = [node for node in ("node-1", "node-2") if rig.allocated(node)]
    assert len(holders) == 1
    (term,) = rig.claim()["status"]["allocation"]["availableOnNodes"]["nodeSelectorTerms"]
    assert term["matchFields"][0]["values"] == holders


@pytest.mark.parametrize("write", [1, 2, 3])
def test_a_claim_deleted_while_it_is_allocated_leaves_nothing(write: int) -> None:
    pods = two_pods(selected=("node-1", "node-1"))
    rig = Rig(claim(), resource_class(), nas("node-1"), nas("node-2"), *pods)

    def delete() -> None:
        rig.cache("claims").apply(rig.api.rewrite(deleted(rig.claim())))

    meeting = Meeting(rig, CLAIM, write, delete)
    rig.api.fault = meeting
    rig.controller.reconciler.handle(FIRST)
    meeting.end()
    rig.controller.reconciler.handle(CLAIM)
    assert rig.allocated("node-1") == {}
