"""A real one-node Kubernetes of structured claims with the fake driver on it, from its chart."""

import os
import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import yaml

from api.contract import FAKE
from api.devices import PreparedDevice
from api.nas import Device, NodeAllocationState
from api.objects import JSON, ClaimUID, DeviceID, NodeName
from demo.expect import Container, Demo
from demo.session import SYSTEM, Session
from dra.devicestate.cdi import common_file
from kube.client import Client
from testing.waiting import until
from tests.e2e.cluster import processes
from tests.support.anycluster import ROOT
from tests.support.choice import RELEASE, helm_install, helm_uninstall
from tests.support.manifests import PRINT_AND_STAY
from tests.support.realcluster import is_plugin
from tests.support.structuredcluster import NODE, StructuredCluster, claim_of, pod

WHOLE: Final = "fake.3-shake.com"
SPLIT: Final = "split.fake.3-shake.com"
"""The classes of whole devices and of their children."""

PARENTS: Final = 8
UNITS: Final = 16
"""Whole devices of the node, and the units that the children of each share."""

DEMOS: Final = ROOT / "demo" / "structured"
PARTITIONS: Final = "DRAPartitionableDevices"
ALTERNATIVES: Final = "DRAPrioritizedList"

_VARIABLE = re.compile(r"""^(?:export )?(FAKE_\w+)=['"]?([^'"\n]*)""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FakeCluster(StructuredCluster):
    """The cluster, with what is particular to the fake driver."""

    contract = FAKE
    system = SYSTEM

    @property
    def partitioned(self) -> bool:
        """Whether devices and their children share counters, so that all can be offered."""
        return self.machine.version.has(PARTITIONS)

    def install(self, values: Mapping[str, object] | None = None) -> None:
        """Install the chart, and wait until the node offers devices."""
        helm_install(self.machine.kubeconfig, values)
        self.offered()

    def uninstall(self) -> None:
        """Uninstall the chart, and wait until its pods are gone."""
        helm_uninstall(self.machine.kubeconfig)

    def offered(self, seconds: float = 60) -> None:
        """Wait until complete slices have whole devices and halves, of either layout."""
        wanted = {"fake-0", "fake-4-split2-0"}
        until("devices in slices", lambda: wanted <= self.devices().keys(), seconds)

    def devices(self) -> Mapping[str, JSON]:
        """Return the attributes of the devices in complete slices, by name."""
        slices = [each["spec"] for each in self.slices()]
        if any(spec["pool"]["resourceSliceCount"] != len(slices) for spec in slices):
            return {}
        found = (device for spec in slices for device in spec.get("devices") or ())
        return {each["name"]: _values(each["attributes"]) for each in found}

    def allocated(self) -> Mapping[str, list[str]]:
        """Return the driver's devices of each claim that has some, by the claim's name."""
        found = self.kubectl.get("resourceclaims", "-A")["items"]
        given = {each["metadata"]["name"]: devices_of(each) for each in found}
        return {name: devices for name, devices in given.items() if devices}

    def env(self, pod: str, container: str = "main", namespace: str = "default") -> dict[str, str]:
        """Return the driver's variables in a container that has printed its environment."""

        def printed() -> dict[str, str]:
            shown = self.kubectl.run("logs", "-n", namespace, pod, "-c", container)
            return dict(_VARIABLE.findall(shown))

        return until(f"the environment in the log of {pod}", printed)

    def claim_files(self) -> list[str]:
        """Return the CDI files of claims."""
        return [name for name in self.cdi_files() if name != common_file(FAKE)]

    def settled(self, seconds: float = 60) -> None:
        """Wait until no claim has a device, and no CDI file of one is left."""
        until("no claim with devices", lambda: not self.allocated(), seconds)
        until("no CDI file of a claim", lambda: not self.claim_files(), seconds)
        self.offered(seconds)

    def driver_pod(self) -> JSON:
        """Return the pod of the kubelet plugin that is not leaving.

        Raises:
            LookupError: there is none.
        """
        label = "app.kubernetes.io/component=kubeletplugin"
        found = self.kubectl.get("pods", "-n", SYSTEM, "-l", label)["items"]
        stays = [each for each in found if "deletionTimestamp" not in each["metadata"]]
        if not stays:
            raise LookupError("no pod of the kubelet plugin")
        return dict(stays[0])

    def pids(self) -> list[int]:
        """Return the processes of the kubelet plugin."""
        return [process.pid for process in processes.table() if is_plugin(process)]

    def kill(self) -> None:
        """Kill the kubelet plugin, and wait until another one works."""
        before = self.pids()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        until("another process", lambda: not {*before} & {*self.pids()} and self.pids(), 60)
        self.plugin_ready()

    def plugin_ready(self) -> None:
        """Wait until the kubelet plugin serves."""
        self.rolled_out(f"daemonset/{RELEASE}-kubeletplugin", SYSTEM)

    def demo(self, name: str) -> list[JSON]:
        """Return the objects of a demo, in the version that the cluster serves."""
        text = (DEMOS / f"fake-{name}.yaml").read_text(encoding="utf-8")
        return [self.served(each) for each in yaml.safe_load_all(text)]

    def logs(self, demo: Demo) -> Mapping[Container, str]:
        """Return what the containers of a demo have printed."""
        with self.client() as client:
            return Session(client, FAKE).logs(demo)

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Return a client with the rights of the administrator."""
        client = Client.from_kubeconfig(
            str(self.machine.kubeconfig), qps=1000, burst=1000, user_agent="tests"
        )
        try:
            yield client
        finally:
            client.close()

    def state(self, namespace: str) -> NodeAllocationState:
        """Return slices and claims in the form in which the demos are checked."""
        known = self.devices()
        wholes = sorted({str(each.get("parentUUID", each["uuid"])) for each in known.values()})
        found = self.kubectl.get("resourceclaims", "-n", namespace)["items"]
        prepared = {
            ClaimUID(each["metadata"]["uid"]): tuple(
                PreparedDevice(known[name]["uuid"], known[name].get("parentUUID"))
                for name in devices_of(each)
            )
            for each in found
        }
        offered = tuple(Device(DeviceID(each), "") for each in wholes)
        return NodeAllocationState(NodeName(NODE), SYSTEM, allocatable=offered, prepared=prepared)


def devices_of(claim: JSON) -> list[str]:
    """Return the names of the driver's devices that a claim has."""
    allocation = (claim.get("status") or {}).get("allocation") or {}
    results = (allocation.get("devices") or {}).get("results") or []
    return [each["device"] for each in results if each["driver"] == FAKE.driver_name]


def wholes(name: str, count: int = 1) -> JSON:
    """Return a claim for whole devices."""
    exactly = {"deviceClassName": WHOLE, "count": count}
    return claim_of(name, [{"name": "whole", "exactly": exactly}])


def child(name: str, split: int) -> JSON:
    """Return a claim for one child of a device that is split into so many."""
    own = f"device.attributes['{FAKE.driver_name}']"
    selector = {"cel": {"expression": f"has({own}.split) && {own}.split == {split}"}}
    exactly = {"deviceClassName": SPLIT, "selectors": [selector]}
    return claim_of(name, [{"name": "child", "exactly": exactly}])


def using(name: str, *claims: str) -> JSON:
    """Return a pod that uses claims, prints its environment and stays."""
    return pod(name, *claims, command=PRINT_AND_STAY)


def _values(attributes: JSON) -> JSON:
    """Return attributes of a device without their types."""
    return {name: value for name, typed in attributes.items() for value in typed.values()}
