"""After an upgrade from 1.31, what classic claims have left goes once no pod uses it."""

from collections.abc import Callable

import pytest

from api.contract import FAKE
from api.nas import heartbeat_patch
from api.nasvalues import Heartbeat
from api.objects import JSON
from api.resources import DRA_V1ALPHA3, STATES, STRUCTURED_VERSIONS
from controller.leftovers import Leftovers
from kube.errors import ApiError, Conflict, Invalid, KubeError, NotFound, ServerError
from testing.apiserver import MemoryApi
from testing.clock import Clock
from tests.support.build import (
    NAMESPACE,
    SYSTEM,
    device_allocated,
    device_claim,
    device_request,
    finalized,
    holding,
    nas,
    preparing,
    reserved,
)
from tests.support.upgrade import upgraded

CLAIMS = STRUCTURED_VERSIONS["v1beta1"].claims
OTHER = "example.com/other"


class Past:
    """A cluster of 1.31 with the given objects, that is upgraded now."""

    def __init__(self, *objects: JSON) -> None:
        old = MemoryApi("v1alpha3")
        for obj in objects:
            old.put(STATES if obj["kind"] == STATES.kind else DRA_V1ALPHA3.claims, obj)
        self.api = upgraded(old)
        self.clock = Clock()
        self.leftovers = Leftovers(self.api, FAKE, SYSTEM, clock=self.clock)

    def look(self) -> list[tuple[str, str]]:
        """Look once; return the writes."""
        before = len(self.api.writes())
        self.leftovers.look("v1beta1")
        return self.api.writes()[before:]

    def states(self) -> list[str]:
        return [obj["metadata"]["name"] for obj in self.api.all(STATES)]

    def finalizers(self, name: str = "a") -> list[str]:
        meta = self.api.find(CLAIMS, name, NAMESPACE)["metadata"]
        return list(meta.get("finalizers") or [])

    def free(self, name: str = "a") -> None:
        """Let the claim controller take the reservations away."""
        claim = self.api.find(CLAIMS, name, NAMESPACE)
        self.api.put(CLAIMS, {**claim, "status": {}})


def used(name: str = "a", node: str = "node-1") -> JSON:
    """Return a claim of 1.31 with our finalizer, allocated and reserved for a running pod."""
    raw = device_claim(name, device_request())
    return reserved(device_allocated(finalized(raw), node))


def unused(name: str = "a") -> JSON:
    return finalized(device_claim(name, device_request()))


def ended(node: str = "node-1") -> JSON:
    """Return the NAS of a plugin that has ended."""
    return nas(node, status="NotReady")


def test_claims_are_listed_only_while_something_is_left() -> None:
    past = Past()
    assert [past.look() for _ in range(3)] == [[], [], []]
    listed = [plural for verb, plural, _ in past.api.calls if verb == "list"]
    assert listed.count("resourceclaims") == 1
    assert listed.count("nodeallocationstates") == 3


def test_finalizer_of_an_unused_claim_goes() -> None:
    past = Past(unused())
    assert past.look() == [("patch", "resourceclaims")]
    assert past.finalizers() == []
    assert past.look() == []


def test_finalizers_of_others_stay() -> None:
    raw = unused()
    raw["metadata"]["finalizers"] = [OTHER, FAKE.finalizer]
    past = Past(raw, finalized(device_claim("b", device_request()), OTHER))
    assert past.look() == [("patch", "resourceclaims")]
    assert (past.finalizers("a"), past.finalizers("b")) == ([OTHER], [OTHER])


def test_claim_that_a_pod_uses_keeps_everything_until_it_is_gone() -> None:
    past = Past(used(), preparing(holding(ended(), "uid-a", 0), "uid-a", 0))
    assert past.look() == []
    assert (past.finalizers(), past.states()) == ([FAKE.finalizer], ["node-1"])
    past.free()
    assert past.look() == [("patch", "resourceclaims"), ("delete", "nodeallocationstates")]
    assert (past.finalizers(), past.states()) == ([], [])
    assert past.look() == []


def handled(name: str = "a", node: str = "node-1") -> JSON:
    """Return a claim that says itself what it has; no NAS tells of it."""
    raw = used(name, node)
    own = {"driver": FAKE.driver_name, "parameters": {"fake": {"devices": [{"uuid": "x"}]}}}
    raw["status"]["allocation"]["devices"]["config"] = [{"source": "FromClaim", "opaque": own}]
    return raw


