"""What the page shows of a cluster, and that what it is told of changes comes to the same."""

from collections.abc import Callable
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from api.contract import FAKE
from api.names import WRITER_ANNOTATION
from api.objects import JSON
from api.resources import DRA_V1ALPHA2, NODES, PODS, STATES
from testing.apiserver import MemoryApi
from tests.support.allocationworld import DRIVER, a_class, device, drawing
from tests.support.build import (
    allocated,
    claim,
    holding,
    nas,
    node,
    pod,
    preparing,
    reserved,
    told,
)
from tests.support.effort import tries
from tests.support.tables import cases
from tests.support.uirig import UiRig
from tests.support.waitingpods import V1, Cluster
from ui.board import Place

CARD = {"name": "card", "counters": {"units": {"value": "16"}}}


def runs(cluster: Cluster, name: str, *claims: str, phase: str = "Running") -> None:
    """Store a pod that uses claims."""
    used = [{"name": f"c{index}", "resourceClaimName": each} for index, each in enumerate(claims)]
    spec = {"nodeName": "node-1", "resourceClaims": used, "containers": [{"name": "main"}]}
    status = {"phase": phase, "startTime": "2026-11-29T09:00:05Z"}
    meta = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    cluster.put(PODS, {"metadata": meta, "spec": spec, "status": status})


def test_nodes_with_devices_and_who_holds_them() -> None:
    cluster = Cluster()
    cluster.gpus("node-1")
    cluster.claim("train")
    cluster.hold("train", "node-1/gpu-1", by="trainer")
    shown = UiRig(cluster).look()
    assert shown["node", "node-1"] == {
        "pools": [
            {
                "driver": DRIVER,
                "pool": "node-1",
                "cards": [
                    {"n": "gpu-0"},
                    {"n": "gpu-1", "p": [{"n": "gpu-1", "s": "used", "c": ["default/train"]}]},
                ],
            }
        ]
    }
    assert shown["node", "node-2"] == {}
    found = shown["claim", "default/train"]
    assert (found["state"], found["pods"]) == ("in use", ["default/trainer"])
    assert (found["nodes"], found["classes"]) == (["node-1"], ["gpu"])
    assert found["devices"] == [[DRIVER, "node-1", "gpu-1"]]


def test_a_split_device_is_drawn_as_its_parts() -> None:
    cluster = Cluster()
    cluster.gpus("node-1", count=2, sharedCounters=[CARD])
    parts = [drawing("whole", 16), drawing("half-0", 8), drawing("half-1", 8)]
    cluster.gpus("node-1", *parts, count=2)
    cluster.claim("train")
    cluster.hold("train", "node-1/half-1", by="trainer")
    part = {"n": "half-1", "s": "used", "c": ["default/train"], "w": 0.5}
    assert UiRig(cluster).cards("node-1") == {"card": [part]}


def test_devices_that_are_not_of_one_node_have_a_row_of_their_own() -> None:
    cluster = Cluster()
    cluster.gpus("everywhere", device("nic-0"), nodeName=None, allNodes=True)
    assert UiRig(cluster).cards("all nodes") == {"nic-0": []}


def test_a_pool_that_nothing_is_allocated_from_says_why() -> None:
    cluster = Cluster()
    cluster.gpus("node-1", count=2)
    (pool,) = UiRig(cluster).of("node")["node-1"]["pools"]
    assert pool["problem"] == "1 of 2 slices of generation 1"


def test_taints_of_rules_are_on_devices() -> None:
    cluster = Cluster()
    cluster.gpus("node-1")
    rig = UiRig(cluster)
    assert rig.cards("node-1") == {"gpu-0": [], "gpu-1": []}
    taint = {"key": "example.com/broken", "effect": "NoExecute"}
    spec = {"deviceSelector": {"driver": DRIVER, "device": "gpu-1"}, "taint": taint}
    rules = next(each for each in rig.caches.resources if each.plural == "devicetaintrules")
    cluster.put(rules, {"metadata": {"name": "broken"}, "spec": spec})
    tainted = [{"n": "gpu-1", "s": "tainted", "i": 1}]
    assert rig.cards("node-1") == {"gpu-0": [], "gpu-1": tainted}


