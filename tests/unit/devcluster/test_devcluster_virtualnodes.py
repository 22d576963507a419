"""Virtual nodes, each with a kubelet and a plugin that stop and start on purpose."""

from pathlib import Path
from typing import cast
from unittest.mock import Mock, create_autospec

import pytest

from devcluster.config import ClusterConfig, NodeConfig
from devcluster.controls import perform
from devcluster.errors import DriverAbsent, NodeAbsent
from devcluster.kubelet.kubelet import Kubelet
from devcluster.programs import Program, Programs, driver_programs
from devcluster.virtualnodes import VirtualNodes

NODES = ("a", "b")
ACTIONS = ("stop-plugin", "start-plugin", "stop-node", "start-node")


class Running(Programs):
    """Runs nothing, and remembers what would run."""

    def __init__(self) -> None:
        self.names = {"plugin-a", "plugin-b", "controller"}
        self.killed: list[str] = []

    def start(self, program: Program) -> bool:
        new = program.name not in self.names
        self.names.add(program.name)
        return new

    def stop(self, name: str, *, abruptly: bool = False) -> bool:
        if name not in self.names:
            return False
        self.names.remove(name)
        self.killed += [name] if abruptly else []
        return True


class Rig:
    def __init__(self, path: Path, *, driver: bool = True) -> None:
        config = ClusterConfig(path, nodes=0, named=tuple(map(NodeConfig, NODES)))
        programs = driver_programs(config, "fake-system") if driver else []
        self.programs = Running()
        self.made: list[Mock] = []
        self.nodes = VirtualNodes(
            dict.fromkeys(NODES, self._kubelet), {p.name: p for p in programs}, self.programs
        )
        for name in NODES:
            self.nodes.start_kubelet(name)

    def _kubelet(self) -> Kubelet:
        self.made.append(create_autospec(Kubelet, instance=True, spec_set=True))
        return cast(Kubelet, self.made[-1])


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_a_stopped_plugin_stays_away_until_it_is_started(rig: Rig) -> None:
    assert rig.nodes.stop_plugin("a")
    assert rig.programs.names == {"plugin-b", "controller"}
    assert not rig.nodes.stop_plugin("a")
    assert rig.nodes.start_plugin("a")
    assert not rig.nodes.start_plugin("a")
    assert rig.programs.killed == []


def test_a_node_stops_without_taking_leave_and_starts_with_another_kubelet(rig: Rig) -> None:
    first = rig.nodes.kubelet("a")
    assert rig.nodes.stop_node("a")
    rig.made[0].stop.assert_called_once_with()
    rig.made[1].stop.assert_not_called()
    assert rig.nodes.kubelet("a") is None
    assert rig.programs.killed == ["plugin-a"]
    assert not rig.nodes.stop_node("a")
    assert rig.nodes.start_node("a")
    rig.made[2].start.assert_called_once_with()
    assert rig.nodes.kubelet("a") not in (None, first)
    assert rig.programs.names == {"plugin-a", "plugin-b", "controller"}
    assert not rig.nodes.start_node("a")


def test_the_plugin_of_a_stopped_node_starts_with_the_node_only(rig: Rig) -> None:
    rig.nodes.stop_node("a")
    told = "node a is stopped; start-node starts both"
    assert perform(rig.nodes, "start-plugin", "a") == (409, told)
    assert rig.programs.names == {"plugin-b", "controller"}
    assert perform(rig.nodes, "start-node", "a") == (200, "node a starts")
    assert rig.programs.names == {"plugin-a", "plugin-b", "controller"}


def test_without_a_driver_a_node_has_no_plugin(tmp_path: Path) -> None:
    rig = Rig(tmp_path, driver=False)
    assert rig.nodes.stop_node("a")
    assert rig.nodes.start_node("a")
    with pytest.raises(DriverAbsent, match="runs --without-driver"):
        rig.nodes.stop_plugin("a")


def test_an_unknown_node_is_answered_with_those_that_there_are(rig: Rig) -> None:
    for act in (rig.nodes.stop_node, rig.nodes.start_node, rig.nodes.stop_plugin):
        with pytest.raises(NodeAbsent, match=r"there is no node 'c'; the nodes of .* are a, b"):
            act("c")


def test_the_kubelets_that_run_are_stopped_at_the_end(rig: Rig) -> None:
    rig.nodes.stop_node("a")
    rig.nodes.stop_kubelets()
    assert [kubelet.stop.call_count for kubelet in rig.made] == [1, 1]


@pytest.mark.parametrize(
    ("action", "node", "answers"),
    [
        ("stop-plugin", "a", [(200, "plugin of node a stopped")]),
        ("start-plugin", "a", [(200, "node a has its plugin running")]),
        ("stop-node", "a", [(200, "node a stopped"), (200, "node a is stopped already")]),
        ("start-node", "a", [(200, "node a runs already")]),
        ("stop-node", "c", [(409, "there is no node 'c'; the nodes of this cluster are a, b")]),
        ("burn", "a", [(404, f"there is no action 'burn'; there are {', '.join(ACTIONS)}")]),
    ],
)
def test_what_users_are_told(
    rig: Rig, action: str, node: str, answers: list[tuple[int, str]]
) -> None:
    assert [perform(rig.nodes, action, node) for _ in answers] == answers


def test_a_cluster_that_starts_says_so() -> None:
    assert perform(None, "stop-node", "a") == (503, "the cluster is starting; try again")
