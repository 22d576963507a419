"""Logs in time that a node's plugin has gone silent, or is heard again; for the keys of states."""

from collections.abc import Callable

from api.objects import Key, NodeName
from controller.nodes.infos import Heartbeats
from controller.outcome import After, Outcome
from ops.logs import get_logger

_LOG = get_logger("heartbeats")


class SilenceLog:
    """Looks at states as another one does, in time to say what has become of a plugin."""

    def __init__(self, look: Callable[[Key], Outcome], heartbeats: Heartbeats) -> None:
        """Do what `look` does, and look at `heartbeats` then."""
        self._look = look
        self._heartbeats = heartbeats
        self._silent: set[NodeName] = set()

    def sync(self, key: Key) -> Outcome:
        """Look at one state."""
        outcome = self._look(key)
        node = NodeName(key.rpartition("/")[2])
        left = self._heartbeats.seconds_left(node)
        self._report(node, left == 0)
        if left and isinstance(outcome, After) and left < outcome.seconds:
            return After(left, outcome.topics)
        return outcome

    def _report(self, node: NodeName, silent: bool) -> None:
        if silent == (node in self._silent):
            return
        if silent:
            self._silent.add(node)
            _LOG.warning("plugin has gone silent, claims go elsewhere where they can", node=node)
        else:
            self._silent.discard(node)
            _LOG.info("plugin is not silent any more", node=node)
