"""Which nodes a pod may run on, apart from its claims."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from api.nodefit import NodeView, least_loaded, misfit
from api.objects import JSON, NodeName
from api.pods import Pod
from tests.support.build import node, pod
from tests.support.tables import cases

SELECTOR = "node(s) didn't match Pod's node affinity/selector"
UNREADY = "node(s) had untolerated taint {node.kubernetes.io/not-ready: }"


def taint(effect: str = "NoSchedule", key: str = "gpu", value: str = "yes") -> JSON:
    return {"key": key, "value": value, "effect": effect}


def affinity(key: str, *values: str) -> JSON:
    match = {"key": key, "operator": "In", "values": [*values]}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [match]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


@cases(
    ("raw", "spec", "reason"),
    {
        "fits": (node(), {}, None),
        "cordoned": (node(unschedulable=True), {}, "node(s) were unschedulable"),
        "not-ready": (node(ready=False), {}, UNREADY),
        "never-ready": ({**node(), "status": {}}, {}, UNREADY),
        "no-schedule": (node(taints=[taint()]), {}, "node(s) had untolerated taint {gpu: yes}"),
        "no-execute": (
            node(taints=[taint("NoExecute")]),
            {},
            "node(s) had untolerated taint {gpu: yes}",
        ),
        "prefer-no-schedule": (node(taints=[taint("PreferNoSchedule")]), {}, None),
        "selector-matches": (node(), {"nodeSelector": {"host": "node-1"}}, None),
        "selector-other-value": (node(), {"nodeSelector": {"host": "node-2"}}, SELECTOR),
        "selector-no-label": (node(), {"nodeSelector": {"zone": "a"}}, SELECTOR),
        "affinity-matches": (node(), {"affinity": affinity("host", "node-1", "node-2")}, None),
        "affinity-other-value": (node(), {"affinity": affinity("host", "node-2")}, SELECTOR),
        "affinity-of-pods-only": (node(), {"affinity": {"podAffinity": {}}}, None),
    },
)
def test_misfit(raw: JSON, spec: JSON, reason: str | None) -> None:
    assert misfit(Pod(pod(**spec)), NodeView.parse(raw)) == reason


@cases(
    ("toleration", "tolerated"),
    {
        "everything": ({"operator": "Exists"}, True),
        "key-exists": ({"key": "gpu", "operator": "Exists"}, True),
        "effect-matches": ({"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}, True),
        "effect-differs": ({"key": "gpu", "operator": "Exists", "effect": "NoExecute"}, False),
        "value-matches": ({"key": "gpu", "value": "yes"}, True),
        "empty-effect-is-any": (
            {"key": "gpu", "operator": "Equal", "value": "yes", "effect": ""},
            True,
        ),
        "value-differs": ({"key": "gpu", "value": "no"}, False),
        "value-missing": ({"key": "gpu"}, False),
        "key-differs": ({"key": "cpu", "operator": "Exists"}, False),
        "key-missing": ({"value": "yes"}, False),
    },
)
def test_toleration(toleration: JSON, *, tolerated: bool) -> None:
    """Source: k8s.io/api/core/v1 Toleration.ToleratesTaint."""
    view = NodeView.parse(node(taints=[taint()]))
    assert (misfit(Pod(pod(tolerations=[toleration])), view) is None) is tolerated


def test_not_ready_node_can_be_tolerated() -> None:
    tolerations = [{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}]
    assert misfit(Pod(pod(tolerations=tolerations)), NodeView.parse(node(ready=False))) is None


@given(
    loads=st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 5), min_size=1),
    seed=st.integers(),
)
def test_least_loaded(loads: dict[str, int], seed: int) -> None:
    nodes = [NodeView.parse(node(name)) for name in loads]
    counted = {NodeName(name): count for name, count in loads.items() if count}
    chosen = least_loaded(nodes, counted, Random(seed))
    assert loads[chosen] == min(loads.values())


def test_equals_are_chosen_by_chance() -> None:
    nodes = [NodeView.parse(node(name)) for name in ("a", "b")]
    assert {least_loaded(nodes, {}, Random(seed)) for seed in range(20)} == {"a", "b"}
