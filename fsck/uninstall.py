"""`fake-dra uninstall`: asks whether the driver may go, and removes what Helm does not know of.

The chart runs it as two hooks of `helm uninstall`. With `--check`, before anything is deleted: a
claim that is in use would keep its finalizer for ever, with nobody left to take it away. Without,
after everything was deleted: plugins make their NodeAllocationState and ResourceSlices again, and
the controller its classes, so that these can only be removed when the last of them has ended.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import click

from api import __version__
from api.claims.versions import CLASSIC, STRUCTURED, choose, read_claim
from api.classes import CLASSES, is_ours, managed_selector
from api.contract import Contract
from api.errors import DriverError, UnsupportedVersion
from api.names import RESOURCE_GROUP
from api.nas import parse_nas
from api.objects import JSON, ClaimUID
from api.resources import PODS, STATES, STRUCTURED_VERSIONS, Resource
from fsck.looks import UnsupportedCluster, claims_resource
from fsck.report import named
from kube.client import Client, ListPage
from kube.errors import NotFound
from ops.apiserver import still_waiting
from ops.config import cluster_options, driver_option, logging_options, namespace_of
from ops.logs import configure, get_logger
from ops.settings import option, program

PERIOD_SECONDS: Final = 1.0
PROGRAMS: Final = "app.kubernetes.io/component in (controller,kubeletplugin)"
SECTION: Final = "Uninstall"

_LOG = get_logger("uninstall")


class StillInUse(DriverError):
    """A claim has devices of the driver, or its finalizer; whoever allocated it."""


class PluginsRemain(DriverError):
    """A plugin or controller may still run, which would make again what is removed."""


class Api(Protocol):
    """What is needed of kube.client.Client."""

    def versions(self, group: str) -> list[str]:
        """Return the served versions of an API group."""

    def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> ListPage:
        """Return all objects of a collection."""

    def delete(self, resource: Resource, name: str, namespace: str | None = None) -> None:
        """Delete an object."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for plugins and controller.

    Attributes:
        seconds: at most.
        clock: monotonic seconds.
        sleep: waits for some seconds.
    """

    seconds: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@program("uninstall")
@option(
    "--check",
    "UNINSTALL_CHECK",
    section=SECTION,
    is_flag=True,
    help="Remove nothing; fail if a claim has devices of the driver, or its finalizer.",
    remedy="give it without a value",
)
@option(
    "--plugin-selector",
    "PLUGIN_SELECTOR",
    section=SECTION,
    metavar="SELECTOR",
    default=PROGRAMS,
    help="Labels of the pods of plugin and controller, which have to be gone first.",
    remedy="give a label selector as kubectl takes it",
)
@option(
    "--timeout",
    "UNINSTALL_TIMEOUT",
    section=SECTION,
    type=click.FloatRange(0, 3600),
    default=120.0,
    help="Seconds to wait for these pods.",
    remedy="give a number of seconds from 0 to 3600",
)
@cluster_options
@driver_option
@logging_options
def uninstall(**values: Any) -> int:
    """Remove what the driver's programs made, once they have ended, or check whether it may go.

    `helm uninstall` runs both; run it by hand where the driver was taken away without Helm's hooks.
    """
    configure(values["logging_format"], values["verbosity"])
    namespace = namespace_of(values)
    client = Client.from_kubeconfig(
        values["kubeconfig"],
        qps=0,
        burst=1,
        user_agent=f"fake-dra-uninstall/{__version__}",
        on_wait=still_waiting(_LOG),
    )
    try:
        if values["check"]:
            check_unused(client, namespace, values["contract"])
        else:
            await_plugins(client, namespace, values["plugin_selector"], Patience(values["timeout"]))
            remove_states(client, namespace)
            remove_published(client, values["contract"])
    finally:
        client.close()
    return 0


def check_unused(client: Api, namespace: str, contract: Contract) -> None:
    """Check that nobody would miss the driver.

    Args:
        client: the API server.
        namespace: of the node states.
        contract: of the driver.

    Raises:
        StillInUse: naming the claims.
        MalformedState: a node state cannot be read.
        KubeError: something could not be listed.
    """
    used = {
        **_claims_in_states(client, namespace, contract.device_key),
        **_claims_held(client, contract),
    }
    if not used:
        _LOG.info("No claim has devices of the driver or its finalizer")
        return
    raise StillInUse(
        f"the driver is in use by {named(used.values())}; delete the pods and claims first, or "
        "uninstall with --no-hooks and take the finalizer "
        f"{contract.finalizer} from these claims by hand"
    )


def await_plugins(client: Api, namespace: str, selector: str, patience: Patience) -> None:
    """Wait until no pod of plugin and controller is left.

    Raises:
        PluginsRemain: some are left when the time is over.
        KubeError: pods could not be listed.
    """
    deadline = patience.clock() + patience.seconds
    while left := _pods(client, namespace, selector):
        if patience.clock() >= deadline:
            raise PluginsRemain(
                f"pods of the driver are left in namespace {namespace} after "
                f"{patience.seconds:g} s: {named(left)}; delete them (with --force where the "
                "node is gone), and then run fake-dra uninstall, which removes what they have made"
            )
        _LOG.debug("Waiting for plugins and controller to end", pods=len(left))
        patience.sleep(PERIOD_SECONDS)


def remove_states(client: Api, namespace: str) -> None:
    """Delete all node states; none, or no such kind, is fine.

    Raises:
        KubeError: one could not be deleted.
    """
    _remove(client, STATES, _states(client, namespace))


def remove_published(client: Api, contract: Contract) -> None:
    """Delete the classes that the controller made, and ResourceSlices of the driver.

    A plugin that ends leaves its slices, which a kubelet removes half a minute later.

    Raises:
        KubeError: one could not be deleted.
    """
    try:
        version = choose(client.versions(RESOURCE_GROUP), (*CLASSIC, *STRUCTURED))
    except UnsupportedVersion:
        return
    classes = CLASSES[version]
    own = client.list(classes, label_selector=managed_selector(contract))
    _remove(client, classes, [obj for obj in own.items if is_ours(obj, contract)])
    if version in STRUCTURED:
        slices = STRUCTURED_VERSIONS[version].slices
        published = client.list(slices, field_selector=f"spec.driver={contract.driver_name}")
        _remove(client, slices, published.items)


def _remove(client: Api, resource: Resource, objects: list[JSON]) -> None:
    for obj in objects:
        name, namespace = obj["metadata"]["name"], obj["metadata"].get("namespace")
        try:
            client.delete(resource, name, namespace)
        except NotFound:
            continue
        _LOG.info(f"{resource.kind} deleted", name=name)


def _claims_in_states(client: Api, namespace: str, key: str) -> dict[ClaimUID, str]:
    used: dict[ClaimUID, str] = {}
    for state in (parse_nas(obj, key) for obj in _states(client, namespace)):
        for uid in state.prepared:
            used[uid] = f"claim with uid {uid} on node {state.node}"
        for uid, given in state.allocated.items():
            used[uid] = f"{given.namespace}/{given.name}"
    return used


def _claims_held(client: Api, contract: Contract) -> dict[ClaimUID, str]:
    try:
        resource = claims_resource(client)
    except UnsupportedCluster:
        return {}
    claims = map(read_claim, client.list(resource).items)
    return {
        claim.uid: f"{claim.namespace}/{claim.name}" for claim in claims if claim.held_by(contract)
    }


def _states(client: Api, namespace: str) -> list[JSON]:
    try:
        return client.list(STATES, namespace=namespace).items
    except NotFound:
        return []


def _pods(client: Api, namespace: str, selector: str) -> list[str]:
    page = client.list(PODS, namespace=namespace, label_selector=selector)
    return [pod["metadata"]["name"] for pod in page.items]
