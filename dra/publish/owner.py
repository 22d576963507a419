"""The Node that owns what its plugin publishes, so that Kubernetes removes that with the Node."""

from typing import Protocol

from api.objects import JSON, NodeName, uid_of
from api.resources import NODES, Resource
from dra.errors import NodeUnknown
from kube.errors import NotFound


class Api(Protocol):
    """What is needed of kube.client.Client."""

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> JSON:
        """Read an object."""


def find_node_uid(client: Api, node: NodeName) -> str:
    """Return the uid of a Node.

    Raises:
        NodeUnknown: there is no Node of that name.
        KubeError: it cannot be read.
    """
    try:
        return uid_of(client.get(NODES, node))
    except NotFound as error:
        raise NodeUnknown(
            f"Node {node} does not exist; set --node-name (NODE_NAME) to the name of the Node "
            "that this runs on, or wait until its kubelet has registered"
        ) from error


def owned_by(raw: JSON, node: NodeName, owner: str) -> list[JSON] | None:
    """Return ownerReferences with the present Node in place of former ones, None if all is well.

    A Node that was deleted and registered again has another uid, and a NAS owned by the former
    one is garbage to Kubernetes.
    """
    present: list[JSON] = list(raw["metadata"].get("ownerReferences") or [])
    nodes = [ref for ref in present if ref.get("kind") == "Node"]
    if [ref.get("uid") for ref in nodes] == [owner]:
        return None
    others = [ref for ref in present if ref.get("kind") != "Node"]
    return [*others, {"apiVersion": "v1", "kind": "Node", "name": node, "uid": owner}]
