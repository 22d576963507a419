"""Room on nodes."""

from fractions import Fraction
from typing import Any

import pytest

from api.noderoom import asked, lacking, taken
from api.objects import JSON


def container(cpu: str = "", memory: str = "", **fields: Any) -> JSON:
    amounts = {"cpu": cpu, "memory": memory}
    return {"resources": {"requests": {k: v for k, v in amounts.items() if v}}, **fields}


def pod(*containers: JSON, phase: str = "Running", **spec: Any) -> JSON:
    return {"spec": {"containers": list(containers), **spec}, "status": {"phase": phase}}


SIDECAR = {"restartPolicy": "Always"}


@pytest.mark.parametrize(
    ("given", "cpu"),
    [
        pytest.param(pod(container("1"), container("500m")), "1.5", id="sum"),
        pytest.param(pod(container("1"), initContainers=[container("3")]), "3", id="init"),
        pytest.param(
            pod(container("1"), initContainers=[container("2", **SIDECAR)]), "3", id="sidecar"
        ),
        pytest.param(
            pod(container("1"), initContainers=[container("2", **SIDECAR), container("3")]),
            "5",
            id="init-beside-a-sidecar",
        ),
        pytest.param(pod(container("1"), overhead={"cpu": "250m"}), "1.25", id="overhead"),
        pytest.param(
            pod(container("1"), resources={"requests": {"cpu": "4"}}), "4", id="of-the-pod"
        ),
        pytest.param(pod({}), "0", id="nothing"),
    ],
)
def test_what_a_pod_asks_for(given: JSON, cpu: str) -> None:
    assert asked(given)["cpu"] == Fraction(cpu)


def test_ended_pods_and_pods_without_node_take_nothing() -> None:
    pods = [
        pod(container("1"), nodeName="a"),
        pod(container("2", "1Gi"), nodeName="a"),
        pod(container("4"), nodeName="a", phase="Succeeded"),
        pod(container("8")),
    ]
    assert taken(pods) == {"a": {"cpu": 3, "memory": 2**30, "pods": 2}}


@pytest.mark.parametrize(
    ("allocatable", "told"),
    [
        ({"cpu": "3", "memory": "1Gi", "pods": "2"}, []),
        ({"cpu": "2999m", "memory": "1Gi", "pods": "2"}, ["Insufficient cpu"]),
        ({"cpu": "3", "memory": "1", "pods": "1"}, ["Insufficient memory", "Too many pods"]),
        ({}, []),
    ],
    ids=["enough", "cpu", "memory-and-pods", "unknown"],
)
def test_what_a_node_lacks(allocatable: JSON, told: list[str]) -> None:
    used = {"cpu": Fraction(1), "pods": Fraction(1)}
    node = {"status": {"allocatable": allocatable}}
    assert list(lacking(pod(container("2", "1Gi")), node, used)) == told
