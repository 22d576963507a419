"""What explain names for a node is all that keeps the pod from it."""

from collections.abc import Iterator
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from allocation.allocator import allocate
from allocation.selectors import Selectors
from allocation.verdicts import Allocation, Outcome, Rule
from api.objects import JSON
from explain.diagnosis import Cause, Diagnosis
from explain.features import features
from explain.pods import explain_pod, ground, node_of
from explain.seen import Seen
from tests.explainparity.comparison import ROUNDS
from tests.explainparity.mending import Scene, mended
from tests.support.allocationworld import DRIVER, a_class, ask, device

SELECTORS = Selectors()
NOW = datetime(2026, 11, 29, tzinfo=UTC)
TAINT = {"key": "example.com/bad", "effect": "NoSchedule"}
MODEL = f'device.attributes["{DRIVER}"].model == '


@st.composite
def devices(draw: st.DrawFn, node: str) -> list[JSON]:
    found = []
    for index in range(draw(st.integers(0, 4))):
        attributes = {"model": draw(st.sampled_from("ab")), "numa": draw(st.integers(0, 1))}
        taints = [TAINT] if draw(st.integers(0, 3)) == 0 else []
        found.append(device(f"{node}-{index}", attributes=attributes, taints=taints))
    return found


@st.composite
def clusters(draw: st.DrawFn) -> Seen:
    nodes, slices, held = [], [], []
    for name in ("node-1", "node-2", "node-3")[: draw(st.integers(1, 3))]:
        listed = draw(devices(name))
        status = {"conditions": [{"type": "Ready", "status": "True"}]}
        taints = [{"key": "k", "effect": "NoSchedule"}] if draw(st.integers(0, 3)) == 0 else []
        nodes.append({"metadata": {"name": name}, "spec": {"taints": taints}, "status": status})
        count = 2 if draw(st.integers(0, 5)) == 0 else 1
        pool = {"name": name, "generation": 1, "resourceSliceCount": count}
        spec = {"driver": DRIVER, "nodeName": name, "pool": pool, "devices": listed}
        slices.append({"metadata": {"name": name}, "spec": spec})
        held += [(name, each["name"]) for each in listed if draw(st.booleans())]
    claims = [holder(index, *each) for index, each in enumerate(held)]
    classes = {"any": a_class("any", *draw(st.sampled_from([(), (f'{MODEL}"a"',)])))}
    return Seen(
        37,
        features(37, {}, {}),
        NOW,
        (*claims, *draw(wanted())),
        classes,
        tuple(slices),
        tuple(nodes),
    )


@st.composite
def wanted(draw: st.DrawFn) -> list[JSON]:
    found = []
    for name in ("w0", "w1")[: draw(st.integers(1, 2))]:
        expressions = draw(st.sampled_from([(), (f'{MODEL}"a"',), (f'{MODEL}"b"',)]))
        spec: JSON = {
            "devices": {"requests": [ask("r", *expressions, count=draw(st.integers(1, 3)))]}
        }
        if draw(st.booleans()):
            spec["devices"]["constraints"] = [{"matchAttribute": f"{DRIVER}/numa"}]
        found.append({"metadata": {"name": name, "namespace": "default"}, "spec": spec})
    return found


def holder(index: int, pool: str, name: str) -> JSON:
    result = {"request": "r", "driver": DRIVER, "pool": pool, "device": name}
    return {
        "metadata": {"name": f"h{index}", "namespace": "default"},
        "spec": {"devices": {"requests": [ask("r")]}},
        "status": {"allocation": {"devices": {"results": [result]}}},
    }


def waiting(seen: Seen) -> JSON:
    names = [each["metadata"]["name"] for each in seen.claims if is_wanted(each)]
    entries = [{"name": each, "resourceClaimName": each} for each in names]
    meta = {"name": "p", "namespace": "default", "uid": "p"}
    return {"metadata": meta, "spec": {"containers": [{}], "resourceClaims": entries}}


def explained(seen: Seen) -> Diagnosis:
    return explain_pod(waiting(seen), seen, SELECTORS)


def is_wanted(claim: JSON) -> bool:
    return bool(claim["metadata"]["name"].startswith("w"))


def fitting(seen: Seen) -> Iterator[bool]:
    """Yield for each node that takes the pod whether its claims can be allocated there."""
    world = ground(seen, SELECTORS).world
    claims = [each for each in seen.claims if is_wanted(each)]
    for raw in seen.nodes:
        if not raw["spec"]["taints"]:
            yield isinstance(allocate(claims, node_of(raw), world), Allocation)


@settings(max_examples=150, deadline=None)
@given(clusters())
def test_it_fits_where_the_scheduler_would_put_it(seen: Seen) -> None:
    assert explained(seen).fits is any(fitting(seen))


@settings(max_examples=150, deadline=None)
@given(clusters())
def test_without_what_is_named_for_a_node_it_fits(seen: Seen) -> None:
    scene = Scene(waiting(seen), seen)
    found = explained(seen)
    for _ in range(ROUNDS):
        if found.fits:
            return
        assert found.helps, found
        scene = mended(scene, found, found.nearest)
        found = explained(scene.seen)
    raise AssertionError(found)


@settings(max_examples=80, deadline=None)
@given(clusters())
def test_each_device_is_refused_once_or_fits(seen: Seen) -> None:
    found = explained(seen)
    for node in found.nodes:
        for request in node.requests:
            names = [each.device for each in request.refused]
            assert len(names) == len(set(names)) <= request.looked
        if node.outcome is Outcome.REFUSED:
            assert node.short or node.constraints or node.rule is Rule.TOGETHER
    assert (found.cause is Cause.FITS) is (found.fits is True)
