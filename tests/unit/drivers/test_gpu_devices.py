"""What a node offers of GPUs and NICs, the settings of it, and variables that tell them apart."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from api.objects import ClaimUID
from api.quantities import quantity
from dra.driver import Config, PreparingClaim, Result
from dra.errors import CannotServe
from dra.inventory import Capacity, Device, Effect, Inventory, Taint
from dra.publish.slices.limits import check
from dra.run import program_of
from drivers.gpu import inventory, nics
from drivers.gpu.driver import GpuDriver
from tests.support.gpuclaims import DRIVER, NODE

ONE, OTHER = "11111111-2222-4333-8444-555555555555", "66666666-7777-4888-8999-aaaaaaaaaaaa"
NET = {"apiVersion": "net.resource.example.com/v1alpha1", "kind": "NetConfig"}


def devices(found: Inventory) -> tuple[Device, ...]:
    (pool,) = found.pools
    return pool.devices


def nothing(*_: object, **__: object) -> None:
    """Show nothing."""


def claim(*results: Result, uid: str = "uid-1") -> PreparingClaim:
    return PreparingClaim(ClaimUID(uid), "default", "claim", "claim", (), results, nothing)


def variables(driver: GpuDriver, *results: Result) -> list[dict[str, str]]:
    return [dict(each.edits.env) for each in driver.prepare(claim(*results))]


def uuids(node: str) -> list[object]:
    return [each.attributes["uuid"] for each in devices(GpuDriver(node).discover())]


def test_uuids_are_of_the_node() -> None:
    assert uuids("a") == uuids("a")
    assert len(set(uuids("a")) | set(uuids("b"))) == 16


def test_parts_of_a_gpu_have_its_uuid() -> None:
    found = devices(GpuDriver(NODE, num_devices=1, gpu_partitions=4).discover())
    assert {each.attributes["uuid"] for each in found} == {uuids(NODE)[0]}
    assert found[3].attributes["partition"] == 3
    assert all(each.attributes["partitionable"] is True for each in found)
    assert [each.name for each in found if each.attributes.get("full")] == ["gpu-0-full"]


@given(st.integers(0, 9), st.integers(0, 80), st.booleans(), st.booleans())
def test_every_offer_can_be_published(
    number: int, partitions: int, shared: bool, conditions: bool
) -> None:
    """Within the limits of the API, and the partitions of a GPU fit beside each other."""
    gpus = inventory.Gpus(NODE, number, partitions, shared, conditions)
    offered, static = inventory.inventory(gpus), inventory.static_inventory(gpus)
    for found in (offered, static):
        check(found, DRIVER, NODE)
    assert len(devices(offered)) == number * (partitions + 1 if partitions else 1)
    for name, most in (("memory", "80Gi"), ("compute", "100")):
        own = [each.capacity[name] for each in devices(static) if each.attributes["index"] == 0]
        taken = sum(quantity(each.value) for each in own if isinstance(each, Capacity))
        assert taken <= quantity(most)


@given(st.integers(0, 80), st.booleans(), st.booleans())
def test_devices_of_former_settings_can_be_published(
    partitions: int, shared: bool, conditions: bool
) -> None:
    """Else nothing of the pool would be, as long as a claim has one of them."""
    gpus = inventory.Gpus(NODE, 2, partitions, shared, conditions)
    found = inventory.former(gpus, ["gpu-0-partition-79", "gpu-1-full", "gpu-5"])
    check(found, DRIVER, NODE)
    assert {"gpu-0-partition-79", "gpu-1-full", "gpu-5"} <= {*inventory.names(found)}


def test_unhealthy_devices_have_a_taint() -> None:
    taint = Taint(f"{DRIVER}/unhealthy", Effect.NO_SCHEDULE)
    driver = GpuDriver(NODE, num_devices=2)
    driver.node_changed({f"health.{DRIVER}/gpu-1": "unhealthy: fell off the bus"})
    for found in (driver.discover(), driver.static_inventory()):
        assert [each.taints for each in devices(found)] == [(), (taint,)]
    health = next(driver.health())
    assert [(each.device, each.healthy) for each in health] == [("gpu-0", True), ("gpu-1", False)]


def test_partitions_of_an_unhealthy_gpu_are_unhealthy(tmp_path: Path) -> None:
    said = tmp_path / "health"
    said.write_text("gpu-1-full=unhealthy\ngpu-0-partition-1=unhealthy\n")
    driver = GpuDriver(NODE, num_devices=2, gpu_partitions=2, health_file=said)
    assert [each.name for each in devices(driver.discover()) if each.taints] == [
        "gpu-0-partition-1",
        "gpu-1-partition-0",
        "gpu-1-partition-1",
        "gpu-1-full",
    ]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"device_profile": "cpu"}, "there is no profile cpu; set device-profile to gpu or net"),
        ({"num_devices": -1}, "-1 devices cannot be; set num-devices to 0 or more"),
        ({"gpu_partitions": 81}, "a GPU of 80Gi has no 81 partitions of 1Gi or more"),
        ({"gpu_partitions": -1}, "a GPU of 80Gi has no -1 partitions of 1Gi or more"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, object], said: str) -> None:
    with pytest.raises(CannotServe, match=said):
        GpuDriver(NODE, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "name", "kind"),
    [
        ({}, "gpu.example.com", "k8s.gpu.example.com/gpu"),
        ({"device_profile": "net"}, "net.example.com", "k8s.net.example.com/net"),
        ({"driver_name": "gpu.test"}, "gpu.test", "k8s.gpu.test/gpu"),
    ],
)
def test_names_of_the_driver(settings: dict[str, str], name: str, kind: str) -> None:
    contract = GpuDriver(NODE, **settings).contract  # type: ignore[arg-type]
    assert (contract.driver_name, contract.cdi_kind) == (name, kind)


def test_help_names_every_setting() -> None:
    shown = CliRunner().invoke(program_of(GpuDriver), ["--help"])
    assert shown.exit_code == 0, shown.output
    for name in ("node-name", "num-devices", "gpu-partitions", "gpu-allow-multiple-allocations"):
        assert f"--{name}" in shown.output
    for name in ("driver-name", "device-profile", "gpu-device-status", "binding-conditions"):
        assert f"--{name}" in shown.output


def test_module_is_a_program() -> None:
    command = [sys.executable, "-m", "drivers.gpu.driver", "--node-name=a", "--device-profile=b"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "there is no profile b; set device-profile to gpu or net" in ended.stderr


def test_variables_of_a_whole_gpu() -> None:
    driver = GpuDriver(NODE)
    assert variables(driver, Result("gpu", NODE, "gpu-0")) == [
        {
            "KUBERNETES_NODE_NAME": NODE,
            "DRA_RESOURCE_DRIVER_NAME": DRIVER,
            "DRA_ADMIN_ACCESS": "false",
            "GPU_DEVICE_GPU_0_RESOURCE_CLAIM": "uid-1",
            "GPU_DEVICE_0": "gpu-0",
            "GPU_DEVICE_0_SHARING_STRATEGY": "TimeSlicing",
            "GPU_DEVICE_0_TIMESLICE_INTERVAL": "Default",
        }
    ]


@pytest.mark.parametrize(
    ("device", "name"), [("gpu-10-full", "10_FULL"), ("gpu-0-partition-1", "0_PARTITION_1")]
)
def test_variables_of_a_part(device: str, name: str) -> None:
    (env,) = variables(GpuDriver(NODE, gpu_partitions=2), Result("gpu", NODE, device))
    assert env[f"GPU_DEVICE_{name}"] == device
    assert env[f"GPU_DEVICE_GPU_{name}_RESOURCE_CLAIM"] == "uid-1"


SHARES = st.lists(
    st.tuples(st.sampled_from([ONE, OTHER]), st.sampled_from(["1Gi", "2Gi"])),
    min_size=1, max_size=2, unique_by=lambda each: each[0],
)  # fmt: skip


@given(SHARES)
def test_devices_of_a_claim_never_set_a_variable_twice(shares: list[tuple[str, str]]) -> None:
    """Of one that two shares would set differently only those with the share in the name stay."""
    results = [Result("r", NODE, "gpu-0", share, {"memory": size}) for share, size in shares]
    found = variables(GpuDriver(NODE), *results)
    for name in {name for env in found for name in env}:
        assert len({env[name] for env in found if name in env}) == 1
    for (share, size), env in zip(shares, found, strict=True):
        word = share.replace("-", "_").upper()
        assert env[f"GPU_DEVICE_0_SHARE_{word}_MEMORY"] == size


def test_variables_of_a_nic() -> None:
    """In bits, as plain numbers; a burst that is not limited is not told."""
    given = Config("FromClaim", "f", {**NET, "bwBurst": {"ingressBurst": 4096}})
    taken = {"vfs": "1", "ingressBandwidth": "2500M", "egressBandwidth": "1G"}
    result = Result("nic", NODE, "nic-3", ONE, taken, config=(given,))
    (env,) = variables(GpuDriver(NODE, "net"), result)
    assert {n: v for n, v in env.items() if n.startswith("NET_DEVICE_3_") and "SHARE" not in n} == {
        "NET_DEVICE_3_INGRESS_BURST": "4096",
        "NET_DEVICE_3_INGRESS_RATE": "2500000000",
        "NET_DEVICE_3_EGRESS_RATE": "1000000000",
    }
    assert env["NET_DEVICE_NIC_3_RESOURCE_CLAIM"] == "uid-1"


def test_nics_share_their_bandwidth() -> None:
    (nic,) = devices(nics.inventory(NODE, 1))
    assert nic.shared
    assert {name: c.value for name, c in nic.capacity.items() if isinstance(c, Capacity)} == {
        "vfs": "100",
        "ingressBandwidth": "100G",
        "egressBandwidth": "100G",
    }
