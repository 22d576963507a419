"""Prepares and unprepares claims on request of the kubelet, whichever protocol carries it.

Everything slow or doubtful comes first and without a lock: the claim is read live and checked, and
the allocation is taken from the watch cache, or read live if that does not do. Then
`dra.devicestate.state` does the rest. What passes by itself is waited for, and all of that is done
again. Called by `dra.kubelet.service`.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Protocol

from api.claims.view import ClaimView, Result
from api.contract import Contract
from api.errors import DriverError
from api.nas import AllocatedClaim, NodeAllocationState
from api.objects import JSON, ClaimUID, DeviceID, NodeName, device_name
from dra.claims import ClaimReader, ClaimRef, verify
from dra.devicestate import cdi
from dra.devicestate.prepared import described
from dra.devicestate.state import State
from dra.driver import PreparedClaim
from dra.errors import NodeError
from dra.kubelet.answers import Answer, AnsweredDevice
from dra.metrics import PREPARE, UNPREPARE, PluginMetrics
from dra.patience import Patience
from dra.publish.nas import shown_devices
from dra.publish.nodestate import CachedAllocation, Devices
from ops.logs import get_logger
from plugin.devices import DeviceSource, prepared_devices
from plugin.errors import NotInNodeState
from plugin.fakes import Fakes

_LOG = get_logger("driver")


class NodeStateReader(Protocol):
    """Where allocations are read."""

    def cached_allocation(self, uid: ClaimUID) -> CachedAllocation | None:
        """Return a claim's allocation as the watch cache has it."""

    def read(self) -> NodeAllocationState:
        """Return the node's NAS as it is stored now."""

    def current(self) -> NodeAllocationState:
        """Return the node's NAS from the watch cache, with every write of ours in it."""


class Events(Protocol):
    """What is needed of kube.events.EventRecorder."""

    def normal(self, obj: JSON, reason: str, message: str) -> None:
        """Record that something went as it should."""

    def warning(self, obj: JSON, reason: str, message: str) -> None:
        """Record a Warning about an object."""


class NodeDriver:
    """Serves one claim at a time; calls may come from several threads."""

    def __init__(
        self,
        node: NodeName,
        contract: Contract,
        claims: ClaimReader,
        node_state: NodeStateReader,
        source: DeviceSource,
        state: State,
        *,
        patience: Patience,
        metrics: PluginMetrics,
        events: Events,
    ) -> None:
        """Put the parts together.

        Args:
            node: that this plugin runs on.
            contract: of the driver.
            claims: reads ResourceClaims.
            node_state: reads the node's NAS.
            source: the node's devices.
            state: the prepared claims.
            patience: waits for what passes by itself.
            metrics: counts and times each call.
            events: tells users of failures, and of success unless it was shown before.
        """
        self._node = node
        self._contract = contract
        self._fakes = Fakes(contract, node)
        self._claims = claims
        self._node_state = node_state
        self._source = source
        self._state = state
        self._patience = patience
        self._metrics = metrics
        self._events = events

    def prepare(self, ref: ClaimRef) -> Answer:
        """Prepare a claim; any number of times, also after a restart of plugin or machine.

        Raises:
            DriverError: naming the claim, what is wrong, and what helps.
        """
        read: list[ClaimView] = []
        shown: list[Devices | None] = []

        def attempt() -> PreparedClaim:
            read.append(self._claims.read(ref))
            shown.append(self._node_state.current().prepared.get(ref.uid))
            return self._prepare(read[-1], ref)

        with self._metrics.timed(PREPARE):
            try:
                prepared = self._patience.persist(ref, attempt)
            except DriverError as error:
                if read and read[-1].uid == ref.uid:
                    self._events.warning(read[-1].raw, "PrepareFailed", str(error))
                raise
        if shown[0] != shown_devices(prepared):
            told = described(prepared.devices)
            self._events.normal(read[-1].raw, "Prepared", f"{told} on node {self._node}")
        _LOG.info("Prepared", claim=prepared, devices=len(prepared.devices))
        results = read[-1].results(self._contract.driver_name)
        return answer(self._contract, prepared, results, self._node)

    def unprepare(self, ref: ClaimRef) -> None:
        """Unprepare a claim; one that is not prepared, or does not exist any more, is fine.

        Raises:
            DriverError: the claim may still be prepared.
        """
        with self._metrics.timed(UNPREPARE):
            self._patience.persist(ref, lambda: self._state.unprepare(ref.uid))
        _LOG.info("Unprepared", claim=ref, uid=ref.uid)

    def _prepare(self, claim: ClaimView, ref: ClaimRef) -> PreparedClaim:
        verify(claim, ref, self._node, self._contract.driver_name)
        prepared = self._prepare_cached(claim, ref)
        if prepared is None:
            prepared = self._wanted(claim, ref)
            self._state.prepare(prepared)
        return prepared

    def _prepare_cached(self, claim: ClaimView, ref: ClaimRef) -> PreparedClaim | None:
        """Prepare a claim as the watch cache has it, which saves a request.

        The cache may be behind: what it says is only good for success. Without that nothing was
        changed, and None is returned.
        """
        cached = self._node_state.cached_allocation(ref.uid)
        if cached is None or not cached.claim.devices or self._state.find(ref.uid) is not None:
            return None
        try:
            wanted = self._allocated(claim, ref, cached.claim)
            self._state.prepare(wanted, cached.precondition)
        except NodeError as error:
            _LOG.debug("Reading the allocation live", claim=ref, err=str(error))
            return None
        return wanted

    def _wanted(self, claim: ClaimView, ref: ClaimRef) -> PreparedClaim:
        """Return what the claim should be prepared as, by a live look.

        A NAS that was deleted loses its allocations; a claim that is prepared keeps its devices.
        """
        allocated = self._node_state.read().allocated.get(ref.uid)
        if allocated is not None and allocated.devices:
            return self._allocated(claim, ref, allocated)
        held = self._state.find(ref.uid)
        if held is None:
            raise NotInNodeState(
                f"{ref} has no devices in NodeAllocationState {self._node}; if this lasts, delete "
                "the pod and the claim so that the controller allocates it again"
            )
        return held

    def _allocated(
        self, claim: ClaimView, ref: ClaimRef, allocated: AllocatedClaim
    ) -> PreparedClaim:
        devices = prepared_devices(self._source, allocated.devices)
        return self._fakes.claim(ref.uid, ref.namespace, ref.name, claim.label, devices)


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
