"""The node's reports, and what earlier runs left behind."""

import threading
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock, create_autospec

import pytest

from devcluster.kubelet.claims import ClaimManager
from devcluster.kubelet.errors import UnprepareFailed
from devcluster.kubelet.housekeeping import Housekeeping
from devcluster.kubelet.layout import NodeDirectories
from devcluster.kubelet.node import NodeAgent
from kube.errors import ConnectFailed


class House:
    def __init__(self, root: Path) -> None:
        self.agent: Mock = create_autospec(NodeAgent, instance=True, spec_set=True)
        self.claims: Mock = create_autospec(ClaimManager, instance=True, spec_set=True)
        self.claims.pods.return_value = set()
        self.directories = NodeDirectories(root)
        self.directories.pods.mkdir()
        self.known: set[str] | None = set()
        self.keeping = Housekeeping(self.agent, self.claims, self.directories, lambda: self.known)

    def files_of(self, uid: str) -> None:
        self.directories.pod(uid).path.mkdir()

    @property
    def unprepared(self) -> list[str]:
        return [call.args[0] for call in self.claims.unprepare.call_args_list]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_node_is_registered_once_then_confirmed_and_renewed_each_time(house: House) -> None:
    for _ in range(3):
        house.keeping.report()
    assert house.agent.register.call_count == 1
    assert house.agent.confirm.call_count == 2
    assert house.agent.renew.call_count == 3


def test_a_node_that_could_not_be_registered_is_tried_again(house: House) -> None:
    house.agent.register.side_effect = ConnectFailed("no connection")
    house.keeping.report()
    house.agent.register.side_effect = None
    house.keeping.report()
    house.keeping.report()
    assert house.agent.register.call_count == 2
    assert house.agent.renew.call_count == 2


def test_pods_that_do_not_exist_any_more_are_unprepared_and_removed(house: House) -> None:
    house.claims.pods.return_value = {"gone", "here"}
    house.known = {"here"}
    for uid in ("gone", "here", "files-only"):
        house.files_of(uid)
    house.keeping.tidy()
    assert house.unprepared == ["files-only", "gone"]
    assert house.directories.pods_on_disk() == ["here"]


def test_nothing_is_removed_before_all_pods_are_known(house: House) -> None:
    house.claims.pods.return_value = {"unknown"}
    house.files_of("unknown")
    house.known = None
    house.keeping.tidy()
    assert house.unprepared == []
    assert house.directories.pods_on_disk() == ["unknown"]


def test_what_cannot_be_unprepared_stays_and_hinders_no_other(house: House) -> None:
    house.claims.pods.return_value = {"a", "b"}

    def unprepare(uid: str) -> None:
        if uid == "a":
            raise UnprepareFailed("plugin is away")

    house.claims.unprepare.side_effect = unprepare
    for uid in ("a", "b"):
        house.files_of(uid)
    house.keeping.tidy()
    assert house.directories.pods_on_disk() == ["a"]


def test_run_looks_again_when_it_is_woken_and_ends_with_stop(house: House) -> None:
    stop, looks = threading.Event(), threading.Semaphore(0)
    house.claims.pods.side_effect = _counting(looks)
    thread = threading.Thread(target=house.keeping.run, args=(stop,))
    thread.start()
    assert looks.acquire(timeout=10)
    house.keeping.wake()
    assert looks.acquire(timeout=10)
    stop.set()
    house.keeping.wake()
    thread.join(10)
    assert not thread.is_alive()


def _counting(looks: threading.Semaphore) -> Callable[[], set[str]]:
    def pods() -> set[str]:
        looks.release()
        return set()

    return pods