def test_devices_that_are_not_well_are_marked() -> None:
    cluster = Cluster()
    cluster.gpus("node-1")
    cluster.claim("a")
    cluster.hold("a", "node-1/gpu-0", by="one")
    cluster.claim("b")
    cluster.hold("b", "node-1/gpu-1", by="two")
    runs(cluster, "one", "a")
    runs(cluster, "two", "b")
    rig = UiRig(cluster)
    assert [part.get("i") for card in rig.cards("node-1").values() for part in card] == [None, None]
    said = cluster.find(PODS, "one", "default")
    health = {"resourceID": f"{DRIVER}/class=uid-a-gpu-0", "health": "Unhealthy"}
    entry = {"name": "claim:c0", "resources": [health]}
    said["status"]["containerStatuses"] = [{"name": "main", "allocatedResourcesStatus": [entry]}]
    cluster.put(PODS, said)
    raw = cluster.find(V1.claims, "b", "default")
    condition = {"type": "Ready", "status": "False", "reason": "Fell", "message": "off the bus"}
    told = {"driver": DRIVER, "pool": "node-1", "device": "gpu-1", "conditions": [condition]}
    raw["status"]["devices"] = [told]
    cluster.put(V1.claims, raw)
    assert [part.get("i") for card in rig.cards("node-1").values() for part in card] == [1, 1]
    (note,) = rig.of("claim")["default/b"]["notes"]
    assert "off the bus" in note


@cases(
    ("name", "told", "expected"),
    {
        "by-its-place": ("claim:c0", f"{DRIVER}/node-1/gpu-1", [None, 1]),
        "by-cdi": ("claim:c0", "example.com/gpu=uid-gpu-1", [None, 1]),
        "by-cdi-of-a-longer-name": ("claim:c0", "example.com/gpu=biggpu-1", [None, None]),
        "of-a-request": ("claim:c0/second", "example.com/gpu=anything", [None, 1]),
        "of-another-claim": ("claim:c1", f"{DRIVER}/node-1/gpu-1", [None, None]),
    },
)
def test_a_kubelet_names_devices_in_its_own_way(
    name: str, told: str, expected: list[int | None]
) -> None:
    cluster = Cluster()
    cluster.gpus("node-1")
    cluster.claim("two")
    cluster.hold("two", "node-1/gpu-0", "node-1/gpu-1", by="user")
    raw = cluster.find(V1.claims, "two", "default")
    raw["status"]["allocation"]["devices"]["results"][1]["request"] = "second/part"
    cluster.put(V1.claims, raw)
    runs(cluster, "user", "two")
    user = cluster.find(PODS, "user", "default")
    entry = {"name": name, "resources": [{"resourceID": told, "health": "Unhealthy"}]}
    user["status"]["containerStatuses"] = [{"name": "main", "allocatedResourcesStatus": [entry]}]
    cluster.put(PODS, user)
    found = UiRig(cluster).cards("node-1")
    assert [part.get("i") for card in found.values() for part in card] == expected


@cases(
    ("allocated", "reserved", "pod", "state", "part"),
    {
        "pending": (False, False, "Pending", "pending", None),
        "in-use": (True, True, "Running", "in use", "used"),
        "about-to-be": (True, False, "Pending", "reserved", "used"),
        "left-by-an-ended-pod": (True, False, "Succeeded", "left", "left"),
        "left-without-pod": (True, False, "", "left", "left"),
    },
)
def test_states_of_claims(
    allocated: bool, reserved: bool, pod: str, state: str, part: str | None
) -> None:
    cluster = Cluster()
    cluster.gpus("node-1", device("gpu-0"))
    cluster.claim("c")
    if allocated:
        cluster.hold("c", "node-1/gpu-0", by="user" if reserved else "")
    if pod:
        runs(cluster, "user", "c", phase=pod)
    rig = UiRig(cluster)
    assert rig.of("claim")["default/c"]["state"] == state
    assert [each["s"] for each in rig.cards("node-1")["gpu-0"]] == ([part] if part else [])


def test_a_pod_that_waits_says_what_the_scheduler_says() -> None:
    cluster = Cluster()
    cluster.claim("c")
    cluster.pod("c", message="0/2 nodes are available")
    entry = UiRig(cluster).of("pod")["default/waiting"]
    assert (entry["waits"], entry["why"]) == (True, "0/2 nodes are available")
    assert entry["claims"] == ["default/c"]


def test_a_class_without_selectors_is_called_out() -> None:
    cluster = Cluster()
    cluster.put(V1.classes, a_class("anything"))
    found = UiRig(cluster).of("class")
    assert found["anything"] == {"any": True}
    assert found["gpu"] == {"selectors": [f'device.driver == "{DRIVER}"']}


def line(rig: UiRig, key: str) -> list[list[str | int]]:
    found: list[list[str | int]] = rig.of("claim")[key]["line"]
    return found


