"""What the Go example driver does wrong, and this one right; each docstring names the defect."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from allocation.pools import Pool
from api.objects import JSON
from drivers.gpu.driver import GpuDriver
from testing.kubelet import PrepareFailed
from testing.node import NAME, Node, api_server, kubelet_of, node_of
from testing.objects import served_by
from testing.waiting import until
from tests.support.gpuclaims import CLAIMS, allocated, config, gpu_config, result, share

ONE, OTHER = "11111111-2222-4333-8444-555555555555", "66666666-7777-4888-8999-aaaaaaaaaaaa"
LONG = gpu_config({"strategy": "TimeSlicing", "timeSlicingConfig": {"interval": "Long"}})
SHORT = gpu_config({"strategy": "TimeSlicing", "timeSlicingConfig": {"interval": "Short"}})
TEN = gpu_config(
    {"strategy": "SpacePartitioning", "spacePartitioningConfig": {"partitionCount": 10}}
)


@contextmanager
def running(node: Node, **settings: object) -> Iterator[list[Pool]]:
    with node.running(GpuDriver(node.name, **settings)) as pools:  # type: ignore[arg-type]
        yield pools


@contextmanager
def node_with(minor: int, on: Sequence[str] = ()) -> Iterator[Node]:
    """Return a node of a cluster with feature gates on."""
    api = api_server(minor, on=on)
    with kubelet_of(api, minor) as kubelet, node_of(api, kubelet) as node:
        yield node


def interval(node: Node, claim: JSON, request: str = "") -> str:
    return node.kubelet.edits(claim, request).env["GPU_DEVICE_0_TIMESLICE_INTERVAL"]


@pytest.mark.parametrize("named", ["gpu", "gpu/small"])
def test_config_of_a_request_is_for_its_alternatives(dra_node: Node, named: str) -> None:
    """There a config for `gpu` is lost when `gpu/small` is chosen: it compares the texts."""
    with running(dra_node):
        claim = allocated(dra_node, result("gpu-0", "gpu/small"), config=[config(LONG, named)])
        dra_node.kubelet.prepare(claim)
        assert interval(dra_node, claim, "gpu") == "Long"


@pytest.mark.parametrize(
    "given",
    [
        [config(LONG), config(SHORT, source="FromClass")],
        [config(SHORT), config(LONG)],
        [config(SHORT, "gpu"), config(LONG)],
    ],
    ids=["claim over class", "later over earlier", "also if it is for all requests"],
)
def test_last_config_wins(dra_node: Node, given: list[JSON]) -> None:
    """Not wrong there; here it has to be the same."""
    with running(dra_node):
        claim = allocated(dra_node, result("gpu-0"), config=given)
        dra_node.kubelet.prepare(claim)
        assert interval(dra_node, claim) == "Long"


WRONG = [
    (
        {"strategy": "TimeSlicing", "spacePartitioningConfig": {"partitionCount": 2}},
        "sharing.spacePartitioningConfig: It does not go with the strategy TimeSlicing.",
    ),
    (
        {"strategy": "SpacePartitioning", "timeSlicingConfig": {}, "spacePartitioningConfig": {}},
        "sharing.timeSlicingConfig: It does not go with the strategy SpacePartitioning.",
    ),
    (
        {"strategy": "TimeSlicing", "timeSliceConfig": {"interval": "Long"}},
        "sharing.timeSliceConfig: Unknown field.",
    ),
]


@pytest.mark.parametrize(
    ("sharing", "error"), WRONG, ids=["other sub-config", "both sub-configs", "misspelt"]
)
@pytest.mark.parametrize("source", ["FromClass", "FromClaim"])
def test_what_validate_refuses_prepare_refuses(
    dra_node: Node, sharing: JSON, error: str, source: str
) -> None:
    """There the webhook lets both sub-configs pass, and prepare fails for ever; classes unseen."""
    assert GpuDriver(NAME).validate(gpu_config(sharing)) == [error]
    with running(dra_node):
        claim = allocated(
            dra_node, result("gpu-0"), config=[config(gpu_config(sharing), source=source)]
        )
        with pytest.raises(PrepareFailed) as failed:
            dra_node.kubelet.prepare(claim)
    assert f"status.allocation.devices.config[0].opaque.parameters: {error}" in str(failed.value)


@pytest.mark.parametrize(
    ("sharing", "seen"),
    [
        (None, "Default"),
        ({"strategy": "TimeSlicing"}, "Default"),
        ({"strategy": "TimeSlicing", "timeSlicingConfig": {}}, "Default"),
        ({"strategy": "TimeSlicing", "timeSlicingConfig": None}, "Default"),
    ],
    ids=["no sharing", "no sub-config", "empty sub-config", "null sub-config"],
)
def test_what_validate_accepts_has_a_default(
    dra_node: Node, sharing: JSON | None, seen: str
) -> None:
    """There the webhook refuses a config without sharing, and dies of one without sub-config."""
    given = gpu_config(sharing)
    assert GpuDriver(NAME).validate(given) == []
    with running(dra_node):
        claim = allocated(dra_node, result("gpu-0"), config=[config(given)])
        dra_node.kubelet.prepare(claim)
        assert interval(dra_node, claim) == seen


@pytest.mark.parametrize("given", [{}, {"partitionCount": 0}, None])
def test_no_gpu_has_no_partition(dra_node: Node, given: JSON | None) -> None:
    """There `partitionCount: 0` is handed to containers as it is, though none could have a part."""
    sharing = {"strategy": "SpacePartitioning", "spacePartitioningConfig": given}
    with running(dra_node):
        claim = allocated(dra_node, result("gpu-0"), config=[config(gpu_config(sharing))])
        assert dra_node.kubelet.prepare(claim).env["GPU_DEVICE_0_PARTITION_COUNT"] == "1"


def test_config_of_another_driver_is_not_read(dra_node: Node) -> None:
    """Only that it is skipped; it may be of any form."""
    other = config({"sharing": 7}, driver="other.example.com")
    with running(dra_node):
        claim = allocated(dra_node, result("gpu-0"), config=[other])
        dra_node.kubelet.prepare(claim)
        assert interval(dra_node, claim) == "Default"


def test_two_shares_of_a_gpu_in_a_container(dra_node: Node) -> None:
    """There one share overwrites the other's variables: a container knows of one of its two."""
    with running(dra_node, gpu_allow_multiple_allocations=True):
        claim = allocated(
            dra_node,
            share("gpu-0", ONE, "a", memory="16Gi", compute="20"),
            share("gpu-0", OTHER, "b", memory="8Gi", compute="10"),
            config=[config(LONG, "a"), config(TEN, "b")],
        )
        env = dra_node.kubelet.prepare(claim).env
    first = f"GPU_DEVICE_0_SHARE_{ONE.replace('-', '_')}"
    second = f"GPU_DEVICE_0_SHARE_{OTHER.replace('-', '_').upper()}"
    of_shares = {name: value for name, value in env.items() if "_SHARE_" in name}
    assert {name: value for name, value in of_shares.items() if "CLAIM" not in name} == {
        first: "gpu-0",
        f"{first}_SHARING_STRATEGY": "TimeSlicing",
        f"{first}_TIMESLICE_INTERVAL": "Long",
        f"{first}_MEMORY": "16Gi",
        f"{first}_COMPUTE": "20",
        second: "gpu-0",
        f"{second}_SHARING_STRATEGY": "SpacePartitioning",
        f"{second}_PARTITION_COUNT": "10",
        f"{second}_MEMORY": "8Gi",
        f"{second}_COMPUTE": "10",
    }  # fmt: skip
    assert env["GPU_DEVICE_0"] == "gpu-0"
    assert "GPU_DEVICE_0_MEMORY" not in env


