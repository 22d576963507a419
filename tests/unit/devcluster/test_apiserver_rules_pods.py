import copy
from typing import Any

import pytest

from api.objects import JSON
from devcluster.apiserver.errors import Conflict, Invalid
from devcluster.apiserver.patch import MERGE, STRATEGIC, Patch
from devcluster.apiserver.rules.binding import bind
from devcluster.apiserver.rules.pods import pod_grace, qos_class
from devcluster.apiserver.rules.podspec import spec_errors
from devcluster.apiserver.writes import WriteOptions
from tests.support.apiserverrig import STARTED, Rig, pod_body
from tests.support.tables import cases


def test_a_new_pod_waits_for_a_node_with_all_defaults(rig: Rig) -> None:
    pod = rig.create("Pod", pod_body("p"))
    assert pod["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    spec = pod["spec"]
    assert spec["restartPolicy"] == "Always"
    assert spec["terminationGracePeriodSeconds"] == 30
    assert spec["schedulerName"] == "default-scheduler"
    assert [each["tolerationSeconds"] for each in spec["tolerations"]] == [300, 300]
    container = spec["containers"][0]
    assert (container["imagePullPolicy"], container["resources"]) == ("Always", {})


def test_what_the_user_sets_stays(rig: Rig) -> None:
    everything = {"operator": "Exists"}
    pod = rig.create("Pod", pod_body("p", restartPolicy="Never", tolerations=[everything]))
    assert pod["spec"]["restartPolicy"] == "Never"
    assert pod["spec"]["tolerations"] == [everything]


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("busybox", "Always"),
        ("busybox:latest", "Always"),
        ("busybox:1.36", "IfNotPresent"),
        ("host:5000/busybox", "Always"),
        ("busybox@sha256:00", "IfNotPresent"),
    ],
)
def test_pull_policies_follow_the_tag(rig: Rig, image: str, policy: str) -> None:
    pod = rig.create("Pod", pod_body("p", containers=[{"name": "c", "image": image}]))
    assert pod["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_limits_are_requests_where_there_are_none(rig: Rig) -> None:
    limits = {"cpu": "1", "memory": "1Gi"}
    container = {"name": "c", "image": "i", "resources": {"limits": limits}}
    pod = rig.create("Pod", pod_body("p", containers=[container]))
    assert pod["spec"]["containers"][0]["resources"]["requests"] == limits
    assert pod["status"]["qosClass"] == "Guaranteed"


BOTH = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ([{}], "BestEffort"),
        ([{"claims": [{"name": "c"}]}], "BestEffort"),
        ([{"limits": {"example.com/gpu": "1"}}], "BestEffort"),
        ([{"requests": {"cpu": "1"}}], "Burstable"),
        ([{"requests": BOTH, "limits": BOTH}], "Guaranteed"),
        ([{"requests": BOTH, "limits": {**BOTH, "cpu": "2"}}], "Burstable"),
        ([{"requests": BOTH, "limits": BOTH}, {}], "Burstable"),
    ],
)
def test_qualities_of_service(resources: list[JSON], quality: str) -> None:
    assert qos_class({"containers": [{"resources": each} for each in resources]}) == quality


def spec(**fields: Any) -> JSON:
    given: JSON = {"restartPolicy": "Always", "containers": [{"name": "c", "image": "i"}]}
    return {**given, **fields}


CLAIM = {"name": "g", "source": {"resourceClaimName": "x"}}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (spec(), ""),
        (spec(resourceClaims=[CLAIM]), ""),
        (spec(containers=[]), "spec.containers: Required value"),
        (
            spec(restartPolicy="Often"),
            (
                'spec.restartPolicy: Unsupported value: "Often": supported values: "Always", '
                '"Never", "OnFailure"'
            ),
        ),
        (spec(containers=[{"name": "c"}]), "spec.containers[0].image: Required value"),
        (
            spec(containers=[{"name": "c", "image": "i"}] * 2),
            'spec.containers[1].name: Duplicate value: "c"',
        ),
        (spec(containers=[{"image": "i"}]), "spec.containers[0].name: Required value"),
        (
            spec(resourceClaims=[{"name": "g", "source": {}}]),
            (
                "spec.resourceClaims[0].source: Invalid value: {}: must specify one of: "
                "`resourceClaimName`, `resourceClaimTemplateName`"
            ),
        ),
        (spec(resourceClaims=[CLAIM, CLAIM]), 'spec.resourceClaims[1].name: Duplicate value: "g"'),
        (
            spec(
                containers=[
                    {"name": "c", "image": "i", "resources": {"claims": [{"name": "nope"}]}}
                ],
                resourceClaims=[CLAIM],
            ),
            'spec.containers[0].resources.claims[0]: Not found: "nope"',
        ),
        (
            spec(
                containers=[
                    {"name": "c", "image": "i", "resources": {"claims": [{"name": "g"}] * 2}}
                ],
                resourceClaims=[CLAIM],
            ),
            'spec.containers[0].resources.claims[1]: Duplicate value: "g"',
        ),
    ],
)
def test_checks_of_pods(given: JSON, said: str) -> None:
    assert "\n".join(map(str, spec_errors(given))) == said