def test_the_life_of_a_claim_is_told_by_objects_and_by_what_was_seen() -> None:
    cluster = Cluster()
    cluster.gpus("node-1")
    rig = UiRig(cluster)
    rig.look()
    cluster.claim("c")
    assert line(rig, "default/c") == [["created", "2026-11-29T11:00:00Z"]]
    rig.now += timedelta(seconds=1)
    cluster.hold("c", "node-1/gpu-0", by="user")
    allocated = ["allocated", "2026-11-29T09:00:00Z"]
    assert line(rig, "default/c")[1:] == [allocated]
    rig.now += timedelta(seconds=1)
    runs(cluster, "user", "c")
    after = [["prepared", "2026-11-29T12:00:02Z", 1], ["running", "2026-11-29T09:00:05Z"]]
    assert line(rig, "default/c")[1:] == [allocated, *after]
    rig.now += timedelta(seconds=1)
    cluster.remove(V1.claims, "c", "default")
    cluster.remove(PODS, "user", "default")
    released = ["released", "2026-11-29T12:00:03Z", 1]
    assert line(rig, "default/c")[1:] == [allocated, *after, released]
    assert rig.of("claim")["default/c"]["state"] == "released"
    assert rig.cards("node-1")["gpu-0"] == []


def test_what_came_before_the_first_look_has_no_time() -> None:
    cluster = Cluster()
    cluster.gpus("node-1")
    cluster.claim("c")
    cluster.hold("c", "node-1/gpu-0", by="user")
    raw = cluster.find(V1.claims, "c", "default")
    del raw["status"]["allocation"]["allocationTimestamp"]
    cluster.put(V1.claims, raw)
    assert line(UiRig(cluster), "default/c")[1:] == [["allocated", ""]]


def test_a_claim_that_is_allocated_again_begins_anew() -> None:
    cluster = Cluster()
    cluster.gpus("node-1")
    rig = UiRig(cluster)
    rig.look()
    cluster.claim("c")
    cluster.hold("c", "node-1/gpu-0", by="user")
    assert [each[0] for each in line(rig, "default/c")] == ["created", "allocated"]
    raw = cluster.find(V1.claims, "c", "default")
    cluster.put(V1.claims, {**raw, "status": {}})
    assert [each[0] for each in line(rig, "default/c")] == ["created", "allocated", "released"]
    cluster.hold("c", "node-1/gpu-0", by="user")
    assert [each[0] for each in line(rig, "default/c")] == ["created", "allocated"]


def test_only_so_many_deleted_claims_are_remembered() -> None:
    cluster = Cluster()
    for number in range(210):
        cluster.claim(f"c{number}")
    rig = UiRig(cluster)
    rig.look()
    for number in range(210):
        cluster.remove(V1.claims, f"c{number}", "default")
    assert {each["state"] for each in rig.of("claim").values()} == {"released"}
    assert len(rig.of("claim")) == 200


def test_what_may_not_be_read_is_said() -> None:
    cluster = Cluster()
    cluster.gpus("node-1")
    cluster.deny("nodes", "pods")
    rig = UiRig(cluster)
    about = rig.look()["cluster", ""]
    assert about["unread"] == [
        "list pods in all namespaces",
        "list nodes in all namespaces",
    ]
    assert rig.cards("node-1") == {"gpu-0": [], "gpu-1": []}
    cluster.fault = lambda *_: None
    assert rig.look()["cluster", ""]["unread"] == []


def test_a_namespace_alone_can_be_shown() -> None:
    cluster = Cluster()
    cluster.claim("here")
    cluster.claim("there", metadata={"namespace": "fake-system"})
    found = UiRig(cluster, namespace="fake-system").of("claim")
    assert [*found] == ["fake-system/there"]


def test_a_change_is_told_of_its_node_alone() -> None:
    cluster = Cluster()
    cluster.gpus("node-1")
    cluster.gpus("node-2")
    cluster.claim("c")
    rig = UiRig(cluster)
    rig.news()
    cluster.hold("c", "node-2/gpu-0", by="user")
    assert {*rig.news()} == {("node", "node-2"), ("claim", "default/c")}
    assert rig.news() == {}


def test_a_heartbeat_of_a_node_is_no_change() -> None:
    cluster = Cluster()
    rig = UiRig(cluster)
    rig.news()
    raw = cluster.find(NODES, "node-1")
    raw["status"]["conditions"][0]["lastHeartbeatTime"] = "2026-11-29T12:00:00Z"
    cluster.put(NODES, raw)
    assert rig.news() == {}


def classic() -> MemoryApi:
    api = MemoryApi("v1alpha2")
    api.put(NODES, node("node-1"))
    return api


