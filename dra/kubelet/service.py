"""The kubelet's calls for claims, in the three dialects of Kubernetes 1.27 to 1.31.

Single claims of v1alpha2, and batches of v1alpha3 with two kinds of answers; the requests of both
kinds are read by the same message. In a batch every claim is answered for itself, so that a claim
that fails never fails the others. Called by gRPC; the work is done by `plugin.driver`.
Source: k8s.io/kubelet/pkg/apis/dra/{v1alpha2,v1alpha3,v1alpha4}/api.proto; kubernetes
pkg/kubelet/cm/dra/manager.go for what kubelets make of the answers.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, TypeVar

from google.protobuf.message import Message

from api.errors import DriverError
from api.objects import ClaimUID
from dra.claims import ClaimRef
from dra.kubelet.protocol import dra_v1alpha2_pb2 as single
from dra.kubelet.protocol import dra_v1alpha3_pb2 as batch
from dra.kubelet.protocol import dra_v1alpha4_pb2 as devices
from dra.kubelet.wire import NODE_BATCH, NODE_SINGLE, Handler, Method, service, text_of
from dra.patience import Patience
from ops.logs import get_logger

T = TypeVar("T")
_BatchRequest: TypeAlias = batch.NodePrepareResourcesRequest | batch.NodeUnprepareResourcesRequest
_SingleRequest: TypeAlias = single.NodePrepareResourceRequest | single.NodeUnprepareResourceRequest

CLAIMS: Final = 32
"""How many claims of a call are served at the same time."""

_LOG = get_logger("service")


@dataclass(frozen=True, slots=True)
class DeviceGroup:
    """The CDI devices of one allocated device, whole or split.

    Attributes:
        requests: of the claim that the device serves; none means all.
        pool: of the allocation, else the node's name.
        device: name in the allocation.
        cdi_ids: qualified ids, the common device first.
    """

    requests: tuple[str, ...]
    pool: str
    device: str
    cdi_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The answer to the kubelet: the same devices as flat ids and as groups."""

    cdi_ids: tuple[str, ...]
    groups: tuple[DeviceGroup, ...]


class Driver(Protocol):
    """What is needed of plugin.driver.NodeDriver."""

    def prepare(self, ref: ClaimRef) -> Prepared:
        """Prepare a claim."""

    def unprepare(self, ref: ClaimRef) -> None:
        """Unprepare a claim."""


class Kubelet(Protocol):
    """What is needed of dra.kubelet.version.Kubelet."""

    def wants_device_messages(self) -> bool:
        """Tell whether answers to NodePrepareResources carry Device messages, not strings."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a claim of a batch failed; never empty, since kubelets take an empty text as success."""

    text: str


class NodeService:
    """Translates between messages and the driver."""

    def __init__(self, driver: Driver, kubelet: Kubelet, patience: Patience) -> None:
        """Serve `driver` to `kubelet`; `patience` waits until it can tell which one that is."""
        self._driver = driver
        self._kubelet = kubelet
        self._patience = patience

    def handlers(self) -> list[Handler]:
        """Return what a server has to be given to serve all dialects on one socket."""
        return [
            service(
                NODE_SINGLE,
                {
                    "NodePrepareResource": Method(
                        single.NodePrepareResourceRequest, self.prepare_single
                    ),
                    "NodeUnprepareResource": Method(
                        single.NodeUnprepareResourceRequest, self.unprepare_single
                    ),
                },
            ),
            service(
                NODE_BATCH,
                {
                    "NodePrepareResources": Method(
                        batch.NodePrepareResourcesRequest, self.prepare_batch
                    ),
                    "NodeUnprepareResources": Method(
                        batch.NodeUnprepareResourcesRequest, self.unprepare_batch
                    ),
                },
            ),
        ]

    def prepare_single(self, request: single.NodePrepareResourceRequest) -> Message:
        """Prepare one claim; there is no field for an error in the answer.

        Raises:
            DriverError: the claim is not prepared.
        """
        prepared = self._driver.prepare(_single_ref(request))
        return single.NodePrepareResourceResponse(cdi_devices=prepared.cdi_ids)

    def unprepare_single(self, request: single.NodeUnprepareResourceRequest) -> Message:
        """Unprepare one claim.

        Raises:
            DriverError: the claim may still be prepared.
        """
        self._driver.unprepare(_single_ref(request))
        return single.NodeUnprepareResourceResponse()

    def prepare_batch(self, request: batch.NodePrepareResourcesRequest) -> Message:
        """Prepare each claim, and answer as the node's kubelet expects it.

        Raises:
            DriverError: which answer it expects cannot be found out; no claim was looked at.
        """
        asked = self._patience.persist("kubelet", self._kubelet.wants_device_messages)
        encode = with_devices if asked else with_ids
        return encode(_each(request, self._driver.prepare))

    def unprepare_batch(self, request: batch.NodeUnprepareResourcesRequest) -> Message:
        """Unprepare each claim; the answer is the same for all kubelets."""
        outcomes = _each(request, self._driver.unprepare)
        answers = {
            uid: batch.NodeUnprepareResourceResponse(error=outcome.text if outcome else "")
            for uid, outcome in outcomes.items()
        }
        return batch.NodeUnprepareResourcesResponse(claims=answers)


