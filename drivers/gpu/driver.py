"""Lends made-up GPUs: containers see by variables which ones, and how they are shared.

`inventory` is what there is, `config` what users may ask for, `env` what containers get of it;
this module puts them together, and is the program. `nics` is another kind of device.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from api.contract import Contract
from api.objects import JSON
from dra.driver import Edits, PreparedClaim, PreparedDevice, PreparingClaim, Result
from dra.errors import CannotServe
from dra.inventory import Inventory, attribute_json
from dra.run import run
from dra.simulation import Switched, SwitchedHealth, tainted
from drivers.gpu import config, env, inventory, nics
from drivers.gpu.inventory import Gpus, ready_condition

SHOWN: Final = ("uuid", "model", "driverVersion")
"""Attributes of a device that claims show in `status.devices`."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of devices.

    Attributes:
        name: of the kind; class of its CDI devices.
        offered: the devices.
        static: those that are offered where counters are not stored.
        former: those of other settings.
        parents: of those that are parts of others.
        errors: what is wrong with parameters.
        variables: of a device with its parameters, of which it may have none.
    """

    name: str
    offered: Inventory
    static: Inventory
    former: Callable[[Collection[str]], Inventory]
    parents: Mapping[str, str]
    errors: Callable[[JSON], Sequence[str]]
    variables: Callable[[Result, JSON | None], Mapping[str, str]]


class GpuDriver(Switched):
    """Lend made-up GPUs, or NICs: containers see by variables which ones they have.

    Args:
        node_name: of the Node.
        device_profile: gpu, or net.
        driver_name: as classes and claims name it; by default the profile's, such as
            gpu.example.com.
        num_devices: devices that the node offers.
        gpu_partitions: partitions of each GPU, each also offered as a whole; 0 are GPUs without.
        gpu_allow_multiple_allocations: let several claims have shares of a GPU.
        gpu_device_status: show in claims which devices these are.
        binding_conditions: let a pod wait until somebody says that its GPU is ready.
        health_file: lines such as `gpu-0=unhealthy: too hot`, beside annotations of the Node such
            as `health.gpu.example.com/gpu-0`.

    Raises:
        CannotServe: there is no such profile, or there are no such devices.
    """

    contract = Contract("gpu.example.com", "gpu")

    def __init__(
        self,
        node_name: str,
        device_profile: str = "gpu",
        driver_name: str = "",
        num_devices: int = 8,
        gpu_partitions: int = 0,
        gpu_allow_multiple_allocations: bool = False,
        gpu_device_status: bool = False,
        binding_conditions: bool = False,
        health_file: Path | None = None,
    ) -> None:
        shared = gpu_allow_multiple_allocations
        gpus = Gpus(node_name, num_devices, gpu_partitions, shared, binding_conditions)
        inventory.check(gpus)
        profiles = {"gpu": lambda: gpu(gpus), "net": lambda: net(node_name, num_devices)}
        if device_profile not in profiles:
            known = " or ".join(profiles)
            raise CannotServe(
                f"there is no profile {device_profile}; set device-profile to {known}"
            )
        self.contract = Contract(driver_name or f"{device_profile}.example.com", device_profile)
        self._profile = profiles[device_profile]()
        self.switched = SwitchedHealth(
            self.contract.driver_name,
            inventory.names(self._profile.offered),
            parents=self._profile.parents,
            file=health_file,
        )
        self._node = node_name
        self._shows = gpu_device_status

    def discover(self) -> Inventory:
        """Return the devices, unhealthy ones with a taint."""
        return tainted(self._profile.offered, self.switched.taints)

    def static_inventory(self) -> Inventory:
        """Return the devices that can be offered where counters are not stored."""
        return tainted(self._profile.static, self.switched.taints)

    def former_inventory(self, devices: Collection[str]) -> Inventory:
        """Return devices as they may have been offered with other settings."""
        return self._profile.former(devices)

    def validate(self, parameters: JSON) -> Sequence[str]:
        """Return what is wrong with the parameters of a claim or a class."""
        return self._profile.errors(parameters)

    def prepare(self, claim: PreparingClaim) -> Sequence[PreparedDevice]:
        """Give each device the variables that containers see."""
        if self._shows:
            self._show(claim)
        variables = env.unambiguous([self._variables(claim, each) for each in claim.results])
        return [
            PreparedDevice.of(result, Edits(env=own))
            for result, own in zip(claim.results, variables, strict=True)
        ]

    def unprepare(self, claim: PreparedClaim) -> None:
        """Do nothing: what containers had was all there was."""

    def _variables(self, claim: PreparingClaim, result: Result) -> Mapping[str, str]:
        # the last one is the strongest, and stands for all of them
        parameters = result.config[-1].parameters if result.config else None
        return {
            **env.common(self.contract.driver_name, self._node, claim),
            **env.of_claim(self._profile.name.upper(), claim, result),
            **self._profile.variables(result, parameters),
        }

    def _show(self, claim: PreparingClaim) -> None:
        devices = {each.name: each for pool in self._profile.offered.pools for each in pool.devices}
        for result in claim.results:
            if device := devices.get(result.device):
                known = {name: attribute_json(device.attributes[name]) for name in SHOWN}
                # the pod is here, so they were true; what is shown is replaced as a whole
                ready = [ready_condition(each) for each in device.binding_conditions]
                claim.publish_status(result, conditions=ready, data=known)


def gpu(gpus: Gpus) -> Profile:
    """Return the GPUs of a node."""
    return Profile(
        "gpu",
        inventory.inventory(gpus),
        inventory.static_inventory(gpus),
        partial(inventory.former, gpus),
        inventory.parents(gpus),
        config.errors,
        lambda result, given: env.of_gpu(
            result, config.GpuConfig() if given is None else config.gpu_config(given)
        ),
    )


def net(node: str, number: int) -> Profile:
    """Return the NICs of a node."""
    offered = nics.inventory(node, number)
    return Profile(
        "net", offered, offered, lambda _devices: Inventory(), {}, nics.errors, nics.variables
    )


def main() -> None:
    """Run the program."""
    run(GpuDriver)


if __name__ == "__main__":
    main()