def test_shares_of_two_claims_in_a_container(dra_node: Node) -> None:
    """There the claims overwrite each other, in the order in which the kubelet hands them over."""
    with running(dra_node, gpu_allow_multiple_allocations=True):
        claims = [
            allocated(dra_node, share("gpu-0", each, memory=memory), name=memory.lower())
            for each, memory in ((ONE, "16Gi"), (OTHER, "8Gi"))
        ]
        both = [dict(dra_node.kubelet.prepare(*claims).env)]
        dra_node.kubelet.unprepare(*claims)
        both.append(dict(dra_node.kubelet.prepare(*reversed(claims)).env))
    for env in both:
        assert sorted(v for n, v in env.items() if "_SHARE_" in n and n.endswith("MEMORY")) == [
            "16Gi",
            "8Gi",
        ]
        uids = [v for n, v in env.items() if "_SHARE_" in n and n.endswith("RESOURCE_CLAIM")]
        assert sorted(uids) == sorted(each["metadata"]["uid"] for each in claims)


def test_admin_access_is_of_a_device(dra_node: Node) -> None:
    """There one flag is for all devices of a claim, and the last claim of a container sets it."""
    with running(dra_node):
        claim = allocated(
            dra_node, result("gpu-0", "own"), result("gpu-1", "watched", adminAccess=True)
        )
        env = dra_node.kubelet.prepare(claim).env
        assert env["DRA_ADMIN_ACCESS"] == "true"
        assert "GPU_DEVICE_GPU_0_ADMIN_ACCESS" not in env
        assert env["GPU_DEVICE_GPU_1_ADMIN_ACCESS"] == "true"


