"""Has changes that come at the same time written together: a group commit, as databases have it.

Whoever comes first writes for all that wait by then, so that the disk is waited for once. Called by
`state`.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class GroupCommit:
    """Carries out changes in the order in which they come; thread-safe."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[None]]) -> None:
        """Carry out changes in transactions, which are written when their context is left."""
        self._transaction = transaction
        self._turn = threading.Lock()
        self._waiting: deque[_Change[Any]] = deque()

    def __len__(self) -> int:
        """Return how many changes wait for the present transaction to end."""
        return len(self._waiting)

    def run(self, action: Callable[[], T]) -> T:
        """Carry out a change, and return its result once it is written.

        Args:
            action: raises before it changes anything, and then costs others nothing.

        Raises:
            Exception: of the action, or of the transaction, in which nothing was changed.
        """
        change = _Change(action)
        self._waiting.append(change)
        with self._turn:
            if not change.future.done():
                self._commit()
        return change.future.result()

    def _commit(self) -> None:
        batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            with self._transaction():
                settle = [change.apply() for change in batch]
        except BaseException as error:  # noqa: BLE001 - whoever waits is told
            settle = [partial(change.future.set_exception, error) for change in batch]
        for each in settle:
            each()


class _Change(Generic[T]):
    """A change, and what whoever wants it waits for."""

    def __init__(self, action: Callable[[], T]) -> None:
        self._action = action
        self.future: Future[T] = Future()

    def apply(self) -> Callable[[], None]:
        """Carry the change out; return what tells its outcome."""
        try:
            result = self._action()
        except Exception as error:  # noqa: BLE001 - likewise
            return partial(self.future.set_exception, error)
        return partial(self.future.set_result, result)
