"""Keeps controllers apart whose node states do not tell of all claims.

A NAS that does not, because claims say what they have themselves, names who wrote it last. The
write itself is guarded by its resourceVersion; but a controller that knows of claims by a watch may
be behind, and would take devices for free whose claim it has not seen. So it has to have seen all
that others had done when they wrote:

- what it wrote last itself, it knows all about: its own writes of claims are in its cache, and an
  entry leaves the NAS only by a write of which the cache has the claim;
- on top of another's write, or in a NAS that was made anew and tells of nobody's, it first lists
  the claims, as the API server has them now.

One list will do for all nodes. With one leader that is one list after each change of leaders.
"""

import itertools
import threading
from collections.abc import Callable

from api.nas import NodeAllocationState
from api.objects import NodeName


class Fence:
    """Of one controller; thread-safe."""

    def __init__(self, identity: str, catch_up: Callable[[], None]) -> None:
        """Begin with nothing known.

        Args:
            identity: of this process, which no other one ever has.
            catch_up: lists the claims and puts them into the cache.
        """
        self._identity = identity
        self._catch_up = catch_up
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._seen: dict[NodeName, tuple[str, str]] = {}

    def next_writer(self) -> str:
        """Return what the next write is to say of who wrote it; no two say the same."""
        return f"{self._identity}.{next(self._numbers)}"

    def is_behind(self, state: NodeAllocationState) -> bool:
        """Tell whether claims may be allocated on the node that the cache does not have."""
        own = state.writer.startswith(f"{self._identity}.")
        return not own and self._seen.get(state.node) != state.written

    def catch_up(
        self, state: NodeAllocationState, states: Callable[[], dict[NodeName, tuple[str, str]]]
    ) -> None:
        """Learn of all claims that had been allocated when some states were written.

        Args:
            state: that was behind; it is not any more if another thread was faster.
            states: returns in which NAS, and by whom, the states that are known now were written.

        Raises:
            KubeError: the claims could not be listed.
        """
        with self._lock:
            if not self.is_behind(state):
                return
            before = states()
            self._catch_up()
            self._seen = before
