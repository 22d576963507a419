import pytest

from api.claims import v1alpha2
from api.contract import FAKE
from api.handles import given
from api.nas import parse_nas
from bench import objects
from bench.objects import Consumer, Driver
from tests.support.tables import cases

DRIVER = Driver(FAKE)
KEY = FAKE.device_key
NODE = "bench-node-00000"


def stored(obj, version="7"):
    metadata = {**obj["metadata"], "uid": f"uid-{obj['metadata']['name']}"}
    return {**obj, "metadata": {**metadata, "resourceVersion": version}}


@pytest.fixture
def consumer():
    return Consumer(stored(objects.pod("a")), stored(objects.claim("a", "bench")))


@pytest.fixture
def state():
    return stored(objects.node_state(DRIVER, NODE, 2))


def merged(state, patch):
    """Return a NAS after a merge patch of its allocated claims."""
    spec = {**state["spec"], "allocatedClaims": dict(state["spec"].get("allocatedClaims") or {})}
    for uid, entry in patch["spec"]["allocatedClaims"].items():
        if entry is None:
            spec["allocatedClaims"].pop(uid)
        else:
            spec["allocatedClaims"][uid] = entry
    return {**state, "spec": spec}


def test_a_node_state_is_one_that_the_driver_reads(state):
    view = parse_nas(state, FAKE.device_key)
    assert (view.ready, len(view.allocatable), view.used()) == (True, 2, frozenset())


def test_giving_and_taking_a_device(state, consumer):
    device = objects.free_device(state, KEY)
    patch = objects.given(state, consumer.claim, device, KEY)
    assert patch["metadata"] == {"resourceVersion": "7"}
    full = merged(state, patch)
    assert objects.holds(full, consumer.claim)
    assert parse_nas(full, FAKE.device_key).used() == {device["fake"]["uuid"]}
    assert objects.free_device(full, KEY) != device
    assert not objects.holds(
        merged(full, objects.given(full, consumer.claim, None, KEY)), consumer.claim
    )


def test_no_device_is_free_on_a_full_node(consumer):
    state = stored(objects.node_state(DRIVER, NODE, 1))
    full = merged(state, objects.given(state, consumer.claim, objects.free_device(state, KEY), KEY))
    with pytest.raises(StopIteration):
        objects.free_device(full, KEY)


def test_the_context_belongs_to_its_pod(consumer):
    context = objects.scheduling_context(consumer, [NODE])
    owner = context["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("Pod", "uid-a", True)
    assert context["spec"] == {"potentialNodes": [NODE]}
    assert objects.selected(context, NODE)["spec"]["selectedNode"] == NODE


@cases(
    ("status", "expected"),
    {
        "no-status": (None, None),
        "other": ({"resourceClaims": [{"name": "other", "unsuitableNodes": []}]}, None),
        "none-unsuitable": ({"resourceClaims": [{"name": "devices"}]}, []),
        "one": ({"resourceClaims": [{"name": "devices", "unsuitableNodes": [NODE]}]}, [NODE]),
    },
)
def test_what_a_driver_answered(status, expected):
    assert objects.unsuitable_nodes({"status": status}) == expected


def test_an_answer_reads_back(consumer):
    context = objects.answered(objects.scheduling_context(consumer, [NODE]), [NODE])
    assert objects.unsuitable_nodes(context) == [NODE]


def test_a_claim_on_its_way_up_and_down(consumer):
    claim = consumer.claim
    assert not objects.is_allocated(claim)
    up = objects.allocated(claim, consumer, DRIVER.contract.driver_name, NODE)
    assert objects.is_allocated(up)
    assert up["status"]["reservedFor"] == [{"resource": "pods", "name": "a", "uid": "uid-a"}]
    down = objects.unreserved(up)
    assert "reservedFor" not in down["status"]
    assert down["status"]["allocation"]


def test_a_claim_says_what_it_was_given_as_the_driver_reads_it(consumer, state):
    up = objects.allocated(consumer.claim, consumer, DRIVER.contract.driver_name, NODE)
    device = objects.free_device(state, KEY)
    found = given(v1alpha2.read(objects.with_handle(up, FAKE, device)), FAKE)
    assert [str(each.id) for each in found.devices] == [device[KEY]["uuid"]]
    assert given(v1alpha2.read(up), FAKE) is None


def test_patches_of_metadata_are_guarded(consumer):
    for patch in (objects.marked(consumer.claim, FAKE.finalizer), objects.unmarked(consumer.claim)):
        assert patch["metadata"]["resourceVersion"] == "7"
    assert "resourceVersion" not in objects.unguarded(consumer.claim)["metadata"]
