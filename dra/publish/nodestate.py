"""The node's own NodeAllocationState (NAS): made, kept, and written in the parts that are ours.

Ours are `spec.allocatableDevice`, `spec.sharing`, `spec.preparedDevices`, the owner, `heartbeat`,
and `status` at start and stop. All writes are patches of just those, so nobody else's field is ever
dropped. The watch cache is fed with the answers to our writes. Called by `nas`,
`plugin.classic.repairs`, `plugin.classic.heartbeat`, `plugin.classic.driver` and set-nas-status.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from api.names import NAS_KIND
from api.nas import (
    AllocatedClaim,
    Device,
    Heartbeat,
    NodeAllocationState,
    PreparedDevice,
    heartbeat_patch,
    inventory_patch,
    new_nas,
    parse_nas,
    place_patch,
    prepared_patch,
    status_patch,
)
from api.objects import JSON, ClaimUID, NodeName, object_key, uid_of
from api.resources import STATES
from dra.devicestate.publisher import Precondition
from dra.errors import AllocationChanged, NodeStateMissing
from dra.publish.owner import find_node_uid, owned_by
from kube.cache import revision
from kube.calls import Patch
from kube.errors import Conflict, Invalid, NotFound
from kube.store import Store
from ops.logs import get_logger
from ops.pruning import Api

Devices: TypeAlias = tuple[PreparedDevice, ...]
"""The prepared devices of a claim as a NAS shows them."""

_ATTEMPTS: Final = 5
_LOG = get_logger("nodestate")


@dataclass(frozen=True, slots=True)
class CachedAllocation:
    """A claim's allocation in the watch cache.

    Attributes:
        claim: the allocation.
        precondition: that it is what the API server has.
    """

    claim: AllocatedClaim
    precondition: Precondition


class NodeState:
    """The NAS of one node."""

    def __init__(
        self,
        client: Api,
        cache: Store,
        node: NodeName,
        namespace: str,
        devices: tuple[Device, ...],
        key: str,
        sharing: tuple[str, ...] = (),
        prepared_in: str = "",
    ) -> None:
        """Manage the NAS that is named like the node.

        Args:
            client: the API server.
            cache: watch cache of this one object.
            node: name of the Node, and of the NAS.
            namespace: of the NAS.
            devices: the inventory, in the order in which it is offered.
            key: of the driver in the NAS.
            sharing: how the devices may be shared between claims.
            prepared_in: where prepared claims are shown; empty is in the NAS.
        """
        self._client = client
        self._cache = cache
        self._node = node
        self._namespace = namespace
        self._devices = devices
        self._key = key
        self._sharing = sharing
        self._prepared_in = prepared_in
        self._last: tuple[tuple[str, int], NodeAllocationState] | None = None

    def current(self) -> NodeAllocationState:
        """Return the NAS from the cache, an empty one if there is none.

        Raises:
            MalformedState: with the object, the field and the remedy.
        """
        raw = self._cached()
        if raw is None:
            return NodeAllocationState(self._node, self._namespace)
        return self._parsed(raw)

    def read(self) -> NodeAllocationState:
        """Return the NAS as it is stored now.

        The cache may still show an earlier allocation of the same claim, see `write_tested`.

        Raises:
            NodeStateMissing: it was deleted.
            MalformedState: with the object, the field and the remedy.
            KubeError: it cannot be read.
        """
        try:
            raw = self._client.get(STATES, self._node, self._namespace)
        except NotFound as error:
            raise NodeStateMissing(
                f"{NAS_KIND} {self._namespace}/{self._node} does not exist; the plugin is making "
                "it anew, the claim is tried again"
            ) from error
        self._cache.written(raw)
        return self._parsed(raw)

    def cached_allocation(self, uid: ClaimUID) -> CachedAllocation | None:
        """Return a claim's allocation as the cache has it, None if it has none.

        Raises:
            MalformedState: with the object, the field and the remedy.
        """
        raw = self._cached()
        claim = None if raw is None else self._parsed(raw).allocated.get(uid)
        if raw is None or claim is None:
            return None
        return CachedAllocation(claim, Precondition(raw["spec"]["allocatedClaims"][uid]))

    def intact(self) -> bool:
        """Tell whether the cached NAS exists and offers exactly our inventory.

        Raises:
            MalformedState: with the object, the field and the remedy.
        """
        raw = self._cached()
        if raw is None:
            return False
        state = self._parsed(raw)
        return state.allocatable == self._devices and self._says_place(state)

    def ensure(self) -> None:
        """Make the NAS exist, owned by the present Node and offering exactly our inventory.

        Raises:
            NodeUnknown: there is no Node of that name.
            MalformedState: nothing was changed.
            Conflict: others wrote faster than we, several times in a row.
            KubeError: it cannot be read or written.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._ensure_once()
            except Conflict as error:
                if attempt == _ATTEMPTS:
                    raise
                _LOG.debug("NodeAllocationState changed meanwhile, trying again", err=str(error))
        return None

    def set_status(self, status: str) -> None:
        """Write `status`, `Ready` or `NotReady`, and nothing else.

        Raises:
            KubeError: it cannot be written.
        """
        self._patch(status_patch(status))
        _LOG.info("Status of the NodeAllocationState set", status=status, node=self._node)

    def beat(self, heartbeat: Heartbeat) -> bool:
        """Write a sign of life; tell whether the API server stores it.

        It says again how devices may be shared where the NAS does not: an API server with an older
        definition of it drops that, until the definition is upgraded.

        Raises:
            KubeError: it cannot be written.
        """
        spec = (self._cached() or {}).get("spec")
        shown = spec.get("sharing") if isinstance(spec, dict) else None
        sharing = () if shown == [*self._sharing] else self._sharing
        return "heartbeat" in self._patch(heartbeat_patch(heartbeat, sharing))

    def write_prepared(self, changes: Mapping[ClaimUID, Devices | None], *, last: bool) -> None:
        """Write some entries of `preparedDevices`.

        Removing entries from a NAS that is gone is done already.

        Raises:
            KubeError: it cannot be written.
        """
        try:
            self._patch(prepared_patch(changes, self._key, last=last))
        except NotFound:
            if any(devices is not None for devices in changes.values()):
                raise

    def write_tested(
        self, prepared: Mapping[ClaimUID, Devices], allocated: Mapping[ClaimUID, Precondition]
    ) -> None:
        """Replace `preparedDevices`, if the API server has these allocations.

        Args:
            prepared: of all claims.
            allocated: of the claims whose devices were taken from the cache, as it shows them.

        Raises:
            AllocationChanged: an allocation is another one by now; nothing was written.
            KubeError: it cannot be written.
        """
        try:
            self._patch(conditional_patch(prepared, allocated, self._key))
        except (Invalid, NotFound) as error:
            raise AllocationChanged(
                f"{NAS_KIND} {self._namespace}/{self._node} has another allocation of claim "
                f"{', '.join(allocated)} than the watch has shown: {error}; try again"
            ) from error

    def _ensure_once(self) -> None:
        owner = find_node_uid(self._client, self._node)
        raw = get_or_create(self._client, self._node, self._namespace, owner)
        self._cache.written(raw)
        state = parse_nas(raw, self._key)
        references = owned_by(raw, self._node, owner)
        if references is not None:
            guard = {"resourceVersion": state.resource_version, "ownerReferences": references}
            state = parse_nas(self._patch({"metadata": guard}), self._key)
            _LOG.info("Owner of the NodeAllocationState set", node=self._node, uid=owner)
        if not self._says_place(state):
            state = parse_nas(self._patch(place_patch(self._prepared_in)), self._key)
            _LOG.info("Place of prepared claims set", node=self._node, place=self._prepared_in)
        offers = (state.allocatable, state.sharing)
        if offers != (self._devices, self._sharing) or "summary" not in raw:
            self._patch(inventory_patch(state, self._devices, self._key, self._sharing))
            _LOG.info("Inventory written", node=self._node, devices=len(self._devices))

    def _says_place(self, state: NodeAllocationState) -> bool:
        return state.prepared_here == (not self._prepared_in)

    def _parsed(self, raw: JSON) -> NodeAllocationState:
        """Read an object, each resourceVersion once; threads may both do it, without harm."""
        identity = (uid_of(raw), revision(raw))
        last = self._last
        if last is None or last[0] != identity:
            last = self._last = (identity, parse_nas(raw, self._key))
        return last[1]

    def _cached(self) -> JSON | None:
        return self._cache.get(object_key(self._namespace, self._node))

    def _patch(self, patch: Patch) -> JSON:
        stored = self._client.patch(STATES, self._node, patch, namespace=self._namespace)
        self._cache.written(stored)
        return stored


