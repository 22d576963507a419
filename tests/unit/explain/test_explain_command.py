"""The commands, beside what docs/explain.md shows."""

import json
import sys
from typing import Any

import pytest
from click.testing import CliRunner

import explain.commands as commands
from api.names import CLAIM_PARAMETERS_KIND, PARAMETERS_GROUP
from api.objects import JSON
from api.resources import (
    CLASS_PARAMETERS,
    DRA_V1ALPHA2,
    DRA_V1ALPHA3,
    NODES,
    PODS,
    STATES,
    Resource,
)
from cli.__main__ import main
from explain.commands import watched
from explain.diagnosis import Cause, Diagnosis
from kube.calls import Patch
from kube.errors import Forbidden, KubeError, NotFound
from kube.pages import ListPage
from testing.apiserver import MemoryApi
from tests.support.allocationworld import DRIVER, ask, device
from tests.support.build import (
    claim,
    device_claim,
    device_class,
    device_request,
    holding,
    nas,
    node,
    offering,
    pod,
    resource_class,
    scheduling,
    told,
)
from tests.support.waitingpods import CASES, V1, Cluster, gpu, run


def test_json_has_all_that_the_text_has() -> None:
    cluster = Cluster()
    CASES["inuse"].make(cluster)
    found = run(cluster, "explain", "pod", "waiting", "-o", "json")
    told = json.loads(found.output)
    assert (told["subject"], told["cause"], told["fits"]) == (
        "pod default/waiting",
        "devices",
        False,
    )
    (refused,) = told["nodes"][1]["requests"][0]["refused"]
    assert refused["device"] == f"{DRIVER}/node-2/gpu-3"
    assert refused["rule"] == "in-use"
    assert refused["holders"][0]["claim"] == "default/training"
    assert refused["holders"][0]["consumers"] == ["pod default/train-0"]
    assert told["nearest"]["node"] == "node-2"


def test_verbose_tells_of_each_device() -> None:
    cluster = Cluster()
    CASES["counters"].make(cluster)
    lines = run(cluster, "explain", "pod", "waiting", "-v").output.splitlines()
    assert f"  {DRIVER}/node-1/whole  counters: counter units of card: 16 wanted, 8 left" in lines
    assert f"  {DRIVER}/node-1/half-0  in-use: in use by claim default/training" in lines


def test_who_holds_a_device_matters_only_if_it_is_selected() -> None:
    cluster = Cluster()
    CASES["selector"].make(cluster)
    cluster.claim("other")
    cluster.hold("other", "node-1/gpu-0", by="x")
    found = run(cluster, "explain", "pod", "waiting")
    assert "refused: 1 selector" in found.output
    assert "in-use" not in found.output


def test_one_screen_shows_the_first_of_much_advice() -> None:
    cluster = Cluster()
    cluster.gpus("node-1", *(device(f"gpu-{n:02}") for n in range(30)))
    for n in range(30):
        cluster.claim(f"held-{n}")
        cluster.hold(f"held-{n}", f"node-1/gpu-{n:02}", by=f"pod-{n}")
    cluster.claim("gpus", gpu(30))
    cluster.pod("gpus")
    short = run(cluster, "explain", "pod", "waiting").output
    assert short.count("  - free node-1/") == 12
    assert "  and 18 more; see them with -v" in short
    assert run(cluster, "explain", "pod", "waiting", "-v").output.count("- free node-1/") == 30


@pytest.mark.parametrize("version", ["v1beta1", "v1beta2"])
def test_older_versions_are_explained_alike(version: str) -> None:
    told = []
    for served in (version, "v1"):
        cluster = Cluster(37, served)
        CASES["inuse"].make(cluster)
        told.append(run(cluster, "explain", "pod", "waiting").output)
    assert told[0] == told[1]


def test_older_minor_has_other_gates() -> None:
    cluster = Cluster(35)
    CASES["fits"].make(cluster)
    found = run(cluster, "explain", "pod", "waiting")
    assert "defaults of Kubernetes 1.35" in found.output
    assert "the rules are those of 1.36 and later" in found.output


