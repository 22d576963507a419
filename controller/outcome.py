"""What one reconcile came to, as a value; the reconciler alone turns it into queue operations."""

from dataclasses import dataclass
from typing import TypeAlias

from api.errors import DriverError
from api.objects import JSON


@dataclass(frozen=True, slots=True)
class Topic:
    """Something that can change: `kind` is `node`, `heartbeat`, `class`, or a parameters kind."""

    kind: str
    name: str


ANY_NODE = Topic("node", "")
"""Woken with every change of any node."""


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing left to do until the object changes."""


@dataclass(frozen=True, slots=True)
class Warned:
    """Nothing left to do, but people have to know something.

    Attributes:
        error: its type names the event's reason, its text is the event's message.
        subjects: raw objects whose readers have to know.
    """

    error: DriverError
    subjects: tuple[JSON, ...]


@dataclass(frozen=True, slots=True)
class Again:
    """Not an error, just not yet: retry with the key's growing back-off, silently."""

    topics: frozenset[Topic] = frozenset()


@dataclass(frozen=True, slots=True)
class After:
    """Look again after some seconds, or as soon as a topic changes."""

    seconds: float
    topics: frozenset[Topic] = frozenset()


@dataclass(frozen=True, slots=True)
class Blocked:
    """Somebody has to change an object first: tell them, look again later or when it changes.

    Attributes:
        error: its type names the event's reason, its text is the event's message.
        subjects: raw objects whose readers have to know.
    """

    error: DriverError
    subjects: tuple[JSON, ...]
    topics: frozenset[Topic] = frozenset()


Outcome: TypeAlias = Done | Warned | Again | After | Blocked
