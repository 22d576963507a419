"""The pure rules of the DRA manager; test_kubelet_claims.py has the calls."""

from typing import Any

from api.claims.versions import read_claim
from devcluster.kubelet.checkpoint import ClaimInfo, Handle
from devcluster.kubelet.draclient import CdiDevice
from devcluster.kubelet.preparation import devices_for, handles_of, requests_for
from tests.support.build import allocated, claim
from tests.support.tables import cases


def held(*devices: CdiDevice, name: str = "c", **others: tuple[CdiDevice, ...]) -> ClaimInfo:
    return ClaimInfo("ns", name, f"uid-{name}", (), frozenset(), {"driver": devices, **others})


@cases(
    ("allocation", "handles"),
    {
        "none": ({}, [Handle("d")]),
        "empty": ({"resourceHandles": []}, [Handle("d")]),
        "own-driver": ({"resourceHandles": [{"data": "x"}]}, [Handle("d", "x")]),
        "several": (
            {"resourceHandles": [{"driverName": "a", "data": "x"}, {"driverName": "b"}]},
            [Handle("a", "x"), Handle("b")],
        ),
        "results": (
            {"devices": {"results": [{"driver": "b"}, {"driver": "a"}, {"driver": "b"}]}},
            [Handle("b"), Handle("a")],
        ),
        "no-results": ({"devices": {}}, []),
    },
)
def test_whom_to_call(allocation: dict[str, Any], handles: list[Handle]) -> None:
    made = allocated(claim(), driver="d")
    made["status"]["allocation"] = {"shareable": True, **allocation}
    assert list(handles_of(read_claim(made))) == handles


def test_devices_of_extended_resources() -> None:
    claims = {"": held(CdiDevice("a", frozenset({"r0"})), CdiDevice("b", frozenset({"r1"})))}
    assert devices_for({}, claims, ["r1"]) == ("b",)
    assert devices_for({}, claims) == ()


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


@cases(
    ("request_", "ids"),
    {
        "none": (None, ("all", "gpu", "sub")),
        "empty": ("", ("all", "gpu", "sub")),
        "base-name": ("gpu", ("all", "gpu")),
        "exact": ("nic", ("all", "sub")),
        "prefix-only": ("gp", ("all",)),
        "sub-request": ("gpu/small", ("all", "sub")),
    },
)
def test_devices_of_a_request(request_: str | None, ids: tuple[str, ...]) -> None:
    use = {"name": "c"} if request_ is None else {"name": "c", "request": request_}
    container = {"resources": {"claims": [use]}}
    assert devices_for(container, {"c": held(ALL, GPU, SUB)}) == ids


@cases(
    ("container", "ids"),
    {
        "none": ({}, ()),
        "no-claims": ({"resources": {}}, ()),
        "not-held": ({"resources": {"claims": [{"name": "absent"}]}}, ()),
        "order": ({"resources": {"claims": [{"name": "d"}, {"name": "c"}]}}, ("gpu", "all", "sub")),
        "once": ({"resources": {"claims": [{"name": "c"}, {"name": "c"}]}}, ("all", "sub")),
    },
)
def test_devices_of_a_container(container: dict[str, Any], ids: tuple[str, ...]) -> None:
    claims = {"c": held(ALL, other=(SUB,)), "d": held(GPU, name="d")}
    assert devices_for(container, claims) == ids
