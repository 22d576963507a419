"""The pure rules of the DRA manager; test_kubelet_claims.py has the calls."""

from typing import Any

import pytest

from api.claims.versions import read_claim
from devcluster.kubelet.checkpoint import ClaimInfo, Handle
from devcluster.kubelet.draclient import CdiDevice
from devcluster.kubelet.preparation import devices_for, handles_of, requests_for
from tests.support.build import allocated, claim


def held(*devices: CdiDevice, name: str = "c", **others: tuple[CdiDevice, ...]) -> ClaimInfo:
    return ClaimInfo("ns", name, f"uid-{name}", (), frozenset(), {"driver": devices, **others})


@pytest.mark.parametrize(
    ("allocation", "handles"),
    [
        ({}, [Handle("d")]),
        ({"resourceHandles": []}, [Handle("d")]),
        ({"resourceHandles": [{"data": "x"}]}, [Handle("d", "x")]),
        (
            {"resourceHandles": [{"driverName": "a", "data": "x"}, {"driverName": "b"}]},
            [Handle("a", "x"), Handle("b")],
        ),
        (
            {"devices": {"results": [{"driver": "b"}, {"driver": "a"}, {"driver": "b"}]}},
            [Handle("b"), Handle("a")],
        ),
        ({"devices": {}}, []),
    ],
    ids=["none", "empty", "own-driver", "several", "results", "no-results"],
)
def test_whom_to_call(allocation: dict[str, Any], handles: list[Handle]) -> None:
    made = allocated(claim(), driver="d")
    made["status"]["allocation"] = {"shareable": True, **allocation}
    assert list(handles_of(read_claim(made))) == handles


def test_batches_keep_the_order_of_claims() -> None:
    one = ClaimInfo("ns", "one", "u1", (Handle("a", "1"), Handle("b", "2")))
    two = ClaimInfo("ns", "two", "u2", (Handle("a", "3"),))
    batches = requests_for([one, two])
    assert {d: [(r.uid, r.handle) for r in batch] for d, batch in batches.items()} == {
        "a": [("u1", "1"), ("u2", "3")],
        "b": [("u1", "2")],
    }


ALL = CdiDevice("all")
GPU = CdiDevice("gpu", frozenset({"gpu"}))
SUB = CdiDevice("sub", frozenset({"gpu/small", "nic"}))


@pytest.mark.parametrize(
    ("request_", "ids"),
    [
        (None, ("all", "gpu", "sub")),
        ("", ("all", "gpu", "sub")),
        ("gpu", ("all", "gpu", "sub")),
        ("nic", ("all", "sub")),
        ("gp", ("all",)),
        ("gpu/small", ("all", "sub")),
    ],
    ids=["none", "empty", "base-name", "exact", "prefix-only", "sub-request"],
)
def test_devices_of_a_request(request_: str | None, ids: tuple[str, ...]) -> None:
    use = {"name": "c"} if request_ is None else {"name": "c", "request": request_}
    container = {"resources": {"claims": [use]}}
    assert devices_for(container, {"c": held(ALL, GPU, SUB)}) == ids


@pytest.mark.parametrize(
    ("container", "ids"),
    [
        ({}, ()),
        ({"resources": {}}, ()),
        ({"resources": {"claims": [{"name": "absent"}]}}, ()),
        ({"resources": {"claims": [{"name": "d"}, {"name": "c"}]}}, ("gpu", "all", "sub")),
        ({"resources": {"claims": [{"name": "c"}, {"name": "c"}]}}, ("all", "sub")),
    ],
    ids=["none", "no-claims", "not-held", "order", "once"],
)
def test_devices_of_a_container(container: dict[str, Any], ids: tuple[str, ...]) -> None:
    claims = {"c": held(ALL, other=(SUB,)), "d": held(GPU, name="d")}
    assert devices_for(container, claims) == ids
