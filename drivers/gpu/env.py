"""What containers see of their devices: variables, as there is no hardware to hand on."""

import re
from collections.abc import Iterator, Mapping, Sequence

from dra.driver import PreparingClaim, Result
from drivers.gpu.config import GpuConfig, Strategy
from drivers.gpu.inventory import PREFIX

CAPACITIES = ("memory", "compute")


def common(driver: str, node: str, claim: PreparingClaim) -> dict[str, str]:
    """Return what a container sees whatever devices it has.

    Of a container with two claims it has the last one's DRA_ADMIN_ACCESS, by chance; that is what
    `of_claim` is for.
    """
    return {
        "KUBERNETES_NODE_NAME": node,
        "DRA_RESOURCE_DRIVER_NAME": driver,
        "DRA_ADMIN_ACCESS": _text(any(result.admin for result in claim.results)),
    }


def of_claim(kind: str, claim: PreparingClaim, result: Result) -> dict[str, str]:
    """Return by which claim a container has a device, and whether only as an administrator.

    Args:
        kind: of the devices, such as GPU.
        claim: that has the device.
        result: the device.
    """
    name = f"{kind}_DEVICE_{_word(result.device)}"
    values = {"RESOURCE_CLAIM": str(claim.uid)}
    if result.admin:
        values["ADMIN_ACCESS"] = _text(True)
    return with_share(name, values, result)


def of_gpu(result: Result, config: GpuConfig) -> dict[str, str]:
    """Return the variables of a GPU, or of a part or a share of one."""
    name = f"GPU_DEVICE_{_word(result.device.removeprefix(PREFIX))}"
    return with_share(name, dict(_of_gpu(result, config)), result)


def with_share(name: str, values: Mapping[str, str], result: Result) -> dict[str, str]:
    """Return variables that begin with a name; those of a share also with the share in the name.

    By the name of the device alone a container with two shares of it could not tell them apart.
    """
    names = [name]
    if result.share_id:
        names.append(f"{name}_SHARE_{_word(result.share_id)}")
    return {
        f"{each}_{what}" if what else each: value
        for each in names
        for what, value in values.items()
    }


def unambiguous(devices: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return the variables of a claim's devices without those on which two devices differ.

    These are of two shares of one device; a container that has both would see one by chance.
    """
    said: dict[str, set[str]] = {}
    for name, value in (each for variables in devices for each in variables.items()):
        said.setdefault(name, set()).add(value)
    return [
        {name: value for name, value in variables.items() if len(said[name]) == 1}
        for variables in devices
    ]


def _of_gpu(result: Result, config: GpuConfig) -> Iterator[tuple[str, str]]:
    yield "", result.device
    yield "SHARING_STRATEGY", config.strategy.value
    if config.strategy is Strategy.TIME_SLICING:
        yield "TIMESLICE_INTERVAL", config.interval.value
    else:
        yield "PARTITION_COUNT", str(config.partitions)
    if result.share_id:
        yield from consumed(result, {each: each.upper() for each in CAPACITIES}).items()


def consumed(result: Result, names: Mapping[str, str]) -> dict[str, str]:
    """Return how much a share has of capacities, under other names."""
    return {
        name: result.consumed[capacity]
        for capacity, name in names.items()
        if capacity in result.consumed
    }


def _word(text: str) -> str:
    return re.sub(r"\W", "_", text).upper()


def _text(value: bool) -> str:
    return str(value).lower()
