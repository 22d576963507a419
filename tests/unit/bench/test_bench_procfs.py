import os

import pytest

from bench.procfs import (
    Neighbours,
    Usage,
    busy_seconds,
    cpu_seconds,
    memory,
    tree_cpu_seconds,
    usage,
)
from tests.support.tables import cases

TICKS = os.sysconf("SC_CLK_TCK")
STATUS = "Name:\tpython\nVmHWM:\t   40960 kB\nVmRSS:\t   20480 kB\n"


def stat(name: str, utime: int, stime: int) -> str:
    before = "S 1 2 3 4 5 6 7 8 9 10"
    return f"42 ({name}) {before} {utime} {stime} 0 0 20 0 9"


@cases("name", {"plain": "python", "blank": "a b", "brackets": "x) S 9 9 ("})
def test_cpu_time_is_user_and_system_whatever_the_name(name):
    assert cpu_seconds(stat(name, 3 * TICKS, TICKS)) == 4.0


@pytest.mark.parametrize(("name", "expected"), [("VmRSS", 20.0), ("VmHWM", 40.0), ("VmSwap", 0.0)])
def test_memory_in_mib(name, expected):
    assert memory(STATUS, name) == expected


def test_usage_reads_both_files(tmp_path):
    (tmp_path / "42").mkdir()
    (tmp_path / "42" / "stat").write_text(stat("python", TICKS, TICKS))
    (tmp_path / "42" / "status").write_text(STATUS)
    assert usage(42, tmp_path) == Usage(2.0, 20.0, 40.0)


def test_usage_of_this_process_is_plausible():
    assert usage(os.getpid()).rss_mib > 1


def test_a_process_that_is_gone(tmp_path):
    with pytest.raises(FileNotFoundError):
        usage(42, tmp_path)


def test_a_process_and_what_it_started_use_cpu_time_together(tmp_path):
    for pid, parent, seconds in ((42, 1, 1), (43, 42, 2), (44, 43, 4), (45, 1, 8)):
        (tmp_path / str(pid)).mkdir()
        line = f"{pid} (a b) S {parent} 3 4 5 6 7 8 9 10 11 {seconds * TICKS} 0 0 0"
        (tmp_path / str(pid) / "stat").write_text(line)
    (tmp_path / "46").mkdir()
    assert tree_cpu_seconds(42, tmp_path) == 7.0


def test_a_busy_machine_is_neither_idle_nor_waiting_for_a_disk():
    counts = [TICKS * n for n in (1, 2, 3, 100, 200, 4, 5, 300, 0, 0)]
    text = f"cpu  {' '.join(map(str, counts))}\ncpu0 1 1 1 1 1 1 1 1 0 0\n"
    assert busy_seconds(text) == 15.0


@cases(
    ("busy", "own", "expected"),
    {"half": (11.0, 1.0, 0.5), "nobody": (11.0, 11.0, 0.0), "rounding": (10.9, 11.0, 0.0)},
)
def test_neighbours_have_what_is_not_ours(busy, own, expected):
    machine, ours, clock = iter([1.0, 1.0 + busy]), iter([2.0, 2.0 + own]), iter([0.0, 10.0])
    neighbours = Neighbours(
        busy=lambda: next(machine), own=lambda: next(ours), clock=lambda: next(clock), processors=2
    )
    assert neighbours.share() == expected