def test_devices_are_in_the_order_of_the_allocation(dra_node: Node) -> None:
    """There they are grouped by config in the order of a Go map, another one each time."""
    numbers = [5, 0, 7, 2, 6, 1]
    requests = ["a", "b", "c"] * 2
    results = [result(f"gpu-{n}", each) for n, each in zip(numbers, requests, strict=True)]
    given = [config(LONG, "a"), config(TEN, "b"), config(SHORT, "c")]
    with running(dra_node):
        env = dra_node.kubelet.prepare(allocated(dra_node, *results, config=given)).env
    names = [name for name, value in env.items() if value.startswith("gpu-")]
    assert names == [f"GPU_DEVICE_{n}" for n in numbers]


def test_device_has_one_cdi_device_of_its_own(dra_node: Node) -> None:
    """There a common CDI id comes first: a kubelet then shows the health of one device only."""
    with running(dra_node):
        claim = allocated(dra_node, result("gpu-0"), result("gpu-1"))
        env = dra_node.kubelet.prepare(claim).env
        assert env["KUBERNETES_NODE_NAME"] == NAME
        assert env["DRA_RESOURCE_DRIVER_NAME"] == "gpu.example.com"
        assert env["GPU_DEVICE_GPU_1_RESOURCE_CLAIM"] == claim["metadata"]["uid"]
        (file,) = dra_node.directories.cdi.iterdir()
        assert claim["metadata"]["uid"] in file.name


def test_cdi_files_come_back_after_a_reboot(dra_node: Node) -> None:
    """There a claim of the checkpoint is never written again: its pods do not start any more."""
    with running(dra_node):
        claim = allocated(dra_node, result("gpu-0"))
        before = dra_node.kubelet.prepare(claim)
        for file in dra_node.directories.cdi.iterdir():
            file.unlink()
        dra_node.kubelet.restart()
        assert dra_node.kubelet.prepare(claim) == before


def test_claim_outlives_its_device(dra_node: Node) -> None:
    """There a claim fails with "not allocatable" if its device is not offered any more."""
    with running(dra_node):
        claim = allocated(dra_node, result("gpu-7"))
        before = dra_node.kubelet.prepare(claim)
    with running(dra_node, num_devices=4):
        dra_node.kubelet.restart()
        assert dra_node.kubelet.prepare(claim) == before
        dra_node.kubelet.unprepare(claim)
        assert list(dra_node.directories.cdi.iterdir()) == []


