"""What the Go example driver is tested for, case by case, on a kubelet and an API server.

Allocations are written as kube-scheduler writes them; what containers print is that of the demos.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from allocation.pools import Pool
from api.objects import JSON
from drivers.gpu.driver import GpuDriver
from testing.node import Node
from testing.waiting import until
from tests.support.gpuclaims import (
    CLAIMS,
    NODE,
    allocated,
    config,
    gpu_config,
    lines,
    result,
    share,
)

ONE, OTHER = "11111111-2222-4333-8444-555555555555", "66666666-7777-4888-8999-aaaaaaaaaaaa"
TIME_SLICING = '_SHARING_STRATEGY="TimeSlicing"'


@contextmanager
def running(node: Node, **settings: object) -> Iterator[list[Pool]]:
    """Run the driver with some settings of its chart."""
    with node.running(GpuDriver(node.name, **settings)) as pools:  # type: ignore[arg-type]
        yield pools


def printed(device: int, interval: str = "Default") -> list[str]:
    name = f"declare -x GPU_DEVICE_{device}"
    return [
        f'{name}="gpu-{device}"',
        f"{name}{TIME_SLICING}",
        f'{name}_TIMESLICE_INTERVAL="{interval}"',
    ]


def status(node: Node, claim: JSON) -> list[JSON]:
    """Wait for the status of the devices of a claim."""
    name = claim["metadata"]["name"]
    return until(
        "status.devices", lambda: node.api.get(CLAIMS, name, "default")["status"].get("devices")
    )


def test_case_1_distinct_gpus_for_pods_with_data(dra_node: Node) -> None:
    """gpu-test1: two pods with a GPU each, and their claims say which it is."""
    with running(dra_node, gpu_device_status=True) as pools:
        claims = [allocated(dra_node, result(f"gpu-{n}"), name=f"pod{n - 6}-gpu") for n in (6, 7)]
        seen = [lines(dra_node.kubelet.prepare(claim).env) for claim in claims]
        assert seen == [printed(6), printed(7)]
        uuids = [each["attributes"]["uuid"]["string"] for each in pools[0].devices]
        for number, claim in zip((6, 7), claims, strict=True):
            (shown,) = status(dra_node, claim)
            assert shown["device"] == f"gpu-{number}"
            assert shown["data"] == {
                "uuid": {"string": uuids[number]},
                "model": {"string": "LATEST-GPU-MODEL"},
                "driverVersion": {"version": "1.0.0"},
            }


def test_case_2_two_gpus_in_one_container(dra_node: Node) -> None:
    """gpu-test2: one claim with two requests."""
    with running(dra_node):
        claim = allocated(dra_node, result("gpu-0", "gpu-1"), result("gpu-1", "gpu-2"))
        assert lines(dra_node.kubelet.prepare(claim).env) == [*printed(0), *printed(1)]


def test_case_3_containers_share_a_gpu(dra_node: Node) -> None:
    """gpu-test3: two containers of a pod name the same claim, without any configuration."""
    with running(dra_node):
        claim = allocated(dra_node, result("gpu-2"))
        dra_node.kubelet.prepare(claim)
        assert [lines(dra_node.kubelet.edits(claim).env) for _ in range(2)] == [printed(2)] * 2


def test_case_4_pods_share_a_claim(dra_node: Node) -> None:
    """gpu-test4: two pods have one claim, which is prepared once and holds until the last ends."""
    with running(dra_node):
        claim = allocated(dra_node, result("gpu-3"))
        assert [lines(dra_node.kubelet.prepare(claim).env) for _ in range(2)] == [printed(3)] * 2
        dra_node.kubelet.unprepare(claim)
        assert list(dra_node.directories.cdi.iterdir()) == []


def test_case_5_sharing_by_request(dra_node: Node) -> None:
    """gpu-test5: each of two requests has its own configuration."""
    slicing = gpu_config({"strategy": "TimeSlicing", "timeSlicingConfig": {"interval": "Long"}})
    partitioning = gpu_config(
        {"strategy": "SpacePartitioning", "spacePartitioningConfig": {"partitionCount": 10}}
    )
    with running(dra_node):
        claim = allocated(
            dra_node,
            result("gpu-4", "ts-gpu"),
            result("gpu-5", "sp-gpu"),
            config=[config(slicing, "ts-gpu"), config(partitioning, "sp-gpu")],
        )
        dra_node.kubelet.prepare(claim)
        assert lines(dra_node.kubelet.edits(claim, "ts-gpu").env) == printed(4, "Long")
        assert lines(dra_node.kubelet.edits(claim, "sp-gpu").env) == [
            'declare -x GPU_DEVICE_5="gpu-5"',
            'declare -x GPU_DEVICE_5_PARTITION_COUNT="10"',
            'declare -x GPU_DEVICE_5_SHARING_STRATEGY="SpacePartitioning"',
        ]


def test_case_6_init_container_has_the_gpu_of_the_container(dra_node: Node) -> None:
    """Both name the claim; the kubelet prepares it before the first of them."""
    with running(dra_node):
        claim = allocated(dra_node, result("gpu-0"))
        of_init = dra_node.kubelet.prepare(claim)
        assert of_init == dra_node.kubelet.edits(claim)
        assert lines(of_init.env) == printed(0)


def test_case_7_admin_access(dra_node: Node) -> None:
    """An administrator has all devices, also those that others use."""
    with running(dra_node):
        own = allocated(dra_node, result("gpu-0"), name="own")
        admins = [result(f"gpu-{n}", adminAccess=True) for n in range(8)]
        admin = allocated(dra_node, *admins, name="admin")
        of_user, of_admin = dra_node.kubelet.prepare(own).env, dra_node.kubelet.prepare(admin).env
        assert of_user["DRA_ADMIN_ACCESS"] == "false"
        assert of_admin["DRA_ADMIN_ACCESS"] == "true"
        assert [of_admin[f"GPU_DEVICE_{n}"] for n in range(8)] == [f"gpu-{n}" for n in range(8)]


def test_case_8_extended_resource(dra_node: Node) -> None:
    """A claim that kube-scheduler made of a pod's limits: its request is named by the container."""
    with running(dra_node):
        claim = allocated(dra_node, result("gpu-0", "container-0-request-0"))
        dra_node.kubelet.prepare(claim)
        seen = dra_node.kubelet.edits(claim, "container-0-request-0").env
        assert lines(seen) == printed(0)


