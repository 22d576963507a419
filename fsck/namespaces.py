"""In which namespace the driver keeps its node states, so that nobody has to know it.

A look into another namespace finds nothing wrong there, and takes every allocation for lost.
"""

from collections import Counter
from collections.abc import Callable

from api.errors import DriverError
from api.resources import STATES
from api.texts import counted
from fsck.looks import Reader
from kube.errors import Forbidden, NotFound


class NamespaceUnknown(DriverError):
    """There are node states, and it is not clear that these are the ones to look at."""


def driver_namespace(client: Reader, wanted: str, own: Callable[[], str]) -> str:
    """Return the namespace of the node states; empty if the API server has none.

    Args:
        client: the API server.
        wanted: what the user says; empty is to be found.
        own: returns the namespace of the pod, for who may not list in all.

    Raises:
        NamespaceUnknown: naming those that there are.
        KubeError: node states could not be listed.
    """
    if wanted and _count(client, wanted):
        return wanted
    try:
        found = _count(client)
    except Forbidden as error:
        if not wanted:
            return own()
        raise NamespaceUnknown(
            f"there is no NodeAllocationState in namespace {wanted} of {client.url}, and whether "
            f"there is one in another is hidden: {error}; see that --namespace is the driver's"
        ) from error
    if not found or (len(found) == 1 and not wanted):
        return next(iter(found), "")
    there = " and ".join(f"{name} ({counted(n, 'node')})" for name, n in sorted(found.items()))
    what = f"none in namespace {wanted}, but in {there}" if wanted else f"in namespaces {there}"
    raise NamespaceUnknown(
        f"the NodeAllocationStates of {client.url} are {what}; name the driver's with "
        "--namespace (env POD_NAMESPACE or NAMESPACE)"
    )


def _count(client: Reader, namespace: str | None = None) -> Counter[str]:
    """Return how many node states there are, by namespace."""
    try:
        states = client.list(STATES, namespace=namespace).items
    except NotFound:
        # the API server does not have the kind
        return Counter()
    return Counter(str(state["metadata"]["namespace"]) for state in states)