def test_flag_turns_a_gate_off() -> None:
    cluster = Cluster()
    CASES["taint"].make(cluster)
    found = run(cluster, "explain", "pod", "waiting", "--feature-gates", "DRADeviceTaints=false")
    assert found.exit_code == 0
    assert "feature gates: --feature-gates, else defaults" in found.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("explain", "pod", "nobody"), "there is no Pod nobody in namespace default"),
        (("explain", "claim", "none", "-n", "x"), "there is no ResourceClaim none in namespace x"),
        (("explain", "node", "none"), "there is no Node none"),
        (("explain", "class", "none"), "there is no DeviceClass none; there are: gpu"),
        (("why-not", "--selector", "true", "--class", "no"), "there is no DeviceClass no"),
        (("explain", "pod", "x", "--feature-gates", "A"), "'A' is not NAME=true or NAME=false"),
        (("why-not",), "--selector (env EXPLAIN_SELECTOR) is not set"),
        (("explain", "pod"), "Missing argument 'NAME'; see main explain pod --help"),
    ],
)
def test_what_is_not_there_is_wrong_usage(arguments: tuple[str, ...], told: str) -> None:
    found = run(Cluster(), *arguments)
    assert found.exit_code == 2
    assert told in found.output


def test_pod_that_may_not_be_read_names_the_right() -> None:
    cluster = Cluster()

    def fault(verb: str, plural: str, _body: Patch | None) -> KubeError | None:
        return Forbidden(403, "Forbidden", "no") if (verb, plural) == ("get", "pods") else None

    cluster.fault = fault
    found = run(cluster, "explain", "pod", "waiting")
    assert found.exit_code == 2
    assert "you lack the right to get pods" in found.output


@pytest.mark.parametrize(
    ("hidden", "code", "told"),
    [
        ("nodes", 3, "not read: list nodes in all namespaces"),
        ("pods", 3, "not read: list pods in all namespaces"),
        ("events", 0, "not read: list events in namespace default"),
        ("resourceclaimtemplates", 0, "not read: list resourceclaimtemplates.resource.k8s.io"),
        ("deviceclasses", 3, "classes of devices can't be read"),
        ("resourceclaims", 3, "its claims can't be read"),
        ("resourceslices", 3, "ResourceSlices can't be read"),
    ],
)
def test_what_may_not_be_read_is_said(hidden: str, code: int, told: str) -> None:
    cluster = Cluster()
    CASES["fits"].make(cluster)
    cluster.deny(hidden)
    found = run(cluster, "explain", "pod", "waiting")
    assert (found.exit_code, told in found.output) == (code, True), found.output
    assert f"{hidden} is forbidden" in found.output


def test_claims_of_the_namespace_are_better_than_none() -> None:
    cluster = Cluster()
    CASES["fits"].make(cluster)
    asked = []

    def fault(verb: str, plural: str, _body: Patch | None) -> KubeError | None:
        if (verb, plural) == ("list", "resourceclaims"):
            asked.append(plural)
            return Forbidden(403, "Forbidden", "not in all") if len(asked) == 1 else None
        return None

    cluster.fault = fault
    found = run(cluster, "explain", "pod", "waiting")
    assert found.exit_code == 3
    assert "as far as it can be seen, it fits now on 1 node: node-1" in found.output
    assert "resourceclaims can't be read" in found.output


def test_nodes_that_may_not_be_read_are_not_taken_for_none() -> None:
    cluster = Cluster()
    cluster.gpus("node-1", nodeName=None, allNodes=True)
    cluster.claim("gpu")
    cluster.pod("gpu")
    cluster.deny("nodes")
    found = run(cluster, "explain", "pod", "waiting")
    assert found.exit_code == 3
    assert "nodes can't be read" in found.output


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_written_and_no_secret_is_read(name: str) -> None:
    cluster = Cluster()
    CASES[name].make(cluster)
    run(cluster, "explain", "pod", "waiting")
    assert cluster.writes() == []
    assert {plural for _, plural, _ in cluster.calls}.isdisjoint({"secrets", "configmaps"})


def diagnosis(summary: str, cause: Cause = Cause.DEVICES, *helps: str) -> Diagnosis:
    fits = {Cause.DEVICES: False, Cause.RUNS: True}[cause]
    return Diagnosis("pod default/x", cause, fits, summary, helps=helps)


