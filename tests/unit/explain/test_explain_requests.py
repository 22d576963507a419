"""What is named for a request that a node has nothing for."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from allocation.selectors import Selectors
from allocation.verdicts import Rule
from api.objects import JSON
from explain.diagnosis import Diagnosis
from explain.features import features
from explain.pods import explain_pod
from explain.seen import Seen
from explain.text import as_text
from tests.explainparity.mending import Scene, mended
from tests.support.allocationworld import (
    DRIVER,
    a_class,
    ask,
    claim,
    counters,
    device,
    drawing,
    holding,
    pool,
)
from tests.support.tables import cases

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def waiting(*requests: JSON, slices: list[JSON], of_class: str = "true") -> Scene:
    """Return a pod with one claim, and one node."""
    wanted = claim(*requests, name="wanted")
    node = {
        "metadata": {"name": "here"},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    seen = Seen(
        37,
        features(37, {}, {}),
        NOW,
        claims=(wanted,),
        classes={"any": a_class("any", of_class)},
        slices=tuple(slices),
        nodes=(node,),
    )
    meta = {"name": "p", "namespace": "default", "uid": "p"}
    entries = [{"name": "c", "resourceClaimName": "wanted"}]
    pod = {"metadata": meta, "spec": {"containers": [{}], "resourceClaims": entries}}
    return Scene(pod, seen)


def explained(*requests: JSON, slices: list[JSON], of_class: str = "true") -> Diagnosis:
    """Explain a pod with one claim on one node."""
    scene = waiting(*requests, slices=slices, of_class=of_class)
    return explain_pod(scene.pod, scene.seen, Selectors())


HAD = {"request": "r", "driver": DRIVER, "pool": "here", "device": "gpu-0"}
DEVICES = pool(*(device(f"gpu-{n}", capacity={"memory": "4Gi"}) for n in range(2)))


SICK = {"key": "sick", "value": "ecc", "effect": "NoExecute"}
ANY = {"operator": "Exists"}
EVICTED = (
    "note: kube-controller-manager evicts the pod as soon as it has the devices of request r: no "
    "toleration with effect: NoExecute matches taint sick=ecc:NoExecute, and it heeds none without "
    "effect, as kube-scheduler does"
)


@cases(
    ("effect", "tolerations", "notes"),
    {
        "without-effect": ("NoExecute", [ANY], [EVICTED]),
        "with-effect": ("NoExecute", [{**ANY, "effect": "NoExecute"}], []),
        "with-and-without": ("NoExecute", [ANY, {**ANY, "effect": "NoExecute"}], []),
        "that-of-another-key": (
            "NoExecute",
            [ANY, {**ANY, "effect": "NoExecute", "key": "other"}],
            [EVICTED],
        ),
        "nobody-is-evicted": ("NoSchedule", [ANY], []),
    },
)
@pytest.mark.parametrize("given", [False, True], ids=["waiting", "allocated"])
def test_pod_that_would_be_evicted(
    effect: str, tolerations: list[JSON], notes: list[str], given: bool
) -> None:
    sick = pool(device("gpu-0", taints=[{**SICK, "effect": effect}]))
    scene = waiting(ask("r", tolerations=tolerations), slices=[sick])
    if given:
        results = [{**HAD, "tolerations": tolerations}]
        (claim_,) = scene.seen.claims
        claim_["status"] = {"allocation": {"devices": {"results": results}}}
    found = explain_pod(scene.pod, scene.seen, Selectors())
    assert (found.fits, list(found.facts)) == (True, notes)


def test_nobody_is_evicted_without_the_gate_of_taints() -> None:
    scene = waiting(ask("r"), slices=[pool(device("gpu-0", taints=[SICK]))])
    seen = replace(scene.seen, features=features(37, {"DRADeviceTaints": False}, {}))
    assert explain_pod(scene.pod, seen, Selectors()).facts == ()


@cases(
    ("request_", "of_class", "rule", "helps"),
    {
        "class": (ask(count="All"), "false", Rule.CLASS_SELECTOR, "choose another class"),
        "selector": (ask("r", "false", count="All"), "true", Rule.SELECTOR, "change the selector"),
        "capacity": (
            ask(count="All", capacity={"requests": {"memory": "8Gi"}}),
            "true",
            Rule.CAPACITY,
            "4Gi",
        ),
    },
)
def test_why_none_is_selected_of_which_all_are_wanted(
    request_: JSON, of_class: str, rule: Rule, helps: str
) -> None:
    found = explained(request_, slices=[DEVICES], of_class=of_class)
    assert found.nearest is not None
    (request,) = found.nearest.short
    assert (request.selected, request.fitting, request.missing) == (0, 0, 1)
    assert dict(request.rules) == {rule: 2}
    assert any(helps in each for each in found.helps), found.helps
    assert f"all wanted, no device is selected; refused: 2 {rule}" in as_text(found)


def test_only_where_there_is_no_device_more_of_them_help() -> None:
    found = explained(ask(count="All"), slices=[])
    assert found.helps == ("have more devices on here, for request r",)


def test_how_many_a_node_has_of_all_that_are_wanted() -> None:
    scene = waiting(ask(count="All"), slices=[DEVICES])
    seen = replace(scene.seen, claims=(*scene.seen.claims, holding("gpu-0")))
    text = as_text(explain_pod(scene.pod, seen, Selectors()))
    assert "nearest miss: here has 1 of all 2 for request r of claim default/wanted" in text


def test_two_requests_for_all_take_devices_from_each_other() -> None:
    found = explained(ask("a", count="All"), ask("b", count="All"), slices=[DEVICES])
    text = "ask for a number of devices instead of all: request"
    assert found.helps == tuple(f"{text} {each} of claim default/wanted" for each in "ab")
    assert "all wanted, 2 of 2 devices fit" in as_text(found)


def test_what_can_not_be_told_here_is_not_named_where_it_is_not_looked_at() -> None:
    """The scheduler refuses this before it gets to the selector."""
    unknown = ask("b", "device.attributes[device.driver].all(k, v, v != 7)")
    found = explained(ask("a", count="All"), unknown, slices=[DEVICES])
    assert found.nearest is not None
    assert found.nearest.rule is Rule.TOGETHER
    assert all(not each.refused for each in found.nearest.requests)


def test_without_all_devices_a_claim_does_not_have_too_many() -> None:
    many = pool(*(device(f"gpu-{n}") for n in range(33)))
    scene = waiting(ask("a", count="All"), ask("b"), slices=[many])
    found = explain_pod(scene.pod, scene.seen, Selectors())
    assert found.helps == ("ask for fewer devices in a claim",)
    made = mended(scene, found, found.nodes[0])
    assert explain_pod(made.pod, made.seen, Selectors()).fits is True


def two_nodes(*devices: JSON, request_: JSON) -> Diagnosis:
    """Explain a pod where one node, the first by name, has nothing."""
    scene = waiting(request_, slices=[pool(*devices)])
    bare = {**scene.seen.nodes[0], "metadata": {"name": "bare"}}
    seen = replace(scene.seen, nodes=(bare, *scene.seen.nodes))
    return explain_pod(scene.pod, seen, Selectors())


@cases(
    ("request_", "helps"),
    {
        "selector": (ask("r", "false"), "change the selector"),
        "all": (ask("r", count="All", tolerations=[]), "add a toleration"),
        "taint": (ask("r"), "add a toleration"),
    },
)
def test_a_node_that_has_devices_is_nearer_than_one_without(request_: JSON, helps: str) -> None:
    tainted = [device(f"gpu-{n}", taints=[SICK]) for n in range(3)]
    found = two_nodes(*tainted, request_=request_)
    assert found.nearest is not None
    assert found.nearest.node == "here"
    assert any(helps in each for each in found.helps), found.helps
    assert not any("have more devices" in each for each in found.helps), found.helps


@cases(
    ("request_", "fields", "rule", "helps"),
    {
        "too-small": (
            ask(capacity={"requests": {"memory": "8Gi"}}),
            {"capacity": {"memory": "4Gi"}},
            Rule.CAPACITY,
            "memory",
        ),
        "tainted": (ask(), {"taints": [SICK]}, Rule.TAINT, "add a toleration to the request"),
    },
)
def test_nobody_frees_a_device_that_is_refused_then_too(
    request_: JSON, fields: JSON, rule: Rule, helps: str
) -> None:
    scene = waiting(request_, slices=[pool(device("gpu-0", **fields))])
    seen = replace(scene.seen, claims=(*scene.seen.claims, holding("gpu-0")))
    found = explain_pod(scene.pod, seen, Selectors())
    assert found.nearest is not None
    assert [dict(each.rules) for each in found.nearest.requests] == [{rule: 1}]
    assert not any("free" in each for each in found.helps), found.helps
    assert any(helps in each for each in found.helps), found.helps


PARTS = {"whole": 16, "half-0": 8, "half-1": 8}
CARD = [counters("card"), pool(*(drawing(n, u) for n, u in PARTS.items()), count=2)]


@cases(
    ("request_", "taken", "helps"),
    {
        "all": (
            ask(count="All"),
            "half-0",
            "ask for a number of devices instead of all: request r of claim default/wanted",
        ),
        "too-many": (ask(count=3), "whole", "ask for less, or have more devices on here"),
    },
)
def test_nobody_frees_parts_that_never_fit_together(request_: JSON, taken: str, helps: str) -> None:
    scene = waiting(request_, slices=CARD)
    seen = replace(scene.seen, claims=(*scene.seen.claims, holding(taken)))
    assert explain_pod(scene.pod, seen, Selectors()).helps == (helps,)


ROOT = "example.com/root"
PAIR = {"constraints": [{"matchAttribute": ROOT}]}


@cases(
    ("roots", "taken", "helps"),
    {
        "no-device-has-it": (
            [None, None, None],
            1,
            [f"claim default/wanted: {ROOT} must be the same: no value (3 devices)"],
        ),
        "all-differ": (
            [1, 2, 3],
            1,
            [f"claim default/wanted: {ROOT} must be the same: 1 (1 device), 2 (1 device), 3"],
        ),
        "all-differ-and-all-are-taken": (
            [1, 2],
            2,
            [
                f"{ROOT} must be the same: 1 (1 device), 2 (1 device)",
                "free here/gpu-0",
                "free here/gpu-1",
            ],
        ),
        "too-few": ([1], 0, ["have more devices on here"]),
        "one-that-is-taken-would-do": ([1, 1, 2], 1, ["free here/gpu-0"]),
        "only-the-other-that-is-taken-would-do": ([2, 1, 1], 2, ["free here/gpu-1"]),
    },
)
def test_nobody_frees_devices_that_a_constraint_refuses_then(
    roots: list[int | None], taken: int, helps: list[str]
) -> None:
    attributes = [{} if each is None else {ROOT: each} for each in roots]
    devices = [device(f"gpu-{n}", attributes=each) for n, each in enumerate(attributes)]
    scene = waiting(ask("r", count=2), slices=[pool(*devices)])
    scene.seen.claims[0]["spec"]["devices"].update(PAIR)
    held = [holding(*(f"gpu-{n}" for n in range(taken)))] if taken else []
    seen = replace(scene.seen, claims=(*scene.seen.claims, *held))
    found = explain_pod(scene.pod, seen, Selectors())
    assert len(found.helps) == len(helps), found.helps
    assert all(text in told for text, told in zip(helps, found.helps, strict=True)), found.helps
