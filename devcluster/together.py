"""Many things done at the same time, so that they take as long as one: the stop of many nodes."""

import threading
from collections.abc import Callable, Iterable


def together(actions: Iterable[Callable[[], object]]) -> None:
    """Run each action on a thread of its own; returns when all are done."""
    threads = [threading.Thread(target=action) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