def test_watch_tells_what_changes_until_the_pod_runs(capsys: pytest.CaptureFixture[str]) -> None:
    looks = iter(
        [
            diagnosis("waits", Cause.DEVICES, "for 3m"),
            diagnosis("waits", Cause.DEVICES, "for 4m"),
            diagnosis("waits for less"),
            diagnosis("runs", Cause.RUNS),
        ]
    )
    slept: list[float] = []
    values = {"watch": True, "verbose": False, "output": "text", "interval": 2.0}
    assert watched(looks.__next__, values, sleep=slept.append) == 0
    shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("pod")]
    assert shown == [f"pod default/x: {each}" for each in ("waits", "waits for less", "runs")]
    assert slept == [2.0, 2.0, 2.0]


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "explain.run", None)
    found = CliRunner().invoke(main, ["explain", "pod", "x"])
    assert found.exit_code == 2
    assert "pip install 'fake-dra-driver[explain]'" in found.output


def test_namespace_is_that_of_the_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "current_namespace", lambda _: "mine")
    assert "in namespace mine" in run(Cluster(), "explain", "pod", "x").output


@pytest.mark.parametrize(
    ("expression", "code", "told"),
    [
        ("device.driver == ", 1, "does not compile"),
        (f'device.attributes["{DRIVER}"].model == "a"', 1, "fails: no such key: model"),
        ("true", 0, "selects 2 of 2 devices, 1 of them free"),
        ("false", 1, "selects 0 of 2 devices"),
    ],
    ids=["compile-error", "runtime-error", "all", "none"],
)
def test_why_not(expression: str, code: int, told: str) -> None:
    cluster = Cluster()
    cluster.gpus("node-1")
    cluster.claim("held")
    cluster.hold("held", "node-1/gpu-0", by="x")
    found = run(cluster, "why-not", "--selector", expression)
    assert (found.exit_code, told in found.output) == (code, True), found.output


def test_what_holds_a_pod_back_is_named_before_what_the_scheduler_would_find() -> None:
    cluster = Cluster()
    cluster.claim("gpu", ask("gpu", deviceClassName="gpus"))
    cluster.pod("gpu", "template:gpus", message="")
    told = json.loads(run(cluster, "explain", "pod", "waiting", "-o", "json").output)
    assert told["cause"] == "template-missing"
    assert told["facts"] == ["claim default/gpu, request gpu: class gpus does not exist"]
    assert told["helps"] == [
        "create the template; the claim follows by itself",
        "create the class, or name one that exists: gpu",
    ]


def test_class_without_selectors_is_called_out() -> None:
    cluster = Cluster()
    cluster.gpus("node-1")
    cluster.put(V1.classes, {"metadata": {"name": "any"}, "spec": {}})
    found = run(cluster, "explain", "class", "any")
    assert "it has no selectors: every device of every driver is of this class" in found.output


@pytest.mark.parametrize("subject", [("node", "node-1"), ("class", "gpu")], ids=["node", "class"])
def test_incomplete_pool_is_told(subject: tuple[str, str]) -> None:
    cluster = Cluster()
    cluster.gpus("node-1", count=2)
    found = run(cluster, "explain", *subject)
    assert found.exit_code == 1
    assert f"nothing is allocated from pool {DRIVER}/node-1: 1 of 2 slices" in found.output


@pytest.mark.parametrize(
    ("by", "pods", "code", "told"),
    [
        ("waiting", True, 0, "it is allocated and in use"),
        ("", True, 0, "it is allocated, but not reserved for a pod yet"),
        ("", False, 0, "nobody uses it: a claim that keeps devices from others"),
    ],
    ids=["in-use", "not-reserved", "left"],
)
def test_life_of_an_allocated_claim(by: str, pods: bool, code: int, told: str) -> None:
    cluster = Cluster()
    cluster.gpus("node-1")
    cluster.claim("gpu")
    cluster.hold("gpu", "node-1/gpu-0", by=by)
    if pods:
        cluster.pod("gpu")
    found = run(cluster, "explain", "claim", "gpu")
    assert (found.exit_code, told in found.output) == (code, True), found.output
    assert f"allocated 3h ago: {DRIVER}/node-1/gpu-0" in found.output


def test_claim_that_waits_tells_why_its_pod_does() -> None:
    cluster = Cluster()
    CASES["inuse"].make(cluster)
    found = run(cluster, "explain", "claim", "gpus")
    assert found.exit_code == 1
    assert "pod default/waiting waits: no node has the devices" in found.output


