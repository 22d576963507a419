"""Every service over a real socket, and which one the kubelet of each version calls."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from api.objects import ClaimUID
from dra.claims import ClaimRef
from dra.driver import DeviceHealth
from dra.errors import ClaimNotFound
from dra.kubelet.answers import Answer, AnsweredDevice
from dra.kubelet.claimcalls import ClaimCalls
from dra.kubelet.server import UnixServer
from dra.kubelet.service import NodeService
from dra.kubelet.services import (
    CLASSIC_SERVICES,
    SERVICES,
    STRUCTURED_SERVICES,
    Minor,
    Service,
    kubelets,
    served,
    supported_versions,
)
from dra.patience import Patience
from dra.places import Place
from testing.kubeletcalls import (
    GENERATIONS,
    HEALTH_V1,
    HEALTH_V1ALPHA1,
    V1,
    V1ALPHA2,
    V1ALPHA3,
    V1ALPHA4,
    V1BETA1,
    Answered,
    Generation,
    KubeletCalls,
    Refused,
    kubelet,
)

REF = ClaimRef("ns", "claim", ClaimUID("uid-1"))
OTHER = ClaimRef("ns", "other", ClaimUID("uid-2"))
BAD = ClaimRef("ns", "none", ClaimUID("uid-none"))
DEVICES = (
    AnsweredDevice(("one", "two"), "pool", "card-0", ("x.y/c=common", "x.y/c=a", "x.y/c=b")),
    AnsweredDevice((), "pool", "card-1", ("x.y/c=common", "x.y/c=d"), share_id="share"),
    AnsweredDevice((), "pool", "card-2", ()),
)
FLAT = ("x.y/c=common", "x.y/c=a", "x.y/c=b", "x.y/c=d")


@dataclass
class Driver:
    """Prepares everything but one claim."""

    calls: list[tuple[str, ClaimRef]] = field(default_factory=list)

    def prepare(self, ref: ClaimRef) -> Answer:
        self._called("prepare", ref)
        return DEVICES

    def unprepare(self, ref: ClaimRef) -> None:
        self._called("unprepare", ref)

    def _called(self, verb: str, ref: ClaimRef) -> None:
        self.calls.append((verb, ref))
        if ref == BAD:
            raise ClaimNotFound("no such claim")


class Healthy(Driver):
    """A driver that knows how its devices are."""

    def health(self) -> Iterator[Sequence[DeviceHealth]]:
        yield []


@dataclass
class Node:
    """A kubelet, as far as the plugin asks for it."""

    minor: Minor = (1, 37)
    asked: int = 0

    def version(self) -> Minor:
        self.asked += 1
        return self.minor


@dataclass
class Serving:
    """A plugin's socket, and a kubelet's connection to it."""

    driver: Driver
    node: Node
    calls: KubeletCalls


@contextmanager
def serving(path: Path, services: Sequence[Service[Any]], minor: Minor) -> Iterator[Serving]:
    driver, node = Driver(), Node(minor)
    patience = Patience(threading.Event().wait)
    handlers = NodeService(driver, node, patience, services, ClaimCalls()).handlers()
    server = UnixServer(Place(path / "plugin.sock", "--x"), handlers, workers=2)
    server.start()
    try:
        with KubeletCalls(path / "plugin.sock") as calls:
            yield Serving(driver, node, calls)
    finally:
        server.stop(0)


CALLED = [
    pytest.param(V1ALPHA2, (1, 27), id="1.27"),
    pytest.param(V1ALPHA2, (1, 30), id="fallback of 1.30"),
    pytest.param(V1ALPHA3, (1, 28), id="1.28"),
    pytest.param(V1ALPHA3, (1, 30), id="1.30"),
    pytest.param(V1ALPHA4, (1, 31), id="1.31"),
    pytest.param(V1ALPHA4, (1, 33), id="1.33 that finds no other service"),
    pytest.param(V1BETA1, (1, 32), id="1.32"),
    pytest.param(V1, (1, 34), id="1.34"),
    pytest.param(V1, (1, 38), id="1.38"),
]


@pytest.fixture
def node(short_path: Path, minor: Minor) -> Iterator[Serving]:
    both = (*STRUCTURED_SERVICES, *CLASSIC_SERVICES)
    with serving(short_path, both, minor) as made:
        yield made


@pytest.mark.parametrize(("by", "minor"), CALLED)
def test_prepared_devices_come_in_the_messages_of_the_kubelet(
    node: Serving, by: Generation, minor: Minor
) -> None:
    answer = node.calls.prepare(REF, by=by)[REF.uid]
    if by in (V1ALPHA2, V1ALPHA3):
        assert answer == Answered(FLAT)
        return
    assert [
        (d.request_names, d.pool_name, d.device_name, d.cdi_device_ids, d.share_id)
        for d in answer.devices
    ] == [(d.requests, d.pool, d.device, d.cdi_ids, d.share_id) for d in DEVICES]
    assert answer.of_container("two") == (*DEVICES[0].cdi_ids, *DEVICES[1].cdi_ids)
    assert answer.of_container("three") == DEVICES[1].cdi_ids


@pytest.mark.parametrize(("by", "minor"), CALLED)
def test_each_claim_is_unprepared(node: Serving, by: Generation, minor: Minor) -> None:
    assert node.calls.unprepare(REF, OTHER, by=by) == {REF.uid: "", OTHER.uid: ""}
    assert {ref for verb, ref in node.driver.calls if verb == "unprepare"} == {REF, OTHER}


@pytest.mark.parametrize(("by", "minor"), [c for c in CALLED if c.values[0] is not V1ALPHA2])
def test_claim_that_fails_has_its_error_and_the_others_their_devices(
    node: Serving, by: Generation, minor: Minor
) -> None:
    answers = node.calls.prepare(REF, BAD, by=by)
    assert answers[BAD.uid] == Answered(error="no such claim")
    assert answers[REF.uid].of_container("one")
    assert node.calls.unprepare(BAD, REF, by=by) == {BAD.uid: "no such claim", REF.uid: ""}


@pytest.mark.parametrize("minor", [(1, 27)], ids=["1.27"])
def test_single_claim_that_fails_is_a_status(node: Serving) -> None:
    for call in (node.calls.prepare, node.calls.unprepare):
        with pytest.raises(grpc.RpcError) as caught:
            call(BAD, by=V1ALPHA2)
        error: Any = caught.value
        assert (error.code(), error.details()) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "no such claim",
        )


@pytest.mark.parametrize(("by", "minor"), CALLED)
def test_version_of_the_kubelet_is_asked_only_where_a_name_has_two_meanings(
    node: Serving, by: Generation, minor: Minor
) -> None:
    node.calls.prepare(REF, by=by)
    node.calls.unprepare(REF, by=by)
    assert node.node.asked == (1 if by.service == "v1alpha3.Node" else 0)


@pytest.mark.parametrize(
    ("services", "not_served"),
    [
        pytest.param(CLASSIC_SERVICES, (V1, V1BETA1), id="classic"),
        pytest.param(STRUCTURED_SERVICES, (V1ALPHA2, V1ALPHA3), id="structured"),
    ],
)
def test_what_a_driver_does_not_serve_is_unimplemented(
    short_path: Path, services: Sequence[Service[Any]], not_served: Sequence[Generation]
) -> None:
    with serving(short_path, services, (1, 37)) as node:
        for by in not_served:
            with pytest.raises(grpc.RpcError) as caught:
                node.calls.prepare(REF, by=by)
            error: Any = caught.value
            assert error.code() is grpc.StatusCode.UNIMPLEMENTED


STRUCTURED = ("v1.DRAPlugin", "v1beta1.DRAPlugin")
HEALTH = ("v1.DRAResourceHealth", "v1alpha1.DRAResourceHealth")


@pytest.mark.parametrize(
    ("driver", "structured", "classic", "versions"),
    [
        pytest.param(Driver(), False, True, ("1.0.0",), id="classic"),
        pytest.param(Healthy(), False, True, ("1.0.0",), id="classic with health"),
        pytest.param(Driver(), True, False, STRUCTURED, id="structured"),
        pytest.param(Healthy(), True, False, (*STRUCTURED, *HEALTH), id="with health"),
        pytest.param(Driver(), True, True, (*STRUCTURED, "1.0.0"), id="both kinds"),
        pytest.param(Healthy(), True, True, (*STRUCTURED, *HEALTH, "1.0.0"), id="everything"),
    ],
)
def test_registration_lists_what_is_served_newest_first(
    driver: object, structured: bool, classic: bool, versions: Sequence[str]
) -> None:
    services = served(driver, structured=structured, classic=classic)
    assert supported_versions(services) == versions
    assert supported_versions(tuple(reversed(services))) == versions


ALL = supported_versions(SERVICES)


@pytest.mark.parametrize(
    ("minor", "generation", "health"),
    [
        (27, V1ALPHA2, None),
        (28, V1ALPHA3, None),
        (29, V1ALPHA3, None),
        (30, V1ALPHA3, None),
        (31, V1ALPHA4, None),
        (32, V1BETA1, None),
        (33, V1BETA1, None),
        (34, V1, HEALTH_V1ALPHA1),
        (35, V1, HEALTH_V1ALPHA1),
        (36, V1, HEALTH_V1ALPHA1),
        (37, V1, HEALTH_V1),
        (38, V1, HEALTH_V1),
    ],
)
def test_kubelet_finds_its_service_in_the_list(
    minor: int, generation: Generation, health: str | None, short_path: Path
) -> None:
    chosen = kubelet(minor).service(ALL)
    assert chosen is generation
    assert kubelet(minor).health_service(ALL) == health
    with serving(short_path, (*STRUCTURED_SERVICES, *CLASSIC_SERVICES), (1, minor)) as node:
        assert node.calls.prepare(REF, by=chosen)[REF.uid].cdi_devices[:3] == FLAT[:3]


@pytest.mark.parametrize(
    ("minor", "listed"),
    [(31, STRUCTURED), (33, ("v1.DRAPlugin",)), (34, ("1.0.0",)), (38, ("1.0.0",))],
)
def test_kubelet_refuses_a_driver_without_its_service(minor: int, listed: Sequence[str]) -> None:
    with pytest.raises(Refused):
        kubelet(minor).service(listed)


def test_wire_names_are_those_of_the_kubelets() -> None:
    assert {s.name for s in SERVICES} == {
        *(each.service for each in GENERATIONS.values()),
        HEALTH_V1,
        HEALTH_V1ALPHA1,
    }


@pytest.mark.parametrize(
    ("services", "text"),
    [
        (CLASSIC_SERVICES, "1.27 to 1.31"),
        (STRUCTURED_SERVICES, "1.32 or later"),
        (SERVICES, "1.27 or later"),
    ],
    ids=["classic", "structured", "both"],
)
def test_kubelets_are_told(services: Sequence[Service[Any]], text: str) -> None:
    assert kubelets(services) == text
