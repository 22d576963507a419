"""The other profile of the driver: NICs, of whose bandwidth claims take what they ask for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from marshmallow import Schema, fields, post_load, validate

from api.objects import JSON
from api.quantities import quantity
from dra.driver import Result
from dra.inventory import Capacity, Device, Inventory, RequestPolicy
from drivers.gpu.config import exactly, schema_errors
from drivers.gpu.env import with_share
from drivers.gpu.inventory import DRIVER_VERSION, device_uuid

API_VERSION: Final = "net.resource.example.com/v1alpha1"
KIND: Final = "NetConfig"
PREFIX: Final = "nic-"
DIRECTIONS: Final = ("ingress", "egress")

_LONGEST_BURST: Final = 8 * (2**32 - 1) - 1
_BANDWIDTH: Final = Capacity("100G", RequestPolicy("1G", (), "100M", "100G", "1M"))
_FUNCTION: Final = Capacity("100", RequestPolicy("1", ("1",)))


@dataclass(frozen=True, slots=True)
class NetConfig:
    """How far a NIC may exceed its rate.

    Attributes:
        bursts: bits by direction; 0 is no limit.
    """

    bursts: Mapping[str, int]


def inventory(node: str, number: int) -> Inventory:
    """Return the NICs of a node."""
    return Inventory.of(*(_nic(node, index) for index in range(number)))


def errors(parameters: JSON) -> Sequence[str]:
    """Return what is wrong with parameters, each with the path of its field."""
    return schema_errors(_NetConfigSchema(), parameters)


def variables(result: Result, parameters: JSON | None) -> dict[str, str]:
    """Return what a container sees of a NIC: rates and bursts, in bits."""
    config = NetConfig({}) if parameters is None else _NetConfigSchema().load(parameters)
    values = {
        f"{name.upper()}_BURST": str(burst)
        for name in DIRECTIONS
        if (burst := config.bursts.get(name))
    }
    for name in DIRECTIONS:
        if rate := result.consumed.get(f"{name}Bandwidth"):
            values[f"{name.upper()}_RATE"] = str(int(quantity(rate)))
    return with_share(f"NET_DEVICE_{result.device.removeprefix(PREFIX)}", values, result)


def _nic(node: str, index: int) -> Device:
    return Device(
        f"{PREFIX}{index}",
        {
            "index": index,
            "uuid": device_uuid("net", node, index),
            "model": "LATEST-NET-MODEL",
            "driverVersion": DRIVER_VERSION,
        },
        {"vfs": _FUNCTION, **{f"{name}Bandwidth": _BANDWIDTH for name in DIRECTIONS}},
        shared=True,
    )


def _burst() -> fields.Integer:
    message = "{input} bits are out of bounds, a burst is 0 to {max}."
    return fields.Integer(strict=True, validate=validate.Range(0, _LONGEST_BURST, error=message))


class _BurstSchema(Schema):
    ingressBurst = _burst()  # noqa: N815 - of the API, as the others
    egressBurst = _burst()  # noqa: N815


class _NetConfigSchema(Schema):
    apiVersion = exactly(API_VERSION)  # noqa: N815
    kind = exactly(KIND)
    bwBurst = fields.Nested(_BurstSchema, allow_none=True)  # noqa: N815

    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> NetConfig:
        bursts = data.get("bwBurst") or {}
        return NetConfig({name: bursts.get(f"{name}Burst", 0) for name in DIRECTIONS})