@pytest.mark.parametrize(("count", "code"), [(1, 0), (3, 1)])
def test_claim_that_no_pod_uses_tells_whether_it_could(count: int, code: int) -> None:
    cluster = Cluster()
    cluster.gpus("node-1")
    cluster.claim("gpu", gpu(count))
    found = run(cluster, "explain", "claim", "gpu")
    assert found.exit_code == code
    assert "no pod waits for it" in found.output


def test_driver_that_publishes_nothing_any_more_is_named() -> None:
    cluster = Cluster()
    CASES["failingplugin"].make(cluster)
    for each in cluster.all(V1.slices):
        cluster.remove(V1.slices, each["metadata"]["name"])
    found = run(cluster, "explain", "pod", "waiting")
    assert f"driver {DRIVER} publishes the devices no more: its plugin may not run" in found.output


class RuledCluster(Cluster):
    """A cluster with a DeviceTaintRule, which the API server in the process doesn't have."""

    def versions(self, group: str) -> list[str]:
        return ["v1", "v1beta2"]

    def list(self, resource: Resource, **scope: Any) -> ListPage:
        if resource.plural != "devicetaintrules":
            return super().list(resource, **scope)
        if resource.version == "v1":
            raise NotFound(404, "NotFound", "no such kind")
        taint = {"key": "example.com/repair", "effect": "NoSchedule"}
        return ListPage([{"spec": {"deviceSelector": {"pool": "node-1"}, "taint": taint}}], "1")


def test_taint_of_a_rule_is_told_whatever_its_version() -> None:
    cluster = RuledCluster()
    CASES["fits"].make(cluster)
    found = run(cluster, "explain", "pod", "waiting", "-v")
    assert found.exit_code == 1
    assert "taint: taint example.com/repair:NoSchedule not tolerated" in found.output


class ClassicCluster(MemoryApi):
    """A cluster of 1.30 with two nodes, of which the first has two devices that a claim holds."""

    def __init__(self) -> None:
        super().__init__("v1alpha2")
        self.put(DRA_V1ALPHA2.classes, resource_class())
        for name in ("node-1", "node-2"):
            self.put(NODES, node(name))
        self.put(STATES, holding(nas("node-1", 2), "uid-held", 0, 1))
        for name in ("held", "wants"):
            self.put(DRA_V1ALPHA2.claims, claim(name))
        waiting: JSON = {**pod("waiting", ("c", "wants")), "status": {"phase": "Pending"}}
        self.put(PODS, waiting)

    def close(self) -> None:
        """Stay open for the test."""


def test_classic_pod_hears_what_the_controller_would_say() -> None:
    found = run(ClassicCluster(), "explain", "pod", "waiting")
    assert found.exit_code == 1
    assert "node-1  asked for 1 device, not free at present" in found.output
    assert "node-2  no plugin has published its devices" in found.output
    rest = "the rest is held by claim default/held (reserved for nobody)"
    assert f"nearest is node-1, with 0 of 1 device free; {rest}" in found.output


def test_classic_pod_hears_who_shares_the_devices() -> None:
    cluster = ClassicCluster()
    its_class, offer = offering(sharing="TimeSliced", maxClients=1)
    cluster.put(DRA_V1ALPHA2.classes, its_class)
    cluster.put(CLASS_PARAMETERS, offer)
    state = holding(nas("node-1", 2, sharing=["TimeSliced"]), "uid-held", 0, 1, share=(0, 1))
    cluster.put(STATES, state)
    found = run(cluster, "explain", "pod", "waiting")
    assert found.exit_code == 1
    assert "asked for 1 share of devices with at most 1 client, not free at present" in found.output
    near = "nearest is node-1, with 0 of 1 share of devices with at most 1 client free"
    assert f"{near}; the rest is held by claim default/held (reserved for nobody)" in found.output
    state["spec"]["allocatedClaims"]["uid-held"]["fake"]["devices"].pop()
    cluster.put(STATES, state)
    assert run(cluster, "explain", "pod", "waiting").exit_code == 0


def test_devices_that_a_classic_claim_says_it_has_are_not_free() -> None:
    cluster = ClassicCluster()
    cluster.put(STATES, nas("node-1", 2))
    cluster.put(DRA_V1ALPHA2.claims, told(claim("held"), "node-1-0", "node-1-1"))
    found = run(cluster, "explain", "pod", "waiting")
    assert found.exit_code == 1
    assert "node-1  asked for 1 device, not free at present" in found.output
    assert "the rest is held by claim default/held (reserved for nobody)" in found.output


