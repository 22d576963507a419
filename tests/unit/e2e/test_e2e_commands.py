import io
import os
import shutil
import sys
from pathlib import Path

import pytest

from testing.waiting import until
from tests.e2e.cluster.commands import Progress, run, succeeds
from tests.e2e.cluster.daemons import Daemons
from tests.e2e.cluster.errors import CommandFailed


def test_returns_what_the_program_writes() -> None:
    assert run(sys.executable, "-c", "print(1)") == "1\n"


def test_failure_tells_the_command_and_the_end_of_what_it_wrote() -> None:
    program = "import sys; print('\\n'.join(map(str, range(99)))); sys.exit(3)"
    with pytest.raises(CommandFailed, match=r"ended with 3:\n79\n") as failed:
        run(sys.executable, "-c", program)
    assert str(failed.value).endswith("98")


def test_program_that_is_not_there_is_a_failure() -> None:
    assert not succeeds("/nonexistent/program")


def test_program_that_takes_too_long_is_a_failure() -> None:
    assert not succeeds("sleep", "9", timeout=0.01)


def test_step_is_one_line_with_its_seconds() -> None:
    stream, seconds = io.StringIO(), iter([10.0, 12.5])
    with Progress(stream, lambda: next(seconds)).step("build"):
        pass
    assert stream.getvalue() == "build ... 2.5 s\n"


def test_step_that_fails_says_so() -> None:
    stream, seconds = io.StringIO(), iter([10.0, 12.5])
    with pytest.raises(ValueError, match="x"), Progress(stream, lambda: next(seconds)).step("a"):
        raise ValueError("x")
    assert stream.getvalue() == "a ... failed after 2.5 s\n"


@pytest.mark.skipif(not shutil.which("setsid"), reason="setsid of util-linux is not installed")
class TestDaemons:
    @staticmethod
    def start(directory: Path, script: str) -> Daemons:
        daemons = Daemons(directory / "run", directory / "log")
        # the directory is among the words, as in every command line of the cluster
        daemons.start("it", "sh", "-c", script, str(directory), environment=os.environ)
        return daemons

    def test_runs_until_it_is_stopped(self, tmp_path: Path) -> None:
        daemons = self.start(tmp_path, 'echo hello; : >"$0/file"; exec tail -f "$0/file"')
        try:
            assert daemons.running("it")
            until("output", lambda: daemons.log("it", 5) == "hello\n", 10)
        finally:
            daemons.stop("it")
        assert daemons.running("it") is None

    def test_is_killed_where_there_is_nothing_to_finish(self, tmp_path: Path) -> None:
        script = "trap '' TERM; echo deaf; while :; do sleep 0.1; done"
        daemons = self.start(tmp_path, script)
        until("output", lambda: daemons.log("it", 5), 10)
        daemons.stop("it", gently=False)
        assert daemons.running("it") is None

    def test_that_ended_by_itself_does_not_run(self, tmp_path: Path) -> None:
        daemons = self.start(tmp_path, "exit 0")
        until("end", lambda: daemons.running("it") is None, 10)
        daemons.stop("it")

    def test_number_given_to_another_program_does_not_count(self, tmp_path: Path) -> None:
        daemons = Daemons(tmp_path / "run", tmp_path / "log")
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "it").write_text(str(os.getpid()))
        assert daemons.running("it") is None

    def test_log_has_the_last_lines(self, tmp_path: Path) -> None:
        daemons = self.start(tmp_path, "echo a; echo b; echo c")
        until("output", lambda: daemons.log("it", 2) == "b\nc\n", 10)
        assert daemons.log("other", 2) == ""