@cases(
    ("uses", "said"),
    {
        "two-requests": ([("g", "a"), ("g", "b")], ""),
        "twice": (
            [("g", "a"), ("g", "a")],
            'spec.containers[0].resources.claims[1]: Duplicate value: "g/a"',
        ),
        "all-and-one": (
            [("g", ""), ("g", "a")],
            'spec.containers[0].resources.claims[1]: Duplicate value: "g"',
        ),
        "name": (
            [("g", "A")],
            "spec.containers[0].resources.claims[0].request: Invalid value: ",
        ),
    },
)
def test_requests_of_claims(uses: list[tuple[str, str]], said: str) -> None:
    claims = [{"name": name, **({"request": r} if r else {})} for name, r in uses]
    container = {"name": "c", "image": "i", "resources": {"claims": claims}}
    flat = {"name": "g", "resourceClaimName": "claim"}
    found = "\n".join(map(str, spec_errors(spec(containers=[container], resourceClaims=[flat]))))
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_both_sources_of_a_claim_are_one_too_many() -> None:
    source = {"resourceClaimName": "a", "resourceClaimTemplateName": "B"}
    found = list(spec_errors(spec(resourceClaims=[{"name": "g", "source": source}])))
    assert [error.path.rpartition(".")[2] for error in found] == [
        "source",
        "resourceClaimTemplateName",
    ]


@cases(
    "change",
    {
        "labels": {"metadata": {"labels": {"a": "1"}}},
        "image": {"spec": {"containers": [{"name": "c", "image": "other"}]}},
        "deadline": {"spec": {"activeDeadlineSeconds": 5}},
    },
)
def test_what_of_a_pod_may_change(rig: Rig, change: JSON) -> None:
    rig.create("Pod", pod_body("p"))
    rig.store.patch(rig.kind("Pod"), "default", "p", Patch(STRATEGIC, change))


def test_tolerations_may_be_added_and_not_taken_away(rig: Rig) -> None:
    pod = rig.create("Pod", pod_body("p"))
    more = [*pod["spec"]["tolerations"], {"key": "x", "operator": "Exists"}]
    kind = rig.kind("Pod")
    rig.store.patch(kind, "default", "p", Patch(MERGE, {"spec": {"tolerations": more}}))
    with pytest.raises(Invalid, match=r"spec\.tolerations"):
        rig.store.patch(kind, "default", "p", Patch(MERGE, {"spec": {"tolerations": more[:2]}}))


GATED = [{"name": "example.com/a"}, {"name": "example.com/b"}]


def test_a_gated_pod_says_so(rig: Rig) -> None:
    pod = rig.create("Pod", pod_body("p", schedulingGates=GATED))
    (told,) = pod["status"]["conditions"]
    assert (told["type"], told["status"], told["reason"]) == (
        "PodScheduled",
        "False",
        "SchedulingGated",
    )
    assert told["message"] == "Scheduling is blocked due to non-empty scheduling gates"


@pytest.mark.parametrize("left", [GATED[1:], [], None], ids=["one", "none", "null"])
def test_scheduling_gates_may_be_taken_away(rig: Rig, left: list[JSON] | None) -> None:
    rig.create("Pod", pod_body("p", schedulingGates=GATED))
    patch = Patch(MERGE, {"spec": {"schedulingGates": left}})
    rig.store.patch(rig.kind("Pod"), "default", "p", patch)
    pod = rig.get("Pod", "p")
    assert pod is not None
    assert (pod["spec"].get("schedulingGates") or []) == (left or [])


@pytest.mark.parametrize("before", [[], GATED[:1]], ids=["the first", "one more"])
def test_scheduling_gates_may_not_be_added(rig: Rig, before: list[JSON]) -> None:
    rig.create("Pod", pod_body("p", schedulingGates=before))
    patch = Patch(MERGE, {"spec": {"schedulingGates": GATED}})
    with pytest.raises(Invalid, match="only deletion is allowed, but found new scheduling gate"):
        rig.store.patch(rig.kind("Pod"), "default", "p", patch)


