"""A controller that dies after any single write leads to the same end when it starts again.

In every version of the API, with devices that a claim has alone and that claims share. Each case
lets one write of the walk succeed and fails everything after it, then runs a fresh controller on
what is stored.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from api.contract import FAKE
from api.invariants import shared
from api.nas import parse_nas
from api.objects import JSON
from kube.errors import ConnectFailed, KubeError
from ops.communication import Communication
from testing.apiserver import Fault
from tests.support.build import (
    POD_CLAIM,
    allocated,
    claim,
    deleted,
    device_allocated,
    device_claim,
    device_class,
    device_request,
    finalized,
    holding,
    nas,
    offering,
    pod,
    resource_class,
    scheduling,
)
from tests.support.controllerrig import Rig

CLAIM = "claim:default/claim"
PSC = "psc:default/pod"


@dataclass(frozen=True)
class Api:
    """The objects of one version, and where it writes the node of an allocation."""

    version: str
    classes: Sequence[JSON]
    claim: Callable[[str], JSON]
    allocated: Callable[[JSON], JSON]
    selector: str
    share: tuple[int, int] | None = None

    def __str__(self) -> str:
        return self.version if self.share is None else f"{self.version}-shared"

    def sharing(self) -> "Api":
        """Return the same with a class whose devices claims share."""
        offer = {"sharing": "TimeSliced", "maxClients": 2}
        return replace(self, classes=offering(self.version, **offer), share=(0, 2))

    def held(self, *claims: str) -> dict[str, list[str]]:
        """Return the devices that claims get of an empty node, one for each request."""
        each = 1 if self.version == "v1alpha2" else 2
        devices = [f"node-1-{index}" for index in range(each * len(claims))]
        start = {uid: each * number * (self.share is None) for number, uid in enumerate(claims)}
        return {uid: devices[start[uid] : start[uid] + each] for uid in claims}

    def node_of(self, claim: JSON) -> str:
        (term,) = claim["status"]["allocation"][self.selector]["nodeSelectorTerms"]
        (name,) = term["matchFields"][0]["values"]
        return str(name)


EXCLUSIVE = [
    Api("v1alpha2", [resource_class()], claim, allocated, "availableOnNodes"),
    Api(
        "v1alpha3",
        [device_class()],
        lambda name: device_claim(name, device_request("a"), device_request("b")),
        device_allocated,
        "nodeSelector",
    ),
]
APIS = [*EXCLUSIVE, *(api.sharing() for api in EXCLUSIVE)]
EACH_VERSION = pytest.mark.parametrize("served", APIS, ids=str)


def state(name: str = "node-1") -> JSON:
    return nas(name, sharing=["TimeSliced"])


def dies_after(writes: int) -> Fault:
    done = itertools.count()

    def fault(verb: str, _plural: str, _body: JSON | None) -> KubeError | None:
        if verb == "get" or next(done) < writes:
            return None
        return ConnectFailed("the controller is dead")

    return fault


def scheduled_pod(served: Api, communication: Communication = Communication.NAS) -> Rig:
    return Rig(
        pod("pod", (POD_CLAIM, "claim"), ("other", "claim-2")),
        served.claim("claim"),
        served.claim("claim-2"),
        *served.classes,
        scheduling(potential=["node-1", "node-2"], selected="node-1"),
        state("node-1"),
        state("node-2"),
        version=served.version,
        communication=communication,
    )


def restarted(rig: Rig) -> Rig:
    rig.api.fault = lambda *_: None
    return Rig(api=rig.api, version=rig.version, communication=rig.communication)


def settle(rig: Rig, *keys: str) -> None:
    """Reconcile until nothing is written any more."""
    for _ in range(10):
        before = len(rig.api.writes())
        for key in keys:
            rig.handle(key)
        if len(rig.api.writes()) == before:
            return
    raise AssertionError("does not settle")


@EACH_VERSION
@pytest.mark.parametrize("communication", Communication)
@pytest.mark.parametrize("writes", range(7))
def test_allocation_goes_on_after_a_crash(
    served: Api, communication: Communication, writes: int
) -> None:
    rig = scheduled_pod(served, communication)
    rig.api.fault = dies_after(writes)
    rig.handle(PSC)
    again = restarted(rig)
    settle(again, PSC)
    assert again.held("node-1") == served.held("uid-claim", "uid-claim-2")
    assert not [*shared(parse_nas(again.nas(), FAKE.device_key))]
    assert again.held("node-2") == {}
    for name in ("claim", "claim-2"):
        assert served.node_of(again.claim(name)) == "node-1"
        assert [r["uid"] for r in again.claim(name)["status"]["reservedFor"]] == ["uid-pod"]


@EACH_VERSION
@pytest.mark.parametrize("communication", Communication)
@pytest.mark.parametrize("writes", range(7))
def test_a_pod_that_moved_after_the_crash_leaves_nothing_behind(
    served: Api, communication: Communication, writes: int
) -> None:
    rig = scheduled_pod(served, communication)
    rig.api.fault = dies_after(writes)
    rig.handle(PSC)
    again = restarted(rig)
    moved = again.scheduling()
    moved["spec"]["selectedNode"] = "node-2"
    again.api.fault = lambda *_: None
    again.cache("contexts").written(again.api.rewrite(moved))
    settle(again, PSC)
    held = {**again.held("node-1"), **again.held("node-2")}
    assert set(held) == {"uid-claim", "uid-claim-2"}
    for name in ("claim", "claim-2"):
        assert f"uid-{name}" in again.held(served.node_of(again.claim(name)))
    both = set(again.held("node-1")) & set(again.held("node-2"))
    assert both == set()


@EACH_VERSION
@pytest.mark.parametrize("writes", range(4))
def test_deallocation_goes_on_after_a_crash(served: Api, writes: int) -> None:
    rig = Rig(
        deleted(finalized(served.allocated(served.claim("claim")))),
        holding(state(), "uid-claim", 0, 1, share=served.share),
        *served.classes,
        version=served.version,
    )
    rig.api.fault = dies_after(writes)
    rig.handle(CLAIM)
    again = restarted(rig)
    settle(again, CLAIM)
    assert again.allocated() == {}
    with pytest.raises(KeyError):
        again.claim()


@EACH_VERSION
def test_a_late_write_of_an_older_attempt_is_refused(served: Api) -> None:
    """Two controllers, one pod that moves: the slow one must not store the node it lost."""
    rig = Rig(
        pod("pod", (POD_CLAIM, "claim")),
        finalized(served.claim("claim")),
        *served.classes,
        scheduling(potential=["node-1", "node-2"], selected="node-1"),
        state("node-1"),
        state("node-2"),
        version=served.version,
    )
    late: list[Callable[[], None]] = []

    def interrupt(verb: str, plural: str, _body: JSON | None) -> None:
        if (verb, plural) == ("update", "resourceclaims/status") and not late:
            late.append(lambda: None)
            _move_and_allocate(rig)

    rig.api.fault = lambda verb, plural, body: interrupt(verb, plural, body)
    assert rig.handle(PSC) == "again"
    assert served.node_of(rig.claim()) == "node-2"
    assert rig.allocated("node-1") == {}
    assert rig.allocated("node-2")["uid-claim"][0] == "node-2-0"


def _move_and_allocate(rig: Rig) -> None:
    other = Rig(api=rig.api, version=rig.version)
    moved = other.scheduling()
    moved["spec"]["selectedNode"] = "node-2"
    other.cache("contexts").written(other.api.rewrite(moved))
    assert other.handle(PSC) == "waiting"
