"""What the threads of the process are doing: their stacks now, and sampled over some seconds.

The sampled form has one line for each distinct stack, `frame;frame;frame count` with the outermost
frame first, which flame graph tools read. Sampling sees a thread that waits as often as one that
computes: where a program hangs shows as clearly as where it burns time.
"""

import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import PurePath
from types import FrameType
from typing import Final

SAMPLES_PER_SECOND: Final = 50

Frames = Callable[[], Mapping[int, FrameType]]
"""Innermost frame of each thread by its identifier, as `sys._current_frames` gives it."""


def current_frames() -> Mapping[int, FrameType]:
    """Return the innermost frame of each thread, by its identifier."""
    return sys._current_frames()  # noqa: SLF001 - documented, for debuggers such as this


def dump(frames: Frames = current_frames) -> str:
    """Return the stack of each thread, like a traceback, by the thread's name."""
    names = _thread_names()
    parts = [
        f"Thread {names.get(ident, '?')} ({ident}):\n" + "".join(traceback.format_stack(frame))
        for ident, frame in frames().items()
    ]
    return "\n".join(sorted(parts))


class Sampler:
    """Samples all stacks but its own; one run at a time, since each costs the program some time."""

    def __init__(
        self,
        *,
        frames: Frames = current_frames,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._frames = frames
        self._clock = clock
        self._sleep = sleep
        self._busy = threading.Lock()

    def collapsed(self, seconds: float) -> str | None:
        """Sample for some seconds.

        Returns:
            `frame;frame count` lines, the most frequent first; None while another run is on.
        """
        if not self._busy.acquire(blocking=False):
            return None
        try:
            stacks = self._sample(seconds)
        finally:
            self._busy.release()
        return "".join(f"{stack} {count}\n" for stack, count in stacks.most_common())

    def _sample(self, seconds: float) -> Counter[str]:
        stacks: Counter[str] = Counter()
        own = threading.get_ident()
        end = self._clock() + seconds
        while self._clock() < end:
            names = _thread_names()
            for ident, frame in self._frames().items():
                if ident != own:
                    stacks[collapse(names.get(ident, "?"), frame)] += 1
            self._sleep(1 / SAMPLES_PER_SECOND)
        return stacks


def collapse(thread: str, innermost: FrameType) -> str:
    """Return `thread;module:function;…`, outermost frame first."""
    frames = []
    frame: FrameType | None = innermost
    while frame is not None:
        code = frame.f_code
        frames.append(f"{PurePath(code.co_filename).stem}:{code.co_qualname}")
        frame = frame.f_back
    return ";".join(part.replace(";", ",").replace(" ", "_") for part in [thread, *frames[::-1]])


def _thread_names() -> dict[int, str]:
    return {t.ident: t.name for t in threading.enumerate() if t.ident is not None}
