"""Prepares and unprepares claims on request of the kubelet, whichever protocol carries it.

A claim is read live and checked; what it was given is found; the driver makes its devices ready;
`dra.devicestate.state` keeps them. Only one call of a claim runs at a time. What passes by itself
is waited for, and all of that is done again. Called by `dra.kubelet.service` and `dra.garbage`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from api.claims.view import ClaimView, Result
from api.errors import DriverError
from api.events import Events
from api.objects import NodeName
from dra.claims import ClaimReader, ClaimRef, verify
from dra.devicestate.prepared import CheckpointEntry, checked, described
from dra.devicestate.publisher import Precondition
from dra.devicestate.state import State
from dra.driver import (
    Driver,
    PreparedClaim,
    PreparedDevice,
    PreparingClaim,
    PublishStatus,
    Validates,
)
from dra.drivercode import (
    allocated_of,
    check_devices,
    complaints,
    driver_code,
    key_of,
    listed,
    names_of,
)
from dra.errors import ClaimNotFound, InvalidParameters, NodeError, UnknownDevice
from dra.kubelet.answers import Answer, appended
from dra.metrics import PREPARE, UNPREPARE, PluginMetrics
from dra.patience import Patience
from dra.publish.metadatafiles import MetadataFiles
from ops.logs import get_logger

_LOG = get_logger("driver")


@dataclass(frozen=True, slots=True)
class Allocation:
    """What a claim was given.

    Attributes:
        results: of the driver, in order.
        precondition: under which they are right; None if they are certain.
        devices: as they are prepared, if that is all that is known of them.
    """

    results: tuple[Result, ...]
    precondition: Precondition | None = None
    devices: tuple[PreparedDevice, ...] = ()


class Allocations(Protocol):
    """Finds what claims were given."""

    def of(self, claim: ClaimView, held: PreparedClaim | None) -> Iterator[Allocation]:
        """Yield what a claim was given, what is cheap and doubtful first, what is certain last.

        Args:
            claim: read live.
            held: as it is prepared already.

        Raises:
            DriverError: that cannot be told.
        """
        ...


class FromClaims:
    """Allocations of kube-scheduler, which stand in the claims themselves."""

    def __init__(self, driver_name: str, offered: Callable[[Result], bool]) -> None:
        """Find those of a driver.

        Args:
            driver_name: of it.
            offered: tells whether a device is one that it offers on this node.
        """
        self._driver_name = driver_name
        self._offered = offered

    def of(self, claim: ClaimView, held: PreparedClaim | None) -> Iterator[Allocation]:
        """Yield the results of the claim.

        Raises:
            UnknownDevice: one is not offered, and not prepared for the claim either.
        """
        results = claim.results(self._driver_name)
        kept = allocated_of(held) if held else set()
        unknown = {key for r in results if (key := key_of(r)) not in kept and not self._offered(r)}
        if held and not held.results:
            # from a corrupt checkpoint, which does not tell the pools
            unknown.clear()
        if unknown:
            raise UnknownDevice(
                f"device {names_of(unknown)} of ResourceClaim {claim.key} is none that driver "
                f"{self._driver_name} offers on this node; see whether it has left, and delete the "
                "pod so that it gets another one"
            )
        yield Allocation(results)


class StatusPublisher(Protocol):
    """What is needed of dra.publish.status."""

    def of(self, claim: ClaimView) -> PublishStatus:
        """Return what shows the state of devices in a claim."""


class NoStatus:
    """Shows nothing: classic claims have no status of devices."""

    def of(self, _claim: ClaimView) -> PublishStatus:
        """Return what shows nothing."""
        return _show_nothing


class NodeDriver:
    """Serves one claim at a time; calls may come from several threads."""

    def __init__(
        self,
        node: NodeName,
        driver: Driver,
        claims: ClaimReader,
        allocations: Allocations,
        state: State,
        *,
        status: StatusPublisher,
        answer: Callable[[PreparedClaim, ClaimView], Answer],
        metadata: MetadataFiles | None,
        patience: Patience,
        metrics: PluginMetrics,
        events: Events,
    ) -> None:
        """Put the parts together.

        Args:
            node: that this plugin runs on.
            driver: makes devices ready.
            claims: reads ResourceClaims.
            allocations: finds what they were given.
            state: the prepared claims.
            status: shows the state of devices in claims.
            answer: what the kubelet is told of a prepared claim.
            metadata: what containers are told of their devices; None if they are not.
            patience: waits for what passes by itself.
            metrics: counts and times each call.
            events: tells users of failures, and of success unless it was shown before.
        """
        self._node = node
        self._driver = driver
        self._validates = driver if isinstance(driver, Validates) else None
        self._claims = claims
        self._allocations = allocations
        self._state = state
        self._status = status
        self._answer = answer
        self._metadata = metadata
        self._patience = patience
        self._metrics = metrics
        self._events = events

    def prepare(self, ref: ClaimRef) -> Answer:
        """Prepare a claim; any number of times, also after a restart of plugin or machine.

        Raises:
            DriverError: naming the claim, what is wrong, and what helps.
        """
        before = self._state.entry(ref.uid)
        read: list[ClaimView] = []

        def attempt() -> PreparedClaim:
            read.append(self._claims.read(ref))
            verify(read[-1], ref, self._node, self._driver.contract.driver_name)
            return self._prepare(read[-1])

        with self._metrics.timed(PREPARE):
            try:
                prepared = self._patience.persist(ref, attempt)
            except DriverError as error:
                if read and read[-1].uid == ref.uid:
                    self._events.warning(read[-1].raw, "PrepareFailed", str(error))
                raise
        if not (before and before.shown and _named(before.claim) == _named(prepared)):
            told = described(prepared.devices)
            self._events.normal(read[-1].raw, "Prepared", f"{told} on node {self._node}")
        _LOG.info("Prepared", claim=prepared, devices=len(prepared.devices))
        answer = self._answer(prepared, read[-1])
        if self._metadata is None:
            return answer
        return appended(answer, self._metadata.prepared(read[-1]))

    def unprepare(self, ref: ClaimRef) -> None:
        """Unprepare a claim; one that is not prepared, or does not exist any more, is fine.

        Raises:
            DriverError: the claim may still be prepared.
        """
        with self._metrics.timed(UNPREPARE):
            self._patience.persist(ref, lambda: self._unprepare(ref))
        _LOG.info("Unprepared", claim=ref, uid=ref.uid)

    def discard(self, entry: CheckpointEntry) -> bool:
        """Unprepare a claim that nobody asks for, unless it was prepared again meanwhile.

        Returns:
            Whether the claim is gone.

        Raises:
            DriverError: the claim may still be prepared.
        """
        if self._state.entry(entry.claim.uid) != entry:
            return False
        self._undo(entry.claim)
        return self._state.discard(entry)

    def _prepare(self, claim: ClaimView) -> PreparedClaim:
        held = self._state.find(claim.uid)
        for allocation in self._allocations.of(claim, held):
            try:
                return self._prepare_as(claim, allocation)
            except NodeError as error:
                if allocation.precondition is None:
                    raise
                _LOG.debug("Reading the allocation live", claim=claim.key, err=str(error))
        raise AssertionError("allocations end with one that is certain")

    def _prepare_as(self, claim: ClaimView, allocation: Allocation) -> PreparedClaim:
        """Prepare a claim with what it was given; its consumers are those of the first time."""
        identity = (claim.uid, claim.namespace, claim.name, claim.label)
        wanted = PreparedClaim(*identity, (), allocation.results, claim.consumers)
        self._check_parameters(wanted)
        begun = self._begin(wanted)
        prepared = replace(begun, devices=allocation.devices, results=allocation.results)
        if not prepared.devices:
            status = self._status.of(claim)
            preparing = PreparingClaim(*identity, begun.consumers, allocation.results, status)
            with driver_code(PREPARE, begun):
                devices = listed(self._driver.prepare(preparing), begun)
            prepared = checked(replace(prepared, devices=devices))
            check_devices(prepared)
        self._state.prepare(prepared, allocation.precondition)
        return prepared

    def _check_parameters(self, claim: PreparedClaim) -> None:
        """Ask a driver that has parameters, once for each place where there are some."""
        if self._validates is None:
            return
        given = {c.field: c.parameters for result in claim.results for c in result.config}
        found = [
            f"{at}: {each}"
            for at, parameters in given.items()
            for each in complaints(self._validates, parameters, claim)
        ]
        if found:
            raise InvalidParameters(
                f"{claim} has parameters that are wrong: {'; '.join(found)}; correct them in its "
                "template or its DeviceClass, and delete the pod"
            )

    def _begin(self, wanted: PreparedClaim) -> PreparedClaim:
        """Write down that a claim is being prepared; one with a former allocation goes first."""
        begun = self._state.begin(wanted)
        if begun.results and allocated_of(begun) != allocated_of(wanted):
            self._undo(begun)
            begun = self._state.begin(wanted, undone=begun)
        return begun

    def _unprepare(self, ref: ClaimRef) -> None:
        entry = self._state.entry(ref.uid)
        known = entry is not None and bool(entry.claim.name)
        self._undo(entry.claim if entry and known else self._unknown(ref, entry))
        self._state.unprepare(ref.uid)

    def _unknown(self, ref: ClaimRef, entry: CheckpointEntry | None) -> PreparedClaim:
        """Return a claim of which the checkpoint does not know, as its checkpoint may be lost."""
        claim = PreparedClaim(ref.uid, ref.namespace, ref.name, ref.name)
        if entry is not None:
            claim = replace(claim, devices=entry.claim.devices)
        if not self._state.write_ahead:
            return claim
        try:
            view = self._claims.read(ref)
        except ClaimNotFound:
            return claim
        if view.uid != ref.uid:
            return claim
        results = view.results(self._driver.contract.driver_name)
        return replace(claim, label=view.label, results=results, consumers=view.consumers)

    def _undo(self, claim: PreparedClaim) -> None:
        with driver_code(UNPREPARE, claim):
            self._driver.unprepare(claim)
        if self._metadata is not None:
            self._metadata.removed(claim)


def _named(claim: PreparedClaim) -> list[tuple[str, str, str | None, str]]:
    """Return what tells the prepared devices of a claim from others, whatever their edits are."""
    return [(*key_of(device), device.name) for device in claim.devices]


def _show_nothing(_device: Result, **_shown: object) -> None:
    return None
