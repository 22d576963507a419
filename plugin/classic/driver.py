"""The fake driver: devices by name only, which containers get as variables.

What a claim was given stands in the claim itself or in the node's NAS, with the split of each
device, or its share. Called by `dra.node`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from api.claims.view import ClaimView, Config, Result
from api.contract import Contract
from api.handles import given
from api.nas import AllocatedDevice, Share, device_json
from api.nas import Device as OfferedDevice
from api.objects import JSON, DeviceID, NodeName, device_name
from dra.devicestate import cdi
from dra.driver import Edits, PreparedClaim, PreparedDevice, PreparingClaim
from dra.inventory import Device, Inventory
from dra.kubelet.answers import Answer, AnsweredDevice
from dra.node import Allocation
from dra.publish.nodestate import NodeState
from plugin.devices import DeviceSource, prepared_devices
from plugin.errors import NotInNodeState
from plugin.fakes import Fakes


@dataclass(frozen=True, slots=True)
class FakeDriver:
    """A dra.driver.Driver without side effects.

    Attributes:
        fakes: what containers get.
        source: of the devices.
    """

    fakes: Fakes
    source: DeviceSource

    @property
    def contract(self) -> Contract:
        """Who the driver is."""
        return self.fakes.contract

    def discover(self) -> Inventory:
        """Return the whole devices of the node."""
        return Inventory.of(
            *(
                Device(device_name(device.id), {"uuid": device.id, "model": device.model})
                for device in self.source.devices()
            )
        )

    def prepare(self, claim: PreparingClaim) -> Sequence[PreparedDevice]:
        """Return the variables of the devices, or of their children or shares.

        Raises:
            MalformedState: a split that no claim can ask for.
            DeviceGone: the node does not have a device any more.
        """
        devices = prepared_devices(self.source, map(_allocated, claim.results))
        identity = (claim.uid, claim.namespace, claim.name, claim.label)
        return self.fakes.claim(*identity, devices).devices

    def unprepare(self, claim: PreparedClaim) -> None:
        """Undo nothing, since nothing was done."""

    def remake(self, claim: PreparedClaim, file: JSON | None) -> PreparedClaim:
        """Return a claim with the edits of its devices, which are those of its file if known."""
        known = all(device.edits != Edits() for device in claim.devices)
        return claim if known else self.fakes.remake(claim, file)

    def answer(self, claim: PreparedClaim, view: ClaimView) -> Answer:
        """Return a prepared claim, and as it was read, in the form that kubelets get."""
        results = view.results(self.contract.driver_name)
        return answer(self.contract, claim, results, self.fakes.node)


def offered(inventory: Inventory) -> tuple[OfferedDevice, ...]:
    """Return devices as a NAS offers them."""
    found = (device.attributes for pool in inventory.pools for device in pool.devices)
    return tuple(OfferedDevice(DeviceID(str(a["uuid"])), str(a["model"])) for a in found)


class FromController:
    """Finds what a controller has given to claims; a dra.node.Allocations."""

    def __init__(
        self, contract: Contract, node_state: NodeState, node: NodeName, *, tested: bool
    ) -> None:
        """Look into claims, and for those that do not say it into the NAS of a node.

        Args:
            contract: of the driver.
            node_state: the NAS.
            node: its name.
            tested: whether the publisher of prepared claims tests what the watch cache says.
        """
        self._contract = contract
        self._node_state = node_state
        self._node = node
        self._tested = tested

    def of(self, claim: ClaimView, held: PreparedClaim | None) -> Iterator[Allocation]:
        """Yield what the claim says, which was read live, or what the node's NAS has for it.

        Raises:
            MalformedHandle: the claim says what cannot be read.
            NotInNodeState: neither has devices for the claim.
            KubeError: the NAS cannot be read.
        """
        found = given(claim, self._contract)
        if found is None:
            yield from self._in_node_state(claim, held)
        else:
            yield Allocation(self._results(found.devices))

    def _in_node_state(self, claim: ClaimView, held: PreparedClaim | None) -> Iterator[Allocation]:
        """Yield what the watch cache says, which saves a request but may be behind; then live.

        A NAS that was deleted loses its allocations; a claim that is prepared keeps its devices.
        """
        doubtful = self._tested and held is None
        cached = self._node_state.cached_allocation(claim.uid) if doubtful else None
        if cached is not None and cached.claim.devices:
            yield Allocation(self._results(cached.claim.devices), cached.precondition)
        allocated = self._node_state.read().allocated.get(claim.uid)
        if allocated is not None and allocated.devices:
            yield Allocation(self._results(allocated.devices))
        elif held is not None:
            yield Allocation(held.results, devices=held.devices)
        else:
            raise NotInNodeState(
                f"ResourceClaim {claim.key} has no devices in NodeAllocationState {self._node}; if "
                "this lasts, delete the pod and the claim so that the controller allocates it again"
            )

    def _results(self, devices: Sequence[AllocatedDevice]) -> tuple[Result, ...]:
        return tuple(_result(self._node, each) for each in devices)


def with_parents(source: DeviceSource, node: NodeName, claim: PreparedClaim) -> PreparedClaim:
    """Return a claim as its CDI file shows it, with the parents of devices that are children."""
    most = len(claim.devices)
    parents = {
        child: device.id
        for device in source.devices()
        for child in source.children(device.id, most)
    }
    devices = (
        (device, parents.get(DeviceID(device.device), device.device)) for device in claim.devices
    )
    return replace(
        claim,
        devices=tuple(
            replace(
                device,
                pool=node,
                device=whole,
                name=device.device if device.device != whole else "",
            )
            for device, whole in devices
        ),
    )


def answer(
    contract: Contract, claim: PreparedClaim, results: Sequence[Result], node: NodeName
) -> Answer:
    """Return a prepared claim in the form that kubelets get.

    Args:
        contract: of the driver.
        claim: what was prepared.
        results: which request each device serves, as far as the claim tells.
        node: the pool of devices that the claim names no pool for.
    """
    own = cdi.device_ids(contract, claim)
    return tuple(
        _answered(cdi.common_id(contract), whole, ids, results, node)
        for whole, ids in _by_whole_device(claim, own)
    )


def _by_whole_device(
    claim: PreparedClaim, ids: Sequence[Sequence[str]]
) -> Iterator[tuple[DeviceID, list[str]]]:
    found = zip(claim.devices, ids, strict=True)
    for whole, devices in groupby(found, key=lambda each: each[0].device):
        yield DeviceID(whole), [id_ for _, own in devices for id_ in own]


def _answered(
    common: str,
    whole: DeviceID,
    ids: Sequence[str],
    results: Sequence[Result],
    node: NodeName,
) -> AnsweredDevice:
    """Join a device with its results, by the name that the controller gave it there."""
    name = device_name(whole)
    serving = [result for result in results if result.device == name]
    return AnsweredDevice(
        requests=tuple(result.request for result in serving),
        pool=serving[0].pool if serving else node,
        device=name,
        cdi_ids=(common, *ids),
    )


def _result(node: NodeName, device: AllocatedDevice) -> Result:
    """Return a device that a claim was given; how it is split or shared stands in the config."""
    share_id = None if device.share is None else str(device.share.client)
    how = {name: value for name, value in device_json(device).items() if name != "uuid"}
    config = (Config("NodeAllocationState", "spec.allocatedClaims", how),) if how else ()
    return Result("", node, device.id, share_id, config=config)


def _allocated(result: Result) -> AllocatedDevice:
    how = result.config[-1].parameters if result.config else {}
    given = how.get("timeSliced")
    share = Share(int(given["client"]), int(given["maxClients"])) if given else None
    return AllocatedDevice(DeviceID(result.device), int(how.get("split", 0)), share)
