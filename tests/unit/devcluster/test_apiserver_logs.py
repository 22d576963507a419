from typing import Any

import pytest

from api.objects import JSON
from devcluster.apiserver.errors import BadRequest
from devcluster.apiserver.logs import check_started, choose_container
from tests.support.tables import cases


def pod(*containers: str, init: tuple[str, ...] = (), **status: Any) -> JSON:
    return {
        "metadata": {"name": "p"},
        "spec": {
            "nodeName": "n",
            "containers": [{"name": name} for name in containers],
            "initContainers": [{"name": name} for name in init],
        },
        "status": status,
    }


def test_the_only_container_is_meant_if_none_is_named() -> None:
    assert choose_container(pod("a"), "") == "a"
    assert choose_container(pod("a", init=("i",)), "") == "a"


@pytest.mark.parametrize("name", ["a", "b", "i"])
def test_a_container_is_meant_by_its_name(name: str) -> None:
    assert choose_container(pod("a", "b", init=("i",)), name) == name


@pytest.mark.parametrize(
    ("of", "wanted", "said"),
    [
        (pod("a", "b"), "", "a container name must be specified for pod p, choose one of: [a b]"),
        (
            pod("a", "b", init=("i",)),
            "",
            (
                "a container name must be specified for pod p, choose one of: [a b] or one of the "
                "init containers: [i]"
            ),
        ),
        (pod("a"), "x", "container x is not valid for pod p"),
    ],
)
def test_an_ambiguous_or_unknown_container_is_400(of: JSON, wanted: str, said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        choose_container(of, wanted)
    assert refused.value.message == said


def started(**state: Any) -> JSON:
    return pod("a", containerStatuses=[{"name": "a", **state}])


@cases(
    ("of", "previous"),
    {
        "running without time": (started(state={"running": {}}), False),
        "terminated": (started(state={"terminated": {"exitCode": 1}}), False),
        "running": (started(state={"running": {"startedAt": "x"}}), False),
        "restarting": (
            started(state={"waiting": {}}, lastState={"terminated": {"exitCode": 1}}),
            False,
        ),
        "before the restart": (
            started(state={"running": {}}, lastState={"terminated": {"exitCode": 1}}),
            True,
        ),
    },
)
def test_containers_with_a_log(of: JSON, previous: bool) -> None:
    check_started(of, "a", previous=previous)


@pytest.mark.parametrize(
    ("of", "previous", "said"),
    [
        (pod("a"), False, 'container "a" in pod "p" is waiting to start: ContainerCreating'),
        (
            started(state={"waiting": {"reason": "ImagePullBackOff"}}),
            False,
            'container "a" in pod "p" is waiting to start: ImagePullBackOff',
        ),
        (
            started(state={"running": {"startedAt": "x"}}),
            True,
            'previous terminated container "a" in pod "p" not found',
        ),
    ],
)
def test_containers_without_a_log_are_400(of: JSON, previous: bool, said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        check_started(of, "a", previous=previous)
    assert refused.value.message == said


def test_a_pod_without_a_node_has_no_log() -> None:
    waiting = pod("a")
    del waiting["spec"]["nodeName"]
    with pytest.raises(BadRequest, match="pod p does not have a host assigned"):
        check_started(waiting, "a", previous=False)