def get_or_create(client: Api, node: NodeName, namespace: str, owner: str) -> JSON:
    """Return the stored NAS of a node; makes one, owned by the Node with uid `owner`, if needed.

    Raises:
        AlreadyExists: somebody else made it in between.
        KubeError: it cannot be read or created.
    """
    try:
        return client.get(STATES, node, namespace)
    except NotFound:
        created = client.create(STATES, new_nas(node, namespace, owner), namespace)
    _LOG.info("NodeAllocationState created", node=node, namespace=namespace)
    return created


def conditional_patch(
    prepared: Mapping[ClaimUID, Devices], allocated: Mapping[ClaimUID, Precondition], key: str
) -> list[JSON]:
    """Return the JSON patch that replaces `preparedDevices`, if the allocations are these.

    The API server applies all of it or nothing, and answers 422 if a test fails.
    Source: RFC 6902; kubernetes apiserver pkg/endpoints/handlers/patch.go, applyJSPatch.
    """
    tests = [
        {"op": "test", "path": f"/spec/allocatedClaims/{_escaped(uid)}", "value": raw}
        for uid, raw in allocated.items()
    ]
    shown = prepared_patch(prepared, key, last=False)["spec"]["preparedDevices"]
    return [*tests, {"op": "add", "path": "/spec/preparedDevices", "value": shown}]


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
