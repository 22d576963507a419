"""Remembers what was seen lately, within bounds."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Recently(Generic[T]):
    """A set that forgets its oldest members; thread-safe."""

    def __init__(self, size: int) -> None:
        """Remember at most `size` members."""
        self._size = size
        self._lock = threading.Lock()
        self._members: OrderedDict[T, None] = OrderedDict()

    def add(self, member: T) -> None:
        """Remember a member, as the latest one."""
        with self._lock:
            self._members[member] = None
            self._members.move_to_end(member)
            if len(self._members) > self._size:
                self._members.popitem(last=False)

    def __contains__(self, member: T) -> bool:
        with self._lock:
            return member in self._members
