"""How the calls of kubelets are read and answered: those for claims, and the stream of health.

Pure functions between messages and values. Called by `dra.kubelet.service` and
`dra.kubelet.health`, for the services that `dra.kubelet.services` lists.
Source: k8s.io/kubelet/pkg/apis/dra/*/api.proto and dra-health/*/api.proto; kubernetes
pkg/kubelet/cm/dra/manager.go for what kubelets make of the answers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message

from api.objects import ClaimUID, NodeName
from dra.claims import ClaimRef
from dra.driver import DeviceHealth
from dra.kubelet.answers import Answer, AnsweredDevice, Failure, Outcomes, flat
from dra.kubelet.protocol import dra_health_pb2 as health
from dra.kubelet.protocol import dra_v1_pb2 as devices
from dra.kubelet.protocol import dra_v1alpha2_pb2 as single
from dra.kubelet.protocol import dra_v1alpha3_pb2 as ids
from dra.kubelet.wire import shorten

_STATUS: Final = {None: health.UNKNOWN, True: health.HEALTHY, False: health.UNHEALTHY}


@dataclass(frozen=True, slots=True)
class ClaimCodec:
    """The messages of the two calls for claims.

    Attributes:
        prepare: request of the first; its method is named like it.
        unprepare: request of the second.
        batch: whether a call is for several claims, each with an error of its own in the answer; a
            single one fails by its status.
        claims: that a request is for.
        prepared: answer to the first; of a single claim it has no failure.
        unprepared: answer to the second.
    """

    prepare: type[Message]
    unprepare: type[Message]
    batch: bool
    claims: Callable[[Any], list[ClaimRef]]
    prepared: Callable[[Outcomes[Answer]], Message]
    unprepared: Callable[[Outcomes[None]], Message]


@dataclass(frozen=True, slots=True)
class HealthCodec:
    """The messages of the stream of health.

    Attributes:
        watch: the request; its method is named like it.
        encode: devices, the node that is the pool of those that name none, and the Unix time.
    """

    watch: type[Message]
    encode: Callable[[Sequence[DeviceHealth], NodeName, float], Message]


def _claim_of_single(request: Any) -> list[ClaimRef]:
    return [ClaimRef(request.namespace, request.claim_name, ClaimUID(request.claim_uid))]


def _claims_of_batch(request: Any) -> list[ClaimRef]:
    return [ClaimRef(each.namespace, each.name, ClaimUID(each.uid)) for each in request.claims]


def _prepared_single(outcomes: Outcomes[Answer]) -> Message:
    found = [each for each in outcomes.values() if not isinstance(each, Failure)]
    return single.NodePrepareResourceResponse(cdi_devices=[i for each in found for i in flat(each)])


def _unprepared_single(_outcomes: Outcomes[None]) -> Message:
    return single.NodeUnprepareResourceResponse()


def _prepared_ids(outcomes: Outcomes[Answer]) -> Message:
    answers: dict[str, ids.NodePrepareResourceResponse] = {
        uid: ids.NodePrepareResourceResponse(error=outcome.text)
        if isinstance(outcome, Failure)
        else ids.NodePrepareResourceResponse(cdi_devices=flat(outcome))
        for uid, outcome in outcomes.items()
    }
    return ids.NodePrepareResourcesResponse(claims=answers)


def _prepared_devices(outcomes: Outcomes[Answer]) -> Message:
    answers: dict[str, devices.NodePrepareResourceResponse] = {
        uid: devices.NodePrepareResourceResponse(error=outcome.text)
        if isinstance(outcome, Failure)
        else devices.NodePrepareResourceResponse(devices=map(_device, outcome))
        for uid, outcome in outcomes.items()
    }
    return devices.NodePrepareResourcesResponse(claims=answers)


def _device(answered: AnsweredDevice) -> devices.Device:
    return devices.Device(
        request_names=answered.requests,
        pool_name=answered.pool,
        device_name=answered.device,
        cdi_device_ids=answered.cdi_ids,
        share_id=answered.share_id,
    )


def _unprepared(outcomes: Outcomes[None]) -> Message:
    """Answer to the second call of batches, the same bytes in all versions."""
    answers: dict[str, devices.NodeUnprepareResourceResponse] = {
        uid: devices.NodeUnprepareResourceResponse(error=outcome.text if outcome else "")
        for uid, outcome in outcomes.items()
    }
    return devices.NodeUnprepareResourcesResponse(claims=answers)


def _watched(found: Sequence[DeviceHealth], node: NodeName, now: float) -> Message:
    return health.NodeWatchResourcesResponse(
        devices=[
            health.DeviceHealth(
                device=health.DeviceIdentifier(
                    pool_name=each.pool or node, device_name=each.device
                ),
                health=_STATUS[each.healthy],
                last_updated_time=int(now),
                health_check_timeout_seconds=each.timeout,
                message=shorten(each.message),
            )
            for each in found
        ]
    )


SINGLE: Final = ClaimCodec(
    single.NodePrepareResourceRequest,
    single.NodeUnprepareResourceRequest,
    batch=False,
    claims=_claim_of_single,
    prepared=_prepared_single,
    unprepared=_unprepared_single,
)
"""One claim a call; the answer is CDI ids."""

IDS: Final = ClaimCodec(
    ids.NodePrepareResourcesRequest,
    ids.NodeUnprepareResourcesRequest,
    batch=True,
    claims=_claims_of_batch,
    prepared=_prepared_ids,
    unprepared=_unprepared,
)
"""Several claims a call, answered by CDI ids."""

DEVICES: Final = ClaimCodec(
    devices.NodePrepareResourcesRequest,
    devices.NodeUnprepareResourcesRequest,
    batch=True,
    claims=_claims_of_batch,
    prepared=_prepared_devices,
    unprepared=_unprepared,
)
"""Several claims a call, answered by devices with the requests that they serve."""

HEALTH: Final = HealthCodec(health.NodeWatchResourcesRequest, _watched)
"""Lists of all devices, as long as the kubelet wants them."""
