"""The demos of the gpu driver on a real Kubernetes: what the Go example driver is tested for.

Cases by their numbers there. Not here: 11 and 18 need APIs that no release has on, 19 to 21 are of
the webhook.
"""

from collections.abc import Iterator

import pytest

from api.objects import JSON
from testing.waiting import until
from tests.e2e.cluster import kubelet
from tests.support.gpucluster import DEMOS, NAME, Demo, GpuCluster

pytestmark = [
    pytest.mark.raised,
    pytest.mark.since(33, "the chart of the gpu driver takes no cluster"),
    pytest.mark.timeout(400),
]

SHARES = pytest.mark.since(36, "DRAConsumableCapacity is off")
PARTITIONS = pytest.mark.since(36, "DRAPartitionableDevices is off")
TAINTS = pytest.mark.since(37, "DeviceTaintRules are not in v1")
PODS = ("pod0", "pod1")


@pytest.fixture
def driver(gpus: GpuCluster) -> Iterator[GpuCluster]:
    """The driver with what it has by default, and names and data that are told."""
    extended = {"extendedResourceName": "example.com/gpu"}
    with gpus.installed(gpuDeviceStatus=True, deviceClass=extended):
        yield gpus


def printed(gpu: str, interval: str = "Default") -> list[str]:
    name = f"declare -x GPU_DEVICE_{gpu.removeprefix('gpu-')}"
    return [
        f'{name}="{gpu}"',
        f'{name}_SHARING_STRATEGY="TimeSlicing"',
        f'{name}_TIMESLICE_INTERVAL="{interval}"',
    ]


def one(demo: Demo, pod: str, container: str = "ctr0") -> str:
    """Return the only GPU of a container."""
    (gpu,) = demo.gpus(pod, container)
    return gpu


def test_cases_1_to_5_source_document(driver: GpuCluster) -> None:
    """All five at a time, as a reader does it, with the lines that it shows; then all is free."""
    with (
        driver.demo("gpu-test1", *PODS) as first,
        driver.demo("gpu-test2", "pod0") as second,
        driver.demo("gpu-test3", "pod0") as third,
        driver.demo("gpu-test4", *PODS) as fourth,
        driver.demo("gpu-test5", "pod0") as fifth,
    ):
        check_data(first)
        apart = [one(first, pod) for pod in PODS]
        two = second.gpus("pod0")
        assert [first.lines(pod) for pod in PODS] == [printed(each) for each in apart]
        assert second.lines("pod0") == [*printed(two[0]), *printed(two[1])]
        containers = one(third, "pod0")
        assert [third.lines("pod0", f"ctr{n}") for n in (0, 1)] == [printed(containers)] * 2
        pods = one(fourth, "pod0")
        assert [fourth.lines(pod) for pod in PODS] == [printed(pods)] * 2
        slicing, parts = one(fifth, "pod0", "ts-ctr0"), one(fifth, "pod0", "sp-ctr0")
        name = f"declare -x GPU_DEVICE_{parts.removeprefix('gpu-')}"
        for number in (0, 1):
            assert fifth.lines("pod0", f"ts-ctr{number}") == printed(slicing, "Long")
            assert fifth.lines("pod0", f"sp-ctr{number}") == [
                f'{name}="{parts}"',
                f'{name}_PARTITION_COUNT="10"',
                f'{name}_SHARING_STRATEGY="SpacePartitioning"',
            ]
        used = [*apart, *two, containers, pods, slicing, parts]
        assert sorted(used) == [f"gpu-{number}" for number in range(8)]
    assert driver.cdi_files() == []


def check_data(demo: Demo) -> None:
    """Check what claims tell of their devices."""

    def shown() -> list[JSON]:
        devices = [each for claim in demo.claims() for each in claim["status"].get("devices", ())]
        return devices if len(devices) == len(demo.results()) else []

    for each in until("status.devices of every claim", shown):
        data = each["data"]
        assert data["uuid"]["string"].startswith("gpu-")
        assert data["model"] == {"string": "LATEST-GPU-MODEL"}
        assert data["driverVersion"] == {"version": "1.0.0"}


def test_case_6_init_container(driver: GpuCluster) -> None:
    with driver.demo("initcontainer-shared-gpu", "pod0") as demo:
        assert demo.lines("pod0", "init0") == demo.lines("pod0") == printed(one(demo, "pod0"))