def test_classic_pod_that_fits() -> None:
    cluster = ClassicCluster()
    cluster.put(STATES, nas("node-2", 1))
    assert run(cluster, "explain", "pod", "waiting").exit_code == 0


def test_classic_controller_that_does_not_answer_is_the_cause() -> None:
    cluster = ClassicCluster()
    cluster.put(STATES, nas("node-2", 1))
    cluster.put(DRA_V1ALPHA2.contexts, scheduling("waiting", potential=["node-2"]))
    found = run(cluster, "explain", "pod", "waiting")
    assert found.exit_code == 1
    assert "the driver has not answered for c" in found.output


def test_classic_claim_that_is_to_be_allocated_at_once() -> None:
    cluster = ClassicCluster()
    cluster.put(DRA_V1ALPHA2.claims, claim("wants", mode="Immediate"))
    found = run(cluster, "explain", "pod", "waiting")
    assert found.exit_code == 1
    assert "claim default/wants is to be allocated at once, and is not" in found.output


def test_classic_claim_of_another_driver_hears_what_that_has_answered() -> None:
    cluster = ClassicCluster()
    cluster.put(DRA_V1ALPHA2.classes, resource_class(driver="other.example.com"))
    context = scheduling("waiting", potential=["node-1", "node-2"])
    answers = [{"name": "c", "unsuitableNodes": ["node-2"]}]
    cluster.put(DRA_V1ALPHA2.contexts, {**context, "status": {"resourceClaims": answers}})
    found = run(cluster, "explain", "pod", "waiting")
    assert found.exit_code == 0
    assert "node-2  another driver refuses it for c" in found.output
    assert "claim default/wants is another driver's" in found.output


def test_classic_claim_of_1_31() -> None:
    cluster = ClassicCluster()
    cluster.served = ("v1alpha3",)
    cluster.put(DRA_V1ALPHA3.classes, device_class())
    cluster.put(DRA_V1ALPHA3.claims, device_claim("wants", device_request(count=3)))
    found = run(cluster, "explain", "pod", "waiting")
    assert found.exit_code == 1
    assert "asked for 3 devices, which can never fit on a node of 2" in found.output


def test_classic_class_that_is_missing() -> None:
    cluster = ClassicCluster()
    cluster.remove(DRA_V1ALPHA2.classes, "my-class")
    found = run(cluster, "explain", "pod", "waiting")
    assert "claim default/wants: class my-class does not exist" in found.output


def test_classic_parameters_that_are_missing() -> None:
    cluster = ClassicCluster()
    reference = {"apiGroup": PARAMETERS_GROUP, "kind": CLAIM_PARAMETERS_KIND, "name": "p"}
    cluster.put(DRA_V1ALPHA2.claims, claim("wants", parametersRef=reference))
    found = run(cluster, "explain", "pod", "waiting")
    assert found.exit_code == 1
    assert "which does not exist; create it" in found.output


def test_classic_claim() -> None:
    found = run(ClassicCluster(), "explain", "claim", "wants")
    assert "pod default/waiting waits: no node has the devices" in found.output


def test_classic_states_that_may_not_be_read_are_not_taken_for_none() -> None:
    cluster = ClassicCluster()

    def fault(verb: str, plural: str, _body: Patch | None) -> KubeError | None:
        hidden = (verb, plural) == ("list", STATES.plural)
        return Forbidden(403, "Forbidden", "no") if hidden else None

    cluster.fault = fault
    found = run(cluster, "explain", "pod", "waiting")
    assert found.exit_code == 3
    assert "nodeallocationstates can't be read" in found.output


def test_classic_node_is_not_explained() -> None:
    found = run(ClassicCluster(), "explain", "node", "node-1")
    assert found.exit_code == 2
    assert "only pods and claims can be explained there" in found.output


def test_cluster_without_dra_says_so() -> None:
    cluster = Cluster()
    cluster.pod()
    cluster.served = ()
    found = run(cluster, "explain", "pod", "waiting")
    assert found.exit_code == 2
    assert "resource.k8s.io in no version" in found.output