@cases(
    "change",
    {
        "node": {"nodeName": "n"},
        "restart policy": {"restartPolicy": "Never"},
        "container": {"containers": [{"name": "d", "image": "i"}]},
    },
)
def test_what_of_a_pod_may_not_change(rig: Rig, change: JSON) -> None:
    rig.create("Pod", pod_body("p"))
    with pytest.raises(Invalid, match="pod updates may not change fields other than"):
        rig.store.patch(rig.kind("Pod"), "default", "p", Patch(MERGE, {"spec": change}))


@pytest.mark.parametrize(
    ("fields", "asked", "seconds"),
    [
        ({}, None, 0),
        ({"nodeName": "n"}, None, 30),
        ({"nodeName": "n", "terminationGracePeriodSeconds": 5}, None, 5),
        ({"nodeName": "n"}, 7, 7),
        ({"nodeName": "n"}, 0, 0),
        ({"nodeName": "n"}, -1, 1),
    ],
)
def test_how_long_a_pod_may_take_to_end(fields: JSON, asked: int | None, seconds: int) -> None:
    assert pod_grace({"spec": fields, "status": {"phase": "Running"}}, asked) == seconds


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_goes_at_once(phase: str) -> None:
    assert pod_grace({"spec": {"nodeName": "n"}, "status": {"phase": phase}}, None) == 0


def test_a_pod_on_a_node_waits_for_its_kubelet(rig: Rig) -> None:
    rig.create("Pod", pod_body("p", nodeName="n"))
    rig.delete("Pod", "p")
    waiting = rig.get("Pod", "p")
    assert waiting is not None
    assert waiting["metadata"]["deletionTimestamp"] == "2024-05-01T12:00:30Z"
    rig.delete("Pod", "p", grace_seconds=0)
    assert rig.get("Pod", "p") is None


def test_a_status_does_not_end_a_graceful_deletion(rig: Rig) -> None:
    rig.create("Pod", pod_body("p", nodeName="n"))
    rig.delete("Pod", "p")
    patch = Patch(MERGE, {"status": {"phase": "Running"}})
    rig.store.patch(
        rig.kind("Pod"), "default", "p", patch, options=WriteOptions(subresource="status")
    )
    assert rig.get("Pod", "p")


def binding(node: str = "n", **meta: str) -> JSON:
    return {"metadata": {"name": "p", **meta}, "target": {"kind": "Node", "name": node}}


def pod(**meta: Any) -> JSON:
    return {
        "metadata": {"name": "p", "uid": "u", **meta},
        "spec": {},
        "status": {"conditions": [{"type": "PodScheduled", "status": "False"}, {"type": "X"}]},
    }


def test_a_binding_puts_a_pod_on_a_node(rig: Rig) -> None:
    bound = bind(rig.kind("Pod"), pod(), binding(uid="u"), STARTED)
    assert bound["spec"] == {"nodeName": "n"}
    conditions = bound["status"]["conditions"]
    assert [(each["type"], each.get("status")) for each in conditions] == [
        ("X", None),
        ("PodScheduled", "True"),
    ]
    assert conditions[1]["lastTransitionTime"] == STARTED


@cases(
    ("change", "sent", "said"),
    {
        "bound": ({"spec": {"nodeName": "m"}}, binding(), 'pod p is already assigned to node "m"'),
        "going": (
            {"metadata": {"name": "p", "uid": "u", "deletionTimestamp": STARTED}},
            binding(),
            "pod p is being deleted, cannot be assigned to a host",
        ),
        "other pod": ({}, binding(uid="v"), "UID in precondition: v, UID in object meta: u"),
    },
)
def test_a_binding_that_comes_too_late_is_a_conflict(
    rig: Rig, change: JSON, sent: JSON, said: str
) -> None:
    late = {**pod(), **change}
    before = copy.deepcopy(late)
    with pytest.raises(Conflict) as lost:
        bind(rig.kind("Pod"), late, sent, STARTED)
    assert lost.value.message.endswith(said)
    assert late == before


@cases(
    "sent",
    {
        "no target": {},
        "no name": {"target": {"kind": "Node"}},
        "no node": {"target": {"kind": "Zone", "name": "z"}},
    },
)
def test_a_binding_names_a_node(rig: Rig, sent: JSON) -> None:
    with pytest.raises(Invalid):
        bind(rig.kind("Pod"), pod(), sent, STARTED)