@pytest.mark.since(34, "DRAAdminAccess is off")
def test_case_7_admin_access(driver: GpuCluster) -> None:
    with driver.demo("gpu-test1", *PODS), driver.demo("admin-access", "pod0") as demo:
        env = demo.env("pod0")
        assert env["DRA_ADMIN_ACCESS"] == "true"
        assert demo.gpus("pod0") == [f"gpu-{number}" for number in range(8)]
        assert env["GPU_DEVICE_GPU_0_ADMIN_ACCESS"] == "true"


@pytest.mark.since(36, "DRAExtendedResource is off")
def test_case_8_extended_resources(driver: GpuCluster) -> None:
    with driver.demo("extended-resource-request", *PODS) as demo:
        assert len({one(demo, pod) for pod in PODS}) == 2
        for pod in PODS:
            status = demo.get(f"pod/{pod}")["status"]["extendedResourceClaimStatus"]
            assert status["resourceClaimName"]
            (mapping,) = status["requestMappings"]
            assert mapping["containerName"] == "ctr0"


def test_case_9_cel_selector(driver: GpuCluster) -> None:
    with driver.demo("cel-selector", "pod0") as demo:
        assert demo.lines("pod0") == printed(one(demo, "pod0"))


@pytest.mark.since(34, "DRAPrioritizedList is off")
def test_case_10_prioritized_alternatives(driver: GpuCluster) -> None:
    with driver.demo("prioritized-alternatives", *PODS) as demo:
        assert len({one(demo, pod) for pod in PODS}) == 2
        chosen = {each["request"] for each in demo.results()}
        assert chosen == {"gpu/older-gpu", "gpu/latest-gpu"}


@SHARES
def test_case_12_nic_bandwidth(gpus: GpuCluster) -> None:
    with (
        gpus.installed(deviceProfile="net", kubeletPlugin={"numDevices": 4}),
        gpus.demo("net-consumable-capacity", *PODS) as demo,
    ):
        for pod, ingress in zip(PODS, ("10000000000", "5000000000"), strict=True):
            env = demo.env(pod)
            (nic,) = {
                name for name in env if name.endswith("_INGRESS_RATE") and "SHARE" not in name
            }
            assert env[nic] == ingress
            assert env[nic.replace("INGRESS", "EGRESS")] == "5000000000"


def policies(cluster: GpuCluster) -> list[JSON]:
    """Return the policies of memory and compute, once every device can be shared."""
    devices = cluster.devices()
    assert devices
    assert all(each["allowMultipleAllocations"] for each in devices)
    names = ("memory", "compute")
    return [d["capacity"][name]["requestPolicy"]["validRange"] for d in devices for name in names]


def check_shares(demo: Demo, memory: str, compute: str) -> None:
    """Check that two pods have a share of one device each."""
    first, second = demo.results()
    assert first["device"] == second["device"]
    assert first["shareID"] != second["shareID"]
    consumed = {"memory": memory, "compute": compute}
    assert first["consumedCapacity"] == second["consumedCapacity"] == consumed
    name = f"GPU_DEVICE_{first['device'].removeprefix('gpu-').replace('-', '_').upper()}"
    for pod in PODS:
        env = demo.env(pod)
        assert (env[f"{name}_MEMORY"], env[f"{name}_COMPUTE"]) == (memory, compute)


@SHARES
def test_cases_13_and_14_shares(gpus: GpuCluster) -> None:
    with gpus.installed(gpuAllowMultipleAllocations=True, gpuDeviceStatus=True):
        assert {each["max"] for each in policies(gpus)} == {"80Gi", "100"}
        with gpus.demo("gpu-allow-multiple-allocations", *PODS) as demo:
            check_shares(demo, "16Gi", "20")
            check_data(demo)


@PARTITIONS
def test_cases_15_and_16_shares_of_partitions(gpus: GpuCluster) -> None:
    values = {"gpuAllowMultipleAllocations": True, "kubeletPlugin": {"gpuPartitions": 4}}
    with gpus.installed(**values):
        assert {each["max"] for each in policies(gpus)} == {"20Gi", "25", "80Gi", "100"}
        with gpus.demo("gpu-allow-multiple-allocations-partitionable", *PODS) as demo:
            check_shares(demo, "8Gi", "10")
            assert "partition" in demo.results()[0]["device"]


