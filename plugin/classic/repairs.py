"""Undoes what people and other programs do to the node's NAS. Called by the sync of the plugin."""

from collections.abc import Callable
from typing import Protocol

from dra.publish.nodestate import NodeState
from dra.repairs import Repair, Report


class Shown(Protocol):
    """What is needed of the publisher of prepared claims."""

    def reconcile(self) -> None:
        """Undo what others wrote."""


class Repairs:
    """Keeps the NAS as the plugin needs it."""

    def __init__(
        self,
        node_state: NodeState,
        publisher: Shown,
        status_changed: Callable[[], None],
        report: Report,
    ) -> None:
        """Repair what is wrong.

        Args:
            node_state: the node's NAS.
            publisher: shows the prepared claims there, or none.
            status_changed: has the status written again, which a NAS made anew does not have.
            report: tells people what had to be repaired.
        """
        self._node_state = node_state
        self._publisher = publisher
        self._status_changed = status_changed
        self._report = report

    def run(self) -> None:
        """Make the NAS exist, offer our devices, and show the prepared claims.

        Raises:
            DriverError: it could not be made so.
        """
        if not self._node_state.intact():
            missing = not self._node_state.current().resource_version
            if missing:
                self._status_changed()
            self._node_state.ensure()
            if missing:
                self._report(Repair.STATE_MISSING, "NodeAllocationState was gone, made anew")
            else:
                self._report(Repair.STATE_CHANGED, "allocatableDevice was changed, written anew")
        self._publisher.reconcile()
