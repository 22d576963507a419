"""What the benchmark makes of slices, logs and answers, and the driver that it measures."""

import threading
from pathlib import Path
from typing import Any

import pytest

from api.objects import ClaimUID
from bench.calls import each
from bench.driver import MadeUp
from bench.errors import NotSeen
from bench.growing import plain, published
from bench.plugins import gets
from dra.claims import ClaimRef
from testing.kubeletcalls import V1, Answered
from testing.node import Node
from tests.support.tables import cases


def slice_of(generation: int, count: int, devices: int) -> dict[str, Any]:
    pool = {"name": "node", "generation": generation, "resourceSliceCount": count}
    spec = {"driver": "a", "pool": pool, "devices": [{"name": f"d{n}"} for n in range(devices)]}
    return {"metadata": {"name": f"s{generation}", "uid": "u"}, "spec": spec}


@cases(
    ("slices", "devices"),
    {
        "none": ([], 0),
        "one": ([slice_of(1, 1, 8)], 8),
        "incomplete": ([slice_of(2, 2, 8)], 0),
        "incomplete-newer": ([slice_of(1, 1, 8), slice_of(2, 2, 8)], 0),
        "complete-newer": ([slice_of(1, 1, 9), slice_of(2, 2, 8), slice_of(2, 2, 3)], 11),
    },
)
def test_devices_count_when_all_slices_of_the_newest_generation_are_there(
    slices: list[dict[str, Any]], devices: int
) -> None:
    assert published(slices) == devices


def test_a_plain_client_writes_the_same_for_another_driver() -> None:
    made = plain(slice_of(1, 1, 2))
    assert made["metadata"] == {"name": "plain-s1"}
    assert made["spec"]["driver"] == "plain.bench.example.com"
    assert made["spec"]["devices"] == [{"name": "d0"}, {"name": "d1"}]


def test_gets_of_claims_are_found_in_the_log_of_client_go(tmp_path: Path) -> None:
    url = "https://127.0.0.1:1/apis/resource.k8s.io/v1"
    log = tmp_path / "log"
    log.write_text(
        f'I1 round_trippers.go:632] "Response" verb="GET" url="{url}/resourceslices" '
        'status="200 OK" milliseconds=5\n'
        f'I1 round_trippers.go:632] "Response" logger="dra" method="/NodePrepareResources" '
        f'verb="GET" url="{url}/namespaces/default/resourceclaims/a" status="200 OK" '
        "milliseconds=41\n"
    )
    assert gets(log) == [41]


def test_a_refused_claim_ends_the_measurement_with_its_name_and_error() -> None:
    def refuse(ref: ClaimRef, **_by: object) -> dict[str, Answered]:
        return {str(ref.uid): Answered(error="no such device")}

    claim = {"metadata": {"namespace": "default", "name": "a", "uid": ClaimUID("u")}}
    with pytest.raises(NotSeen, match="default/a: no such device"):
        each(refuse, V1, [claim])


def test_the_driver_that_is_measured_serves_claims(dra_node: Node) -> None:
    with dra_node.running(MadeUp()) as (pool,):
        assert len(pool.devices) == 8
        claim = dra_node.allocate(MadeUp.contract.driver_name, "device-3")
        assert dra_node.kubelet.prepare(claim).env == {"BENCH_DEVICE": "device-3"}
        dra_node.kubelet.unprepare(claim)


def test_the_driver_publishes_as_many_devices_as_it_is_told(tmp_path: Path) -> None:
    more, told = tmp_path / "more", threading.Event()
    more.write_text("9")
    driver = MadeUp(grow=str(more))
    driver.start(told.set)
    assert told.wait(10)
    assert len(driver.discover().pools[0].devices) == 9
