"""Serialises the changes of a node's state among the instances of a driver on that node.

During a rolling update two processes serve the same checkpoint and CDI files. Each change is made
under a lock of the kernel's, which goes with a process that is killed. Whether another one has
changed the state meanwhile, the checkpoint's file tells.
Source: flock(2); k8s.io/dynamic-resource-allocation kubeletplugin, serialize.lock.
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final

from dra.errors import StateBusy
from kube import deadlines

FILE_NAME: Final = "serialize.lock"

LOOK_SECONDS: Final = 0.01
"""Between two looks whether another instance has finished its change."""


class StateLock:
    """A context in which nobody else changes the state; not reentrant, thread-safe."""

    def __init__(
        self,
        directory: Path,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Lock by a file in the directory of the checkpoint.

        Args:
            directory: that all instances of the driver on the node share.
            sleep: waits so many seconds.
            clock: monotonic seconds.

        Raises:
            OSError: the file cannot be made.
        """
        self._path = directory / FILE_NAME
        self._sleep = sleep
        self._clock = clock
        self._threads = threading.Lock()
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> None:
        """Wait for the lock.

        Raises:
            StateBusy: another instance holds it for longer than the call under way may take.
        """
        seconds = deadlines.seconds_left(self._clock())
        if not self._threads.acquire(timeout=min(max(seconds, 0), threading.TIMEOUT_MAX)):
            raise self._busy()
        try:
            self._lock()
        except BaseException:
            self._threads.release()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let others in."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._threads.release()

    def close(self) -> None:
        """Give the file up; it stays for others."""
        os.close(self._descriptor)

    def _lock(self) -> None:
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if deadlines.seconds_left(self._clock()) <= LOOK_SECONDS:
                    raise self._busy() from None
                self._sleep(LOOK_SECONDS)
            else:
                return

    def _busy(self) -> StateBusy:
        return StateBusy(
            f"another instance of the driver has {self._path} locked for longer than this call may "
            "take; the kubelet tries again, and if this lasts, delete the pod of that instance"
        )