def test_devices_of_classic_claims() -> None:
    api = classic()
    state = holding(nas("node-1", 2), "uid-claim", 1)
    state["spec"]["allocatedClaims"]["uid-claim"]["fake"]["devices"][0]["split"] = 2
    api.put(STATES, state)
    api.put(DRA_V1ALPHA2.claims, reserved(allocated(claim())))
    api.put(PODS, pod("pod", ("c", "claim")))
    rig = UiRig(api, "v1alpha2")
    halves = [
        {"n": "node-1-1", "s": "used", "c": ["default/claim"], "w": 0.5},
        {"n": "node-1-1", "s": "used", "x": 0.5, "c": ["default/claim"], "w": 0.5},
    ]
    assert rig.cards("node-1") == {"node-1-0": [], "node-1-1": halves}
    found = rig.of("claim")["default/claim"]
    assert found["devices"] == [[FAKE.driver_name, "node-1", "node-1-1"]]
    assert found["pods"] == ["default/pod"]
    card = rig.details.card(FAKE.driver_name, "node-1", "node-1-1", rig.now)
    assert card is not None
    assert card["devices"][0]["holders"] == [{"claim": "default/claim", "split": 2}]


def test_claims_that_share_a_classic_device_lie_side_by_side() -> None:
    api = classic()
    state = holding(nas("node-1", 1), "uid-b", 0, share=(1, 4))
    api.put(STATES, holding(state, "uid-a", 0, share=(0, 4)))
    for name in ("a", "b"):
        api.put(DRA_V1ALPHA2.claims, reserved(allocated(claim(name))))
    api.put(PODS, pod("pod", ("c", "a"), ("d", "b")))
    rig = UiRig(api, "v1alpha2")
    assert rig.cards("node-1") == {
        "node-1-0": [
            {"n": "node-1-0", "s": "used", "c": ["default/a"], "w": 0.25},
            {"n": "node-1-0", "s": "used", "x": 0.25, "c": ["default/b"], "w": 0.25},
            {"n": "node-1-0", "x": 0.5, "w": 0.5},
        ]
    }
    card = rig.details.card(FAKE.driver_name, "node-1", "node-1-0", rig.now)
    assert card is not None
    assert [each["claim"] for each in card["devices"][0]["holders"]] == ["default/a", "default/b"]


def test_devices_that_classic_claims_say_they_have() -> None:
    api = classic()
    api.put(STATES, nas("node-1", 2))
    api.put(PODS, pod("pod", ("c", "claim")))
    rig = UiRig(api, "v1alpha2")
    assert rig.cards("node-1") == {"node-1-0": [], "node-1-1": []}
    api.put(DRA_V1ALPHA2.claims, reserved(told(claim(), "node-1-1", split=2)))
    halves = [
        {"n": "node-1-1", "s": "used", "c": ["default/claim"], "w": 0.5},
        {"n": "node-1-1", "s": "used", "x": 0.5, "c": ["default/claim"], "w": 0.5},
    ]
    assert rig.cards("node-1") == {"node-1-0": [], "node-1-1": halves}
    found = rig.of("claim")["default/claim"]
    assert found["devices"] == [[FAKE.driver_name, "node-1", "node-1-1"]]
    card = rig.details.card(FAKE.driver_name, "node-1", "node-1-1", rig.now)
    assert card is not None
    assert card["devices"][0]["holders"] == [{"claim": "default/claim", "split": 2}]
    api.delete(DRA_V1ALPHA2.claims, "claim", "default")
    assert rig.cards("node-1") == {"node-1-0": [], "node-1-1": []}


def test_a_claim_that_says_what_it_has_is_shown_it_whenever_its_node_comes() -> None:
    api = classic()
    api.put(DRA_V1ALPHA2.claims, reserved(told(claim(), "node-1-0")))
    rig = UiRig(api, "v1alpha2")
    assert "devices" not in rig.of("claim")["default/claim"]
    api.put(STATES, nas("node-1", 1))
    found = rig.of("claim")["default/claim"]
    assert found["devices"] == [[FAKE.driver_name, "node-1", "node-1-0"]]


def test_what_claims_of_other_namespaces_have_is_said_to_be_unknown() -> None:
    api = classic()
    state = nas("node-1", 1)
    state["metadata"]["annotations"] = {WRITER_ANNOTATION: "controller.1"}
    api.put(STATES, state)
    (note,) = UiRig(api, "v1alpha2", "default").of("node")["node-1"]["notes"]
    assert note == "claims of other namespaces, which are not shown, may have more of its devices"
    assert "notes" not in UiRig(api, "v1alpha2").of("node")["node-1"]


