import sys
import threading
from collections.abc import Mapping
from types import FrameType

import pytest

from ops.stacks import SAMPLES_PER_SECOND, Sampler, collapse, current_frames, dump
from testing.clock import Clock


def here() -> FrameType:
    return sys._getframe()


def test_a_stack_is_collapsed_from_the_outermost_frame() -> None:
    thread, *frames = collapse("worker", here()).split(";")
    assert thread == "worker"
    assert frames[-2:] == [
        "test_ops_stacks:test_a_stack_is_collapsed_from_the_outermost_frame",
        "test_ops_stacks:here",
    ]


def test_a_name_cannot_break_the_form() -> None:
    line = collapse("a;b c", here())
    assert line.startswith("a,b_c;")
    assert " " not in line


def test_a_dump_has_the_stack_of_every_thread() -> None:
    gate, started = threading.Event(), threading.Event()

    def wait_here() -> None:
        started.set()
        gate.wait()

    thread = threading.Thread(target=wait_here, name="waiter")
    thread.start()
    try:
        assert started.wait(5)
        text = dump()
    finally:
        gate.set()
        thread.join()
    assert f"Thread waiter ({thread.ident}):\n" in text
    assert "in wait_here" in text
    assert f"Thread {threading.current_thread().name} (" in text
    assert "test_a_dump_has_the_stack_of_every_thread" in text


def test_a_thread_that_python_does_not_know_is_shown_all_the_same() -> None:
    assert dump(lambda: {-1: here()}).startswith("Thread ? (-1):\n")


def test_samples_are_counted_and_the_most_frequent_stand_first() -> None:
    clock = Clock(100.0)
    rare = iter([True])

    def frames() -> Mapping[int, FrameType]:
        own = threading.get_ident()
        return {own: here(), -1: here(), **({-2: sys._getframe()} if next(rare, False) else {})}

    text = Sampler(frames=frames, clock=clock, sleep=clock.sleep).collapsed(2)
    assert text is not None
    first, second = text.splitlines()
    assert first.endswith(f"test_ops_stacks:here {len(clock.sleeps)}")
    assert second.endswith("frames 1")
    assert set(clock.sleeps) == {1 / SAMPLES_PER_SECOND}
    assert clock() == pytest.approx(102, abs=2 / SAMPLES_PER_SECOND)


def test_only_one_run_at_a_time() -> None:
    clock = Clock(100.0)
    answers: list[str | None] = []

    def sleep(seconds: float) -> None:
        answers.append(sampler.collapsed(1))
        clock.sleep(1)

    sampler = Sampler(frames=dict, clock=clock, sleep=sleep)
    assert sampler.collapsed(1) == ""
    assert answers == [None]


def test_a_run_that_failed_leaves_the_way_free() -> None:
    clock = Clock(100.0)
    answers: list[Mapping[int, FrameType]] = [{}]

    def frames() -> Mapping[int, FrameType]:
        return answers[0] if clock() > 100 else answers[1]

    sampler = Sampler(frames=frames, clock=clock, sleep=clock.sleep)
    with pytest.raises(IndexError):
        sampler.collapsed(1)
    clock.sleep(1)
    assert sampler.collapsed(1) == ""


def test_current_frames_are_those_of_the_threads() -> None:
    assert threading.get_ident() in current_frames()
