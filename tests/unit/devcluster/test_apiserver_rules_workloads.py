"""What is filled in of Deployments, ReplicaSets and Jobs, and what is refused in which words."""

from typing import Any

import pytest

from api.objects import JSON
from devcluster.apiserver.errors import Invalid
from devcluster.apiserver.patch import MERGE, STRATEGIC, Patch
from tests.support.apiserverrig import Rig
from tests.support.tables import cases
from tests.support.workloadrig import LABELS, job, replica_set, template

ROLLING = "spec.strategy.rollingUpdate"
NEVER = {"template": template(restartPolicy="Never")}
OTHER = {"matchLabels": {"app": "b"}}
MISMATCH = (
    'spec.template.metadata.labels: Invalid value: map[string]string{"app":"a"}: '
    "`selector` does not match template `labels`"
)


def deployment(**spec: Any) -> JSON:
    own = {"selector": {"matchLabels": LABELS}, "template": template()}
    return {"metadata": {"name": "d"}, "spec": {**own, **spec}}


def rolling(**steps: object) -> JSON:
    return {"strategy": {"type": "RollingUpdate", "rollingUpdate": steps}}


def refused(rig: Rig, kind: str, body: JSON) -> list[str]:
    """Return what is wrong with an object, by the causes of the answer."""
    with pytest.raises(Invalid) as caught:
        rig.create(kind, body)
    return told(caught.value)


def told(error: Invalid) -> list[str]:
    causes = (error.details or {})["causes"]
    return [f"{cause['field']}: {cause['message']}" for cause in causes]


def patched(rig: Rig, kind: str, name: str, body: JSON, how: str = MERGE) -> JSON:
    return rig.store.patch(rig.kind(kind), "default", name, Patch(how, body))


def test_defaults_of_a_deployment(rig: Rig) -> None:
    spec = rig.create("Deployment", deployment())["spec"]
    assert {k: v for k, v in spec.items() if k not in ("selector", "template")} == {
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
        },
    }
    pod = spec["template"]["spec"]
    assert (pod["restartPolicy"], pod["schedulerName"]) == ("Always", "default-scheduler")
    assert pod["containers"][0]["imagePullPolicy"] == "Always"
    assert "tolerations" not in pod


def test_a_template_is_the_same_after_another_look(rig: Rig) -> None:
    """Or a Deployment would not know its ReplicaSet again."""
    spec = rig.create("Deployment", deployment())["spec"]
    again = rig.create("ReplicaSet", replica_set(template=spec["template"]))["spec"]
    assert again["template"] == spec["template"]


def test_one_step_may_be_left_out(rig: Rig) -> None:
    spec = rig.create("Deployment", deployment(**rolling(maxSurge=0)))["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": "25%"}


def test_a_change_of_the_spec_is_a_generation(rig: Rig) -> None:
    assert rig.create("Deployment", deployment())["metadata"]["generation"] == 1
    assert patched(rig, "Deployment", "d", {"spec": {"replicas": 3}})["metadata"]["generation"] == 2
    labels = {"metadata": {"labels": {"a": "b"}}}
    assert patched(rig, "Deployment", "d", labels)["metadata"]["generation"] == 2