def test_damaged_checkpoint(dra_node: Node) -> None:
    """There every call fails, and unprepare goes on with an object that is nil."""
    with running(dra_node):
        claim = allocated(dra_node, result("gpu-0"))
        before = dra_node.kubelet.prepare(claim)
    (checkpoint,) = dra_node.directories.plugins.glob("*/checkpoint.json")
    checkpoint.write_text("{", encoding="utf-8")
    with running(dra_node):
        dra_node.kubelet.restart()
        assert dra_node.kubelet.prepare(claim) == before
        dra_node.kubelet.unprepare(claim)
        assert list(dra_node.directories.cdi.iterdir()) == []


def test_status_of_other_drivers_stays(dra_node: Node) -> None:
    """There the whole list is replaced by its own entries, without the share that they are of."""
    other = "other.example.com"
    settings = {"gpu_device_status": True, "gpu_allow_multiple_allocations": True}
    results = [
        share("gpu-0", ONE, "own", memory="1Gi"),
        {**share("gpu-0", OTHER, "other", memory="2Gi"), "driver": other},
    ]
    with running(dra_node, **settings), running(dra_node, **settings, driver_name=other):
        claim = allocated(dra_node, *results)
        dra_node.kubelet.prepare(claim)

        def both() -> list[JSON]:
            found = dra_node.api.get(CLAIMS, "claim", "default")["status"].get("devices") or []
            return found if len(found) == 2 else []

        shown = {each["driver"]: each for each in until("an entry of each driver", both)}
    assert {name: each["shareID"] for name, each in shown.items()} == {
        "gpu.example.com": ONE,
        other: OTHER,
    }
    assert all(each["data"]["uuid"]["string"] for each in shown.values())


def test_nothing_is_said_of_shares_unless_there_are_some(dra_node: Node) -> None:
    """There `allowMultipleAllocations: false` is sent, which older servers drop: a complaint."""
    with running(dra_node) as pools:
        assert not any("allowMultipleAllocations" in each for each in pools[0].devices)


@pytest.mark.parametrize(
    ("devices", "partitions", "count"), [(9, 4, 45), (100, 0, 100), (16, 8, 144)]
)
def test_more_than_a_slice_holds(dra_node: Node, devices: int, partitions: int, count: int) -> None:
    """There more than 8 partitioned GPUs, or 64 devices with counters, are refused."""
    with running(dra_node, num_devices=devices, gpu_partitions=partitions) as pools:
        assert len(pools[0].devices) == count


@pytest.mark.parametrize("minor", [33, 34, 35])
def test_partitions_where_the_gate_is_on(minor: int) -> None:
    """There counters are apart from the devices, which 1.33 and 1.34 refuse."""
    with (
        node_with(minor, ["DRAPartitionableDevices"]) as node,
        running(node, num_devices=2, gpu_partitions=2),
    ):
        slices = node.api.list(served_by(node.api).slices).items
        published = [d for each in slices for d in each["spec"].get("devices", ())]
        assert sorted(each["name"] for each in published) == sorted(
            f"gpu-{n}-{part}" for n in (0, 1) for part in ("full", "partition-0", "partition-1")
        )
        assert all(each["consumesCounters"] for each in published)


@pytest.mark.parametrize("minor", [32, 33, 34, 35])
def test_partitions_where_counters_are_dropped(minor: int) -> None:
    """There a GPU and its partitions can all be allocated at the same time."""
    with node_with(minor) as node, running(node, num_devices=2, gpu_partitions=2) as pools:
        assert sorted(each["name"] for each in pools[0].devices) == sorted(
            f"gpu-{n}-partition-{part}" for n in (0, 1) for part in (0, 1)
        )


@pytest.mark.parametrize("partitions", [3, 7, 41, 80])
def test_any_number_of_shared_partitions(dra_node: Node, partitions: int) -> None:
    """There 80Gi in 3 parts are no whole steps of the request policy: the server refuses all."""
    settings = {"num_devices": 1, "gpu_partitions": partitions}
    with running(dra_node, gpu_allow_multiple_allocations=True, **settings) as pools:
        assert len(pools[0].devices) == partitions + 1
        memory = pools[0].devices[0]["capacity"]["memory"]
        assert memory["value"] == f"{80 // partitions}Gi"
        assert memory["requestPolicy"]["default"] == memory["value"]