def test_case_17_partitions(gpus: GpuCluster) -> None:
    """Also where counters are not stored; then partitions are all there is."""
    with gpus.installed(kubeletPlugin={"gpuPartitions": 4}):
        wholes = [each["name"] for each in gpus.devices() if each["name"].endswith("-full")]
        assert len(wholes) == (8 if gpus.minor >= 36 else 0)
        with gpus.demo("partitionable-devices", "pod0") as demo:
            assert len(demo.results()) == 2
            assert all("partition" in each["device"] for each in demo.results())
            assert demo.gpus("pod0") == sorted(each["device"] for each in demo.results())


@pytest.mark.since(36, "DRADeviceBindingConditions is off")
def test_cases_22_and_23_binding_conditions(gpus: GpuCluster) -> None:
    values = {
        "kubeletPlugin": {"bindingConditions": True},
        "controller": {"plugins": ["BindingConditions"]},
        "gpuDeviceStatus": True,
    }
    with gpus.installed(**values):
        for each in gpus.devices():
            assert each["bindingConditions"] == ["BindingConditions"]
            assert each["bindingFailureConditions"] == ["BindingFailureConditions"]
        with gpus.demo("binding-conditions", "pod0") as demo:
            assert demo.lines("pod0") == printed(one(demo, "pod0"))
            check_data(demo)
            (shown,) = demo.claims()[0]["status"]["devices"]
            assert [each["status"] for each in shown["conditions"]] == ["True"]


def gone(demo: Demo, pod: str) -> bool:
    return not demo.run("get", f"pod/{pod}", "--ignore-not-found", "--output=name").strip()


@TAINTS
def test_taint_keeps_pods_away(driver: GpuCluster) -> None:
    """As long as it is there; a pod that tolerates it runs."""
    with driver.demo("device-taint-pod-toleration", "pod1") as demo:
        assert demo.phase("pod0") == "Pending"
    name = "device-taint-pod-noschedule"
    with driver.demo(name, running=False) as demo:
        until("told", lambda: "FailedScheduling" in demo.run("get", "events"), 60)
        assert demo.phase("pod0") == "Pending"
        driver.kubectl.run("delete", f"devicetaintrule/{name}")
        demo.ready("pod0")


@TAINTS
def test_taint_evicts_pods(driver: GpuCluster) -> None:
    """At once, or when the time is over for which they tolerate it."""
    name = "device-taint-pod-noexecute"
    with driver.demo(name, "pod0") as demo:
        driver.kubectl.apply((DEMOS / f"{name}-rule.yaml").read_text(encoding="utf-8"))
        try:
            until("the pod is evicted", lambda: gone(demo, "pod0"), 60)
        finally:
            driver.kubectl.run("delete", f"devicetaintrule/{name}")
    with driver.demo("device-taint-configurable-pod-eviction-time", "pod0") as demo:
        until("the pod is evicted", lambda: gone(demo, "pod0"), 150)


def test_restarts_keep_claims(driver: GpuCluster) -> None:
    """A new plugin, a new kubelet: pods run on, and their GPUs are free when they go."""
    with driver.demo("gpu-test4", *PODS) as demo:
        before = [demo.lines(pod) for pod in PODS]
        target = f"daemonset/{NAME}-kubeletplugin"
        driver.kubectl.run("rollout", "restart", "-n", NAME, target)
        driver.kubectl.run("rollout", "status", "-n", NAME, target, "--timeout=120s")
        driver.machine.stop(kubelet.NAME)
        driver.machine.start(kubelet.NAME)
        until("devices in slices", lambda: len(driver.devices()) == 8, 60)
        assert [demo.lines(pod) for pod in PODS] == before
        assert len(driver.cdi_files()) == 1


def test_uninstall_leaves_nothing(gpus: GpuCluster) -> None:
    """Of the driver with all of its objects; ResourceSlices are removed by the kubelet."""
    values = {"controller": {"plugins": ["BindingConditions"]}, "gpuDeviceStatus": True}
    with gpus.installed(**values):
        with gpus.demo("gpu-test3", "pod0"):
            assert gpus.cdi_files()
        assert gpus.left()["objects"]
        gpus.uninstall()
        until("nothing is left", lambda: not any(gpus.left().values()), 90)