def test_containers_merge_by_name(rig: Rig) -> None:
    """As `kubectl set image` and `kubectl apply` want it."""
    rig.create("Deployment", deployment())
    change = {"containers": [{"name": "main", "image": "other"}]}
    body = {"spec": {"template": {"spec": change}}}
    spec = patched(rig, "Deployment", "d", body, STRATEGIC)["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert (container["image"], container["resources"]) == ("other", {})


REFUSED = {
    "no selector": ({"selector": None}, "spec.selector: Required value"),
    "empty selector": (
        {"selector": {}},
        (
            "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string(nil)"
            ", MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: empty selector is "
            "invalid for deployment"
        ),
    ),
    "other labels": ({"selector": OTHER}, MISMATCH),
    "no containers": (
        {"template": {"metadata": {"labels": LABELS}, "spec": {}}},
        "spec.template.spec.containers: Required value",
    ),
    "a pod that ends": (
        NEVER,
        (
            'spec.template.spec.restartPolicy: Unsupported value: "Never": '
            'supported values: "Always"'
        ),
    ),
    "a pod with a deadline": (
        {"template": template(activeDeadlineSeconds=1)},
        (
            "spec.template.spec.activeDeadlineSeconds: Forbidden: "
            "activeDeadlineSeconds in ReplicaSet is not Supported"
        ),
    ),
    "a claim that is not there": (
        {
            "template": template(
                containers=[
                    {"name": "c", "image": "i", "resources": {"claims": [{"name": "none"}]}}
                ]
            )
        },
        'spec.template.spec.containers[0].resources.claims[0]: Not found: "none"',
    ),
    "less than no pods": (
        {"replicas": -1},
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
    ),
    "no steps": (
        rolling(maxSurge=0, maxUnavailable="0%"),
        f'{ROLLING}.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0',
    ),
    "more than all": (
        rolling(maxUnavailable="101%"),
        f'{ROLLING}.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
    ),
    "no percentage": (
        rolling(maxSurge="many"),
        (
            f'{ROLLING}.maxSurge: Invalid value: "many": a valid percent string must be a '
            "numeric string followed by an ending '%'"
        ),
    ),
    "steps of a recreation": (
        {"strategy": {"type": "Recreate", "rollingUpdate": {}}},
        f"{ROLLING}: Forbidden: may not be specified when strategy `type` is 'Recreate'",
    ),
    "unknown strategy": (
        {"strategy": {"type": "Hope"}},
        (
            'spec.strategy.type: Unsupported value: "Hope": supported values: "Recreate", '
            '"RollingUpdate"'
        ),
    ),
    "late before it is ready": (
        {"minReadySeconds": 600},
        "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds",
    ),
}


@cases(("spec", "error"), REFUSED)
def test_deployments_that_are_refused(rig: Rig, spec: JSON, error: str) -> None:
    assert refused(rig, "Deployment", deployment(**spec)) == [error]


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet"])
def test_a_selector_never_changes(rig: Rig, kind: str) -> None:
    made = rig.create(kind, deployment())
    expression = {"key": "app", "operator": "In", "values": ["a"]}
    with pytest.raises(Invalid) as caught:
        patched(rig, kind, "d", {"spec": {"selector": {"matchExpressions": [expression]}}})
    assert told(caught.value) == [
        (
            "spec.selector: Invalid value: "
            'v1.LabelSelector{MatchLabels:map[string]string{"app":"a"}, '
            "MatchExpressions:[]v1.LabelSelectorRequirement{v1.LabelSelectorRequirement{"
            'Key:"app", Operator:"In", Values:[]string{"a"}}}}: field is immutable'
        )
    ]
    assert rig.get(kind, "d") == made


def test_replica_sets_that_are_refused(rig: Rig) -> None:
    body = replica_set(selector=OTHER, **NEVER, minReadySeconds=-1)
    assert [error.split(":")[0] for error in refused(rig, "ReplicaSet", body)] == [
        "spec.minReadySeconds",
        "spec.template.metadata.labels",
        "spec.template.spec.restartPolicy",
    ]


def test_a_job_gets_a_selector_of_its_own(rig: Rig) -> None:
    made = rig.create("Job", job())
    uid = made["metadata"]["uid"]
    mine = {"controller-uid": uid, "job-name": "job"}
    long = {f"batch.kubernetes.io/{key}": value for key, value in mine.items()}
    assert made["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    assert made["spec"]["template"]["metadata"]["labels"] == {**LABELS, **mine, **long}
    assert made["metadata"]["labels"] == LABELS


@cases(
    ("spec", "numbers"),
    {
        "neither": ({}, (1, 1)),
        "completions": ({"completions": 3}, (3, 1)),
        "parallelism": ({"parallelism": 3}, (None, 3)),
    },
)
def test_how_many_pods_a_job_has(rig: Rig, spec: JSON, numbers: tuple[int | None, int]) -> None:
    made = rig.create("Job", job(**spec))["spec"]
    assert (made.get("completions"), made["parallelism"]) == numbers
    assert (made["backoffLimit"], made["completionMode"]) == (6, "NonIndexed")


@cases(
    ("body", "error"),
    {
        "for ever": (
            job(policy="Always"),
            'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
        ),
        "negative": (
            job(backoffLimit=-1),
            "spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0",
        ),
        "no selector": (job(manualSelector=True), "spec.selector: Required value"),
        "other labels": (job(manualSelector=True, selector=OTHER), MISMATCH),
        "indexed": (
            job(completionMode="Indexed", completions=1),
            "spec.completionMode: Forbidden: Indexed is not offered by the embedded cluster",
        ),
        "policy": (
            job(podFailurePolicy={"rules": []}),
            "spec.podFailurePolicy: Forbidden: not offered by the embedded cluster",
        ),
    },
)
def test_jobs_that_are_refused(rig: Rig, body: JSON, error: str) -> None:
    assert error in refused(rig, "Job", body)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"completions": 2}, "spec.completions"),
        ({"template": {"spec": {"nodeName": "n"}}}, "spec.template"),
    ],
)
def test_what_of_a_job_never_changes(rig: Rig, spec: JSON, field: str) -> None:
    rig.create("Job", job())
    with pytest.raises(Invalid, match=f"{field}: Invalid value: .*field is immutable"):
        patched(rig, "Job", "job", {"spec": spec})
    assert patched(rig, "Job", "job", {"spec": {"parallelism": 2}})["spec"]["parallelism"] == 2
