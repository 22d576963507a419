"""Tells people what the API server does with ResourceSlices: each thing once, until it changes."""

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from api.events import Events
from api.objects import JSON
from dra.publish.slices.features import GATES, dropped, explain, fields_of
from ops.logs import get_logger

REASON: Final = "FieldsNotStored"
"""Of the event."""

_LOG: Final = get_logger("slices")


class Told:
    """Log lines, events on the Node, and a metric by field.

    `compared` is for one thread; the others may be called by several, each for tasks of its own.
    """

    def __init__(self, events: Events, node: JSON, registry: CollectorRegistry) -> None:
        """Be silent.

        Args:
            events: of the program.
            node: the Node, as the object of events.
            registry: of the program's metrics.
        """
        self._events = events
        self._node = node
        self._dropped = Gauge(
            "fake_dra_plugin_slice_field_dropped",
            "1 while the API server does not store a field of ResourceSlices that was sent.",
            ["field"],
            registry=registry,
        )
        for field in GATES:
            self._dropped.labels(field)
        self._fields: frozenset[str] = frozenset()
        self._altered: set[str] = set()
        self._failures: dict[str, str] = {}

    def compared(self, sent: JSON, stored: JSON) -> frozenset[str]:
        """Tell of fields that were dropped by a write; return their names."""
        paths = dropped(sent, stored)
        found = fields_of(paths)
        kept = (self._fields & _names(sent["spec"])) - found if self._fields else frozenset()
        for field in kept:
            self._dropped.labels(field).set(0)
        for field in found:
            self._dropped.labels(field).set(1)
        if found - self._fields:
            text = explain(paths)
            _LOG.warning("Fields dropped", reason=REASON, message=text)
            self._events.warning(self._node, REASON, text)
        self._fields = self._fields - kept | found
        return found

    def altered(self, pool: str) -> None:
        """Tell that slices were stored with other values than those that were sent."""
        if pool not in self._altered:
            self._altered.add(pool)
            text = (
                "the API server stored ResourceSlices with other values than were sent; look for "
                "an admission webhook or policy that changes them"
            )
            _LOG.warning("Values changed", pool=pool, message=text)

    def failed(self, what: str, error: Exception) -> None:
        """Tell why something failed that is tried again."""
        if self._failures.get(what) != str(error):
            self._failures[what] = str(error)
            _LOG.warning("Failed, trying again", task=what, err=str(error))

    def succeeded(self, what: str) -> None:
        """Tell that something works that had failed."""
        if self._failures.pop(what, None) is not None:
            _LOG.info("Works again", task=what)


def _names(value: object) -> frozenset[str]:
    """Return the names of all fields in an object."""
    if isinstance(value, Mapping):
        return frozenset(value).union(*map(_names, value.values()))
    if isinstance(value, list):
        return frozenset().union(*map(_names, value))
    return frozenset()
