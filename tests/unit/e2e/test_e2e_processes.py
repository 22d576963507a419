from pathlib import Path

from tests.e2e.cluster.processes import Process, of_pods

SOCKET = Path("/state/containerd.sock")


def shim(pid: int, socket: Path = SOCKET) -> Process:
    return Process(pid, 1, ("/cache/containerd-shim-runc-v2", "-address", str(socket), ""))


def test_shims_and_all_below_them() -> None:
    processes = [Process(12, 11, ("sleep",)), Process(11, 10, ("sh",)), shim(10), shim(20)]
    assert of_pods(processes, SOCKET) == [10, 11, 12, 20]


def test_shims_of_another_containerd_stay() -> None:
    other = Path("/run/containerd/containerd.sock")
    assert of_pods([shim(10, other), Process(11, 10, ("sh",))], SOCKET) == []


def test_other_programs_that_name_the_socket_stay() -> None:
    assert of_pods([Process(10, 1, ("kubelet", str(SOCKET)))], SOCKET) == []


def test_processes_without_words() -> None:
    assert of_pods([Process(2, 0, ("",))], SOCKET) == []
