"""What `up` and the demo say and leave behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from api.resources import PODS
from devcluster.config import ClusterConfig
from devcluster.errors import StateDirError
from devcluster.statedir import state_directory
from testing.waiting import until
from tests.support.anycluster import ROOT, Access
from tests.support.fakedriver import short_directory

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(120)]

UP = ("devcluster", "up", "--without-driver", "--state-dir")
SECONDS = 60
SLEEPER = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "sleeper"},
    "spec": {"containers": [{"name": "c", "image": "i", "command": ["sleep", "600"]}]},
}


@contextmanager
def program(*args: str, **env: str) -> Iterator[tuple["subprocess.Popen[str]", IO[str]]]:
    """Run a Python module; yields it with what it prints."""
    with subprocess.Popen(
        [sys.executable, "-u", "-m", *args],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **env},
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout
        finally:
            process.kill()


def read_until(output: IO[str], text: str) -> list[str]:
    """Return the lines up to the first with a text."""
    lines = list[str]()
    for line in output:
        lines.append(line.rstrip("\n"))
        if text in line:
            return lines
    raise AssertionError(f"{text!r} is not in the output: {lines}")


def test_up_says_how_to_use_the_cluster_and_what_stays() -> None:
    with short_directory() as path, program(*UP, str(path / "s")) as (process, output):
        lines = read_until(output, "export KUBECONFIG")
        assert lines[0].startswith("starting the embedded cluster")
        assert lines[-2:] == [
            "  the cluster runs until Ctrl-C; to use it:",
            f"  export KUBECONFIG={path}/s/kubeconfig",
        ]
        assert (path / "s" / "kubeconfig").exists()
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=SECONDS)
        assert rest == f"the cluster has stopped; its logs stay in {path}/s/logs\n"
        assert process.returncode == 0
        left = sorted(item.name for item in (path / "s").iterdir())
        assert left == [".devcluster.lock", "logs"]
        assert "overran" not in (path / "s" / "logs" / "devcluster.log").read_text()


@pytest.mark.parametrize(
    "numbers",
    [
        (signal.SIGINT,),
        (signal.SIGTERM,),
        (signal.SIGHUP,),
        (signal.SIGINT, signal.SIGINT, signal.SIGTERM),
    ],
    ids=["Ctrl-C", "SIGTERM", "SIGHUP", "again while it cleans up"],
)
def test_a_demo_that_is_interrupted_leaves_nothing_and_says_so(
    numbers: tuple[signal.Signals, ...],
) -> None:
    with (
        short_directory() as path,
        program("demo.walkthrough", TMPDIR=str(path)) as (process, output),
    ):
        read_until(output, "starting the embedded cluster")
        state = state_of(path)
        for number in numbers:
            process.send_signal(number)
        rest, _ = process.communicate(timeout=SECONDS)
        last = rest.splitlines()[-1]
        assert last == "interrupted: the cluster has stopped, and its files are removed"
        # several threads may take signals that are sent at once, in any order
        assert process.returncode in {128 + number for number in numbers}
        assert processes_of(state) == []
        assert list(path.iterdir()) == []


def test_a_cluster_ends_quietly_when_nobody_reads_what_it_says() -> None:
    """As in `fake-dra-devcluster up | head -1`."""
    with short_directory() as path:
        command = [sys.executable, "-m", *UP, str(path / "s")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith(b"starting the embedded cluster")
            process.stdout.close()
            process.stdout = None
            _, errors = process.communicate(timeout=SECONDS)
        assert (process.returncode, errors) == (1, b"")
        assert sorted(item.name for item in (path / "s").iterdir()) == [".devcluster.lock", "logs"]


def test_a_cluster_ends_with_its_terminal() -> None:
    with short_directory() as path, program(*UP, str(path / "s")) as (process, output):
        read_until(output, "export KUBECONFIG")
        os.killpg(process.pid, signal.SIGHUP)
        rest, _ = process.communicate(timeout=SECONDS)
        assert rest == f"the cluster has stopped; its logs stay in {path}/s/logs\n"
        assert process.returncode == 0


def test_a_cluster_whose_worker_is_killed_fails_and_starts_no_other() -> None:
    with short_directory() as path, program(*UP, str(path / "s")) as (process, output):
        read_until(output, "export KUBECONFIG")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        os.kill(int(children.read_text(encoding="ascii")), signal.SIGKILL)
        rest, _ = process.communicate(timeout=SECONDS)
        assert rest == f"the cluster failed; its files and logs stay in {path}/s\n"
        assert process.returncode == 1


def test_a_cluster_that_is_killed_ends_its_programs_and_then_leaves_its_directory() -> None:
    with (
        short_directory() as path,
        program("devcluster", "up", "--state-dir", str(path)) as (
            process,
            output,
        ),
    ):
        read_until(output, "export KUBECONFIG")
        client = Access.by(path / "kubeconfig").client
        client.create(PODS, SLEEPER, "default")
        until("a container runs", lambda: processes_of(path / "node1") != [], SECONDS)
        client.close()
        process.kill()
        process.wait()
        with pytest.raises(StateDirError, match="a cluster runs there"):
            state_directory(ClusterConfig(path)).__enter__()
        await_lock(path)
        assert processes_of(path / "node1") == []
        until("the worker is gone", lambda: processes_of(path) == [], SECONDS)


def test_a_demo_that_is_kept_says_what_to_end_and_to_remove() -> None:
    with (
        short_directory() as path,
        program("demo.walkthrough", "--keep", TMPDIR=str(path)) as (process, output),
    ):
        *_, kubeconfig, _, end, remove = read_until(output, "rm -r ")
        state = state_of(path)
        try:
            assert kubeconfig == f"export KUBECONFIG={state}/kubeconfig"
            assert end.endswith("# when you are done")
            assert remove == f"rm -r {state}    # then: it holds the logs"
            assert process.wait(SECONDS) == 0
        finally:
            stop(int(end.split()[1]), state)
        assert sorted(item.name for item in state.iterdir()) == [".devcluster.lock", "logs"]


def state_of(path: Path) -> Path:
    """Return the state directory of a demo with a TMPDIR, which may have its log, too."""
    (state,) = (item for item in path.iterdir() if item.is_dir())
    return state


def stop(pid: int, state: Path) -> None:
    """End a cluster that is no child of ours, and wait until its directory is its own no more."""
    os.kill(pid, signal.SIGTERM)
    await_lock(state)


def await_lock(state: Path) -> None:
    """Wait until no cluster has a directory."""
    with (state / ".devcluster.lock").open("rb") as lock:
        subprocess.run(["flock", str(lock.fileno())], pass_fds=[lock.fileno()], check=True)


def processes_of(state: Path) -> list[str]:
    """Return command lines of processes that name a directory there or in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            said = [(process / name).read_bytes() for name in ("cmdline", "environ")]
        except OSError:
            continue
        if any(os.fsencode(state) in each for each in said):
            found.append(said[0].replace(b"\0", b" ").decode())
    return found
