"""The kubelet's calls for claims, whichever service they come by.

In a batch every claim is answered for itself, so that a claim that fails never fails the others.
Called by gRPC; the work is done by the driver.
Source: kubernetes pkg/kubelet/cm/dra/manager.go for what kubelets make of the answers.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message

from api.errors import DriverError
from api.objects import ClaimUID
from dra.claims import ClaimRef
from dra.kubelet.answers import Answer, Failure
from dra.kubelet.claimcalls import ClaimCalls, Served
from dra.kubelet.codecs import ClaimCodec
from dra.kubelet.services import Minor, Service, called_by
from dra.kubelet.wire import Handler, Method, method_of, service
from dra.patience import Patience
from ops.logs import get_logger

T = TypeVar("T")
ClaimService = Service[ClaimCodec]

_LOG = get_logger("service")


class Driver(Protocol):
    """What prepares the claims, such as dra.node.NodeDriver."""

    def prepare(self, ref: ClaimRef) -> Answer:
        """Prepare a claim."""

    def unprepare(self, ref: ClaimRef) -> None:
        """Unprepare a claim."""


class Kubelet(Protocol):
    """What is needed of dra.kubelet.version.Kubelet."""

    def version(self) -> Minor:
        """Return major and minor version of the node's kubelet."""


class NodeService:
    """Translates between messages and the driver."""

    def __init__(
        self,
        driver: Driver,
        kubelet: Kubelet,
        patience: Patience,
        services: Sequence[ClaimService],
        calls: ClaimCalls,
    ) -> None:
        """Serve a driver.

        Args:
            driver: that does the work.
            kubelet: that calls; asked only where services have the same name.
            patience: waits until it can tell its version.
            services: by which it calls, of `dra.kubelet.services`.
            calls: let one call at a time work on a claim.
        """
        self._driver = driver
        self._kubelet = kubelet
        self._patience = patience
        self._services = services
        self._calls = calls

    def handlers(self) -> list[Handler]:
        """Return what a server has to be given to serve all of them on one socket."""
        by_name = groupby(self._services, key=lambda each: each.name)
        return [service(name, self._methods(tuple(same))) for name, same in by_name]

    def _methods(self, same: Sequence[ClaimService]) -> dict[str, Method[Any]]:
        """Return the methods of a service; its messages may differ in answers, not in requests."""

        def prepare(request: Message) -> Message:
            codec = self._codec(same)
            return codec.prepared(_outcomes(self._calls, codec, request, self._driver.prepare))

        def unprepare(request: Message) -> Message:
            return first.unprepared(_outcomes(self._calls, first, request, self._driver.unprepare))

        first = same[0].codec
        return {
            method_of(first.prepare): Method(first.prepare, prepare),
            method_of(first.unprepare): Method(first.unprepare, unprepare),
        }

    def _codec(self, same: Sequence[ClaimService]) -> ClaimCodec:
        """Return the messages that the node's kubelet means.

        Raises:
            DriverError: that cannot be found out; no claim was looked at.
        """
        if len(same) == 1:
            return same[0].codec
        return called_by(self._patience.persist("kubelet", self._kubelet.version), same).codec


def _outcomes(
    calls: ClaimCalls, codec: ClaimCodec, request: Message, serve: Callable[[ClaimRef], T]
) -> dict[ClaimUID, T | Failure]:
    """Serve each claim once, though kubelets list one with several resource handles repeatedly."""
    refs = {ref.uid: ref for ref in codec.claims(request)}
    served = calls.each(tuple(refs.values()), serve)
    if not codec.batch:
        return {each.ref.uid: each.result() for each in served}
    outcomes: dict[ClaimUID, T | Failure] = {}
    for each in served:
        outcome = _outcome(each)
        outcomes[each.ref.uid] = outcome
    return outcomes


def _outcome(served: Served[T]) -> T | Failure:
    try:
        return served.result()
    except DriverError as error:
        _LOG.warning("Claim failed", claim=served.ref, err=str(error))
        return Failure.of(error)
    except Exception as error:  # noqa: BLE001 - the other claims of the batch are served all the same
        _LOG.error("Claim failed by a defect", exc=error, claim=served.ref)
        return Failure.of(error)
