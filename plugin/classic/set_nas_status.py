"""`set-nas-status`: sets the status of a node's NodeAllocationState, from a script or a hook.

The plugin keeps its node's status by itself; this takes a node out of service by hand (the plugin
does not overrule it while it runs), and serves hooks written for drivers that leave the status to
them. The NAS is made if it is missing, so that it may run before the plugin ever has.
"""

from typing import Final

import click

from api import __version__
from api.names import STATUS_NOT_READY, STATUS_READY
from api.nas import status_patch
from api.objects import NodeName
from api.resources import STATES
from dra.publish.nodestate import get_or_create
from dra.publish.owner import find_node_uid
from kube.client import Client
from kube.errors import AlreadyExists, NotFound
from ops.apiserver import still_waiting
from ops.config import cluster_options, logging_options, namespace_of
from ops.logs import configure, get_logger
from ops.settings import option, program

ATTEMPTS: Final = 3

_LOG = get_logger("set-nas-status")


@program("set-nas-status")
@option(
    "--status",
    "STATUS",
    section="Node",
    metavar="Ready|NotReady",
    type=click.Choice([STATUS_READY, STATUS_NOT_READY], case_sensitive=False),
    required=True,
    show_default=False,
    help="Ready lets the controller allocate devices of the node, NotReady keeps it from that; "
    "claims that are allocated stay so.",
    remedy="give Ready or NotReady",
)
@option(
    "--node-name",
    "NODE_NAME",
    section="Node",
    metavar="NAME",
    required=True,
    show_default=False,
    help="Name of the Node; in a pod, the field spec.nodeName.",
    remedy="give a name that kubectl get nodes shows",
)
@cluster_options
@logging_options
def main(status: str, node_name: str, kubeconfig: str, **values: object) -> int:
    """Set the status of a node's NodeAllocationState, and make it if it is missing."""
    configure(str(values["logging_format"]), int(str(values["verbosity"])))
    namespace = namespace_of(values)
    client = Client.from_kubeconfig(
        kubeconfig,
        qps=0,
        burst=1,
        user_agent=f"set-nas-status/{__version__}",
        on_wait=still_waiting(_LOG),
    )
    try:
        set_status(client, NodeName(node_name), namespace, status)
    finally:
        client.close()
    return 0


def set_status(client: Client, node: NodeName, namespace: str, status: str) -> None:
    """Set the status of the NAS of `node`, `Ready` or `NotReady`; make the NAS if needed.

    Nothing else of the NAS is written, so nobody's write can be in conflict with it.

    Raises:
        NodeUnknown: there is no Node of that name.
        KubeError: the NAS cannot be made or written.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _set_once(client, node, namespace, status)
        except (AlreadyExists, NotFound) as error:
            if attempt == ATTEMPTS:
                raise
            _LOG.debug("Made or deleted by others meanwhile, trying again", err=str(error))
        else:
            _LOG.info("Status set", node=node, namespace=namespace, status=status)
            return


def _set_once(client: Client, node: NodeName, namespace: str, status: str) -> None:
    get_or_create(client, node, namespace, find_node_uid(client, node))
    client.patch(STATES, node, status_patch(status), namespace=namespace)


if __name__ == "__main__":
    main()