def test_case_9_attributes_and_capacity_for_selectors(dra_node: Node) -> None:
    """Every GPU has the model and the memory that the selectors of the demo ask for."""
    with running(dra_node) as pools:
        (pool,) = pools
        assert [each["name"] for each in pool.devices] == [f"gpu-{n}" for n in range(8)]
        for index, device in enumerate(pool.devices):
            attributes = dict(device["attributes"])
            assert attributes.pop("uuid")["string"].startswith("gpu-")
            assert attributes == {
                "index": {"int": index},
                "model": {"string": "LATEST-GPU-MODEL"},
                "driverVersion": {"version": "1.0.0"},
            }
            assert device["capacity"] == {
                "memory": {"value": "80Gi"}, "compute": {"value": "100"}
            }  # fmt: skip


@pytest.mark.parametrize("chosen", ["gpu/older-gpu", "gpu/latest-gpu"])
def test_case_10_prioritized_alternatives(dra_node: Node, chosen: str) -> None:
    """The result names the alternative, containers name the request."""
    with running(dra_node):
        claim = allocated(dra_node, result("gpu-0", chosen))
        dra_node.kubelet.prepare(claim)
        assert lines(dra_node.kubelet.edits(claim, "gpu").env) == printed(0)


def test_case_11_claim_of_a_pod_group(dra_node: Node) -> None:
    """A claim that is reserved for a PodGroup is prepared like one of a pod."""
    with running(dra_node):
        claim = allocated(dra_node, result("gpu-0"))
        group = {
            "resource": "podgroups", "apiGroup": "scheduling.k8s.io", "name": "g", "uid": "u"
        }  # fmt: skip
        claim["status"]["reservedFor"] = [group]
        changed = dra_node.api.update(CLAIMS, claim, subresource="status")
        assert lines(dra_node.kubelet.prepare(changed).env) == printed(0)


def test_case_12_nic_bandwidth(dra_node: Node) -> None:
    """The profile net: rates that claims asked for, as plain numbers."""
    driver = GpuDriver(NODE, "net", num_devices=4)
    with dra_node.running(driver) as pools:
        assert [each["name"] for each in pools[0].devices] == [f"nic-{n}" for n in range(4)]
        taken = {"vfs": "1", "ingressBandwidth": "10G", "egressBandwidth": "5G"}
        given = {**share("nic-0", ONE, "nic", **taken), "driver": "net.example.com"}
        env = dra_node.kubelet.prepare(allocated(dra_node, given)).env
        assert env["NET_DEVICE_0_INGRESS_RATE"] == "10000000000"
        assert env["NET_DEVICE_0_EGRESS_RATE"] == "5000000000"


def policies(pool: Pool) -> list[JSON]:
    return [
        each["capacity"][name]["requestPolicy"]
        for each in pool.devices
        for name in ("memory", "compute")
    ]


def test_case_13_slices_have_shares_and_policies(dra_node: Node) -> None:
    """A request that names no amount takes everything; others any whole amount."""
    with running(dra_node, gpu_allow_multiple_allocations=True) as pools:
        assert all(each["allowMultipleAllocations"] for each in pools[0].devices)
        assert policies(pools[0])[:2] == [
            {"default": "80Gi", "validRange": {"min": "1Gi", "max": "80Gi", "step": "1Gi"}},
            {"default": "100", "validRange": {"min": "1", "max": "100", "step": "1"}},
        ]


def shares_of(device: str, node: Node) -> list[dict[str, str]]:
    taken = {"memory": "16Gi", "compute": "20"}
    claims = [
        allocated(node, share(device, each, **taken), name=f"pod{number}")
        for number, each in enumerate((ONE, OTHER))
    ]
    return [dict(node.kubelet.prepare(claim).env) for claim in claims]


