"""What the cluster is asked as its administrator, through kubectl."""

import json
from datetime import UTC, datetime

from api.objects import JSON
from tests.e2e.cluster import network
from tests.e2e.cluster.commands import run
from tests.e2e.cluster.errors import CommandFailed
from tests.e2e.cluster.layout import Layout

_LONG_AGO = datetime.fromtimestamp(0, UTC)


class Administrator:
    """One kubectl with the kubeconfig of the administrator."""

    def __init__(self, layout: Layout) -> None:
        """Use the files of `layout`."""
        self._layout = layout

    def kubectl(self, *argv: str, timeout: float = 120) -> str:
        """Run kubectl and return what it writes to standard output.

        Raises:
            CommandFailed: with what it wrote.
        """
        program, flag = self._layout.kubectl, f"--kubeconfig={self._layout.kubeconfig}"
        environment = network.exempt_from_proxies()
        return run(program, flag, *argv, environment=environment, timeout=timeout)

    def api_server_ready(self) -> bool:
        """Return whether the API server says so."""
        try:
            self.kubectl("get", "--raw=/readyz", timeout=10)
        except CommandFailed:
            return False
        return True

    def node_ready(self, name: str, since: datetime = _LONG_AGO) -> bool:
        """Return whether a node is Ready by a report of its kubelet from after `since`."""
        try:
            node = json.loads(self.kubectl("get", "node", name, "--output=json", timeout=10))
        except CommandFailed:
            return False
        return is_ready(node, since)


def is_ready(node: JSON, since: datetime = _LONG_AGO) -> bool:
    """Return whether a node's kubelet has reported it Ready, after `since`.

    A kubelet that ended without a word leaves its node Ready for a while, hence `since`.
    """
    for condition in (node.get("status") or {}).get("conditions") or []:
        if condition["type"] == "Ready":
            heard = condition.get("lastHeartbeatTime")
            fresh = heard is not None and datetime.fromisoformat(heard) >= since
            return bool(fresh and condition["status"] == "True")
    return False