def test_state_stays_while_a_claim_of_the_node_that_says_itself_what_it_has_is_used() -> None:
    past = Past(handled("a", "node-1"), ended("node-1"), ended("node-2"))
    assert past.look() == [("delete", "nodeallocationstates")]
    assert (past.finalizers(), past.states()) == ([FAKE.finalizer], ["node-1"])
    past.free()
    assert past.look() == [("patch", "resourceclaims"), ("delete", "nodeallocationstates")]
    assert (past.finalizers(), past.states()) == ([], [])


def test_claims_of_kube_scheduler_keep_no_state_of_their_node() -> None:
    past = Past(ended())
    new = reserved(device_allocated(device_claim("new", device_request()), "node-1"))
    del new["spec"]["controller"], new["status"]["allocation"]["controller"]
    past.api.put(CLAIMS, new)
    assert past.look() == [("delete", "nodeallocationstates")]


def beating(state: JSON) -> JSON:
    return {**state, **heartbeat_patch(Heartbeat("2026-01-01T00:00:00Z", 150))}


@pytest.mark.parametrize(
    ("state", "left"),
    [
        pytest.param(ended(), [], id="ended"),
        pytest.param(holding(ended(), "uid-gone", 0), [], id="holds-for-a-claim-that-is-gone"),
        pytest.param(preparing(ended(), "uid-gone", 0), [], id="prepared-for-one-that-is-gone"),
        pytest.param(holding(ended(), "uid-a", 0), ["node-1"], id="allocated-to-one-in-use"),
        pytest.param(preparing(ended(), "uid-a", 0), ["node-1"], id="prepared-for-one-in-use"),
        pytest.param(beating(nas()), ["node-1"], id="its-plugin-is-of-the-classic-kind-still"),
        pytest.param({**ended(), "spec": "?"}, ["node-1"], id="unreadable"),
    ],
)
def test_state_goes_when_its_plugin_and_its_pods_have(state: JSON, left: list[str]) -> None:
    past = Past(used(node="node-2"), state)
    past.look()
    assert past.states() == left


def test_state_of_a_plugin_that_was_killed_goes_when_it_is_silent() -> None:
    past = Past(beating(nas()))
    assert past.look() == []
    past.clock.advance(149)
    assert past.look() == []
    past.clock.advance(2)
    assert past.look() == [("delete", "nodeallocationstates")]


def test_state_that_comes_back_goes_again() -> None:
    past = Past(ended())
    assert past.look() == [("delete", "nodeallocationstates")]
    past.api.put(STATES, ended())
    assert past.look() == [("delete", "nodeallocationstates")]


def test_states_of_other_namespaces_are_not_ours() -> None:
    theirs = ended()
    theirs["metadata"]["namespace"] = "elsewhere"
    past = Past(theirs)
    assert past.look() == []


def test_without_the_definition_of_states_finalizers_go_all_the_same() -> None:
    past = Past(unused())
    past.api.unserve(STATES)
    assert past.look() == [("patch", "resourceclaims")]


def failing(error: Callable[..., ApiError], status: int) -> Callable[..., KubeError | None]:
    found = error(status, "Reason", "no", {})
    return lambda verb, _plural, _body: found if verb in ("patch", "delete") else None


@pytest.mark.parametrize(("error", "status"), [(Conflict, 409), (NotFound, 404)])
def test_somebody_may_be_faster(error: Callable[..., ApiError], status: int) -> None:
    past = Past(unused(), ended())
    past.api.fault = failing(error, status)
    past.look()
    assert (past.finalizers(), past.states()) == ([FAKE.finalizer], ["node-1"])
    past.api.fault = lambda *_: None
    past.look()
    assert (past.finalizers(), past.states()) == ([], [])


def test_what_fails_is_an_error_and_done_by_the_next_look() -> None:
    past = Past(unused(), ended())
    past.api.fault = failing(ServerError, 500)
    with pytest.raises(ServerError):
        past.look()
    past.api.fault = lambda *_: None
    assert past.look() == [("patch", "resourceclaims"), ("delete", "nodeallocationstates")]


def test_a_claim_that_cannot_be_written_holds_nothing_else_up() -> None:
    past = Past(unused("a"), unused("b"), ended())
    refusals = iter([Invalid(422, "Invalid", "no", {})])
    past.api.fault = lambda verb, _plural, _body: next(refusals, None) if verb == "patch" else None
    with pytest.raises(Invalid):
        past.look()
    assert (past.finalizers("a"), past.finalizers("b")) == ([FAKE.finalizer], [])
    assert past.states() == []
    assert past.look() == [("patch", "resourceclaims")]