def test_a_claim_that_cannot_be_read_is_told_of_its_node() -> None:
    api = classic()
    api.put(STATES, nas("node-1", 1))
    unreadable = told(claim(), "node-1-0")
    unreadable["status"]["allocation"]["resourceHandles"][0]["data"] = "nonsense"
    api.put(DRA_V1ALPHA2.claims, unreadable)
    (note,) = UiRig(api, "v1alpha2").of("node")["node-1"]["notes"]
    assert "ResourceClaim default/claim was given devices that cannot be read" in note


def test_a_device_that_is_still_prepared_is_not_free() -> None:
    api = classic()
    api.put(STATES, preparing(nas("node-1", 1), "uid-gone", 0))
    busy = [{"n": "node-1-0", "s": "busy"}]
    assert UiRig(api, "v1alpha2").cards("node-1") == {"node-1-0": busy}


def test_what_the_driver_of_classic_claims_prepares_is_a_station() -> None:
    api = classic()
    api.put(DRA_V1ALPHA2.claims, reserved(allocated(claim())))
    state = holding(nas("node-1", 1), "uid-claim", 0)
    api.put(STATES, state)
    rig = UiRig(api, "v1alpha2")
    assert [each[0] for each in line(rig, "default/claim")] == ["created", "allocated"]
    rig.now += timedelta(seconds=1)
    api.put(STATES, preparing(state, "uid-claim", 0))
    assert line(rig, "default/claim")[-1] == ["prepared", "2026-11-29T12:00:01Z", 1]


def test_a_malformed_state_is_told_of_its_node() -> None:
    api = classic()
    api.put(STATES, {**nas("node-1"), "spec": {"allocatableDevice": "nonsense"}})
    (note,) = UiRig(api, "v1alpha2").of("node")["node-1"]["notes"]
    assert "allocatableDevice" in note


class Changes(RuleBasedStateMachine):
    """Whatever happens in whatever order, what was told of it is what a new page is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster = Cluster()
        self.rig = UiRig(self.cluster)
        self.page: dict[Place, JSON] = {}

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except KeyError:  # there is none
            return

    @rule(node=st.sampled_from(["node-1", "node-2"]), devices=st.integers(1, 3))
    def publish(self, node: str, devices: int) -> None:
        for each in self.cluster.all(V1.slices):
            if each["spec"]["nodeName"] == node:
                self.cluster.remove(V1.slices, each["metadata"]["name"])
        self.cluster.gpus(node, *(device(f"gpu-{number}") for number in range(devices)))

    @rule(node=st.sampled_from(["node-1", "node-2"]))
    def withdraw(self, node: str) -> None:
        for each in self.cluster.all(V1.slices):
            if each["spec"]["nodeName"] == node:
                self.cluster.remove(V1.slices, each["metadata"]["name"])

    @rule(
        name=st.sampled_from("ab"),
        place=st.sampled_from(["node-1/gpu-0", "node-1/gpu-1", "node-2/gpu-0"]),
        by=st.sampled_from(["", "user"]),
    )
    def hold(self, name: str, place: str, by: str) -> None:
        self.cluster.claim(name)
        self.cluster.hold(name, place, by=by)

    @rule(name=st.sampled_from("ab"))
    def delete(self, name: str) -> None:
        self._try(lambda: self.cluster.remove(V1.claims, name, "default"))

    @rule(name=st.sampled_from("ab"), phase=st.sampled_from(["Pending", "Running", "Succeeded"]))
    def run(self, name: str, phase: str) -> None:
        runs(self.cluster, "user", name, phase=phase)

    @rule()
    def end(self) -> None:
        self._try(lambda: self.cluster.remove(PODS, "user", "default"))

    @rule(ready=st.booleans())
    def node(self, ready: bool) -> None:
        self.cluster.node("node-1", taints=[] if ready else [{"key": "a", "effect": "NoSchedule"}])

    @invariant()
    def same(self) -> None:
        for place, entry in self.rig.news().items():
            self.page.pop(place, None)
            if entry is not None:
                self.page[place] = entry
        assert self.page == self.rig.shown()
        kinds = ("node", "pod", "class")
        anew = UiRig(self.cluster).look()
        assert self._of(self.page, *kinds) == self._of(anew, *kinds)
        there = {place for place in anew if place[0] == "claim"}
        untimed = {"line": None}
        for place in there:
            assert {**self.page[place], **untimed} == {**anew[place], **untimed}

    def _of(self, shown: dict[Place, JSON], *kinds: str) -> dict[Place, JSON]:
        return {place: entry for place, entry in shown.items() if place[0] in kinds}


TestChanges = Changes.TestCase
TestChanges.settings = settings(max_examples=tries(20), stateful_step_count=15, deadline=None)