def with_ids(outcomes: Mapping[str, Prepared | Failure]) -> Message:
    """Return the answer for kubelets up to 1.30: CDI ids."""
    answers = {
        uid: batch.NodePrepareResourceResponse(error=outcome.text)
        if isinstance(outcome, Failure)
        else batch.NodePrepareResourceResponse(cdi_devices=outcome.cdi_ids)
        for uid, outcome in outcomes.items()
    }
    return batch.NodePrepareResourcesResponse(claims=answers)


def with_devices(outcomes: Mapping[str, Prepared | Failure]) -> Message:
    """Return the answer for kubelet 1.31: devices, with the requests that they serve."""
    answers = {
        uid: devices.NodePrepareResourceResponse(error=outcome.text)
        if isinstance(outcome, Failure)
        else devices.NodePrepareResourceResponse(devices=map(_device, outcome.groups))
        for uid, outcome in outcomes.items()
    }
    return devices.NodePrepareResourcesResponse(claims=answers)


def _device(group: DeviceGroup) -> devices.Device:
    return devices.Device(
        request_names=group.requests,
        pool_name=group.pool,
        device_name=group.device,
        cdi_device_ids=group.cdi_ids,
    )


def _each(request: _BatchRequest, serve: Callable[[ClaimRef], T]) -> dict[str, T | Failure]:
    """Serve each claim once, though kubelets list one with several resource handles repeatedly.

    They are served at the same time: one that has to wait costs the others nothing of the call's.
    """
    refs = {
        claim.uid: ClaimRef(claim.namespace, claim.name, ClaimUID(claim.uid))
        for claim in request.claims
    }
    if len(refs) < 2:
        return {uid: _try(serve, ref) for uid, ref in refs.items()}
    with ThreadPoolExecutor(min(len(refs), CLAIMS), thread_name_prefix="claims") as pool:
        served = [pool.submit(copy_context().run, _try, serve, ref) for ref in refs.values()]
        return dict(zip(refs, (each.result() for each in served), strict=True))


def _try(serve: Callable[[ClaimRef], T], ref: ClaimRef) -> T | Failure:
    try:
        return serve(ref)
    except DriverError as error:
        _LOG.warning("Claim failed", claim=ref, err=str(error))
        return Failure(text_of(error) or type(error).__name__)
    except Exception as error:  # noqa: BLE001 - the other claims of the batch are served all the same
        _LOG.error("Claim failed by a defect", exc=error, claim=ref)
        return Failure(f"{type(error).__name__} in the plugin, which is a defect; see its log")


def _single_ref(request: _SingleRequest) -> ClaimRef:
    return ClaimRef(request.namespace, request.claim_name, ClaimUID(request.claim_uid))