def test_case_14_two_shares_of_a_gpu(dra_node: Node) -> None:
    """Two claims have shares of one GPU, and containers see how much."""
    with running(dra_node, gpu_allow_multiple_allocations=True, gpu_device_status=True):
        for env in shares_of("gpu-0", dra_node):
            assert env["GPU_DEVICE_0"] == "gpu-0"
            assert (env["GPU_DEVICE_0_MEMORY"], env["GPU_DEVICE_0_COMPUTE"]) == ("16Gi", "20")
        claims = dra_node.api.list(CLAIMS).items
        assert {status(dra_node, each)[0]["shareID"] for each in claims} == {ONE, OTHER}


def test_case_15_slices_have_shares_of_partitions(dra_node: Node) -> None:
    """Partitions and wholes can be shared, with policies as large as they are."""
    settings = {"gpu_allow_multiple_allocations": True, "gpu_partitions": 4}
    with running(dra_node, **settings) as pools:
        assert all(each["allowMultipleAllocations"] for each in pools[0].devices)
        assert {each["default"] for each in policies(pools[0])} == {"20Gi", "25", "80Gi", "100"}


def test_case_16_two_shares_of_a_partition(dra_node: Node) -> None:
    """As of a whole GPU."""
    with running(dra_node, gpu_allow_multiple_allocations=True, gpu_partitions=4):
        for env in shares_of("gpu-0-partition-1", dra_node):
            assert env["GPU_DEVICE_0_PARTITION_1"] == "gpu-0-partition-1"
            assert env["GPU_DEVICE_0_PARTITION_1_MEMORY"] == "16Gi"


def test_case_17_partitions_from_counters(dra_node: Node) -> None:
    """Partitions come before their whole, and draw on the counters that it draws empty."""
    with running(dra_node, num_devices=2, gpu_partitions=4) as pools:
        (pool,) = pools
        names = [each["name"] for each in pool.devices]
        assert names[:5] == [*(f"gpu-0-partition-{n}" for n in range(4)), "gpu-0-full"]
        taken = {each["name"]: each["consumesCounters"] for each in pool.devices}
        assert taken["gpu-1-partition-3"] == [
            {
                "counterSet": "gpu-1-counters",
                "counters": {"memory": {"value": "20Gi"}, "compute": {"value": "25"}},
            }
        ]
        assert taken["gpu-1-full"][0]["counters"]["memory"] == {"value": "80Gi"}
        claim = allocated(dra_node, *map(result, names[:2]))
        env = dra_node.kubelet.prepare(claim).env
        assert env["GPU_DEVICE_0_PARTITION_0"] == "gpu-0-partition-0"
        assert env["GPU_DEVICE_0_PARTITION_1"] == "gpu-0-partition-1"


def test_case_19_to_21_unknown_interval_is_refused_with_its_path() -> None:
    """What the webhook says, and what prepare would say."""
    given = gpu_config({"strategy": "TimeSlicing", "timeSlicingConfig": {"interval": "Never"}})
    (error,) = GpuDriver(NODE).validate(given)
    assert error == (
        "sharing.timeSlicingConfig.interval: unknown time-slice interval: Never, it must be one "
        "of Default, Short, Medium, Long."
    )


def test_case_22_slices_have_binding_conditions(dra_node: Node) -> None:
    """Every device does; a pool of them is complete all the same."""
    with running(dra_node, binding_conditions=True) as pools:
        for each in pools[0].devices:
            assert each["bindingConditions"] == ["BindingConditions"]
            assert each["bindingFailureConditions"] == ["BindingFailureConditions"]


def test_case_23_prepare_keeps_the_binding_condition(dra_node: Node) -> None:
    """What let the pod be bound stays true when the device's data is shown beside it."""
    with running(dra_node, binding_conditions=True, gpu_device_status=True):
        claim = allocated(dra_node, result("gpu-0"))
        dra_node.kubelet.prepare(claim)
        (shown,) = status(dra_node, claim)
        assert [(each["type"], each["status"]) for each in shown["conditions"]] == [
            ("BindingConditions", "True")
        ]
        assert shown["data"]["model"] == {"string": "LATEST-GPU-MODEL"}


def test_claims_outlive_a_kill(dra_node: Node) -> None:
    """The program as it is installed: with its settings, killed while a pod has a partition."""
    program = ("drivers.gpu.driver:GpuDriver", "gpu.example.com", "--gpu-partitions=2")
    with dra_node.process(*program) as killed:
        claim = allocated(dra_node, result("gpu-0-partition-1"))
        before = dra_node.kubelet.prepare(claim)
        killed.kill()
    with dra_node.process(*program):
        dra_node.kubelet.restart()
        assert dra_node.kubelet.prepare(claim) == before
        dra_node.kubelet.unprepare(claim)
    assert list(dra_node.directories.cdi.iterdir()) == []
