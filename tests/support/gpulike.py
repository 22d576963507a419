"""A driver with parameters like those of a GPU, which it reads with a schema."""

from collections.abc import Sequence

from marshmallow import Schema, ValidationError, fields, validate

from api.contract import Contract
from api.objects import JSON
from api.schemas import list_errors
from dra.driver import Edits, PreparedClaim, PreparedDevice, PreparingClaim
from dra.inventory import Device, Inventory


class _Sharing(Schema):
    strategy = fields.String(required=True, validate=validate.OneOf(["TimeSlicing", "Space"]))
    weights = fields.List(fields.Integer(strict=True))


class _Config(Schema):
    kind = fields.String(required=True, validate=validate.Equal("GpuConfig"))
    sharing = fields.Nested(_Sharing)


class GpuLike:
    """One device; fails where a parameter says so, as a driver with a fault does."""

    contract = Contract("gpulike.example.com", "gpulike")

    def discover(self) -> Inventory:
        return Inventory.of(Device("gpu-0"))

    def validate(self, parameters: JSON) -> Sequence[str]:
        if parameters.get("kind") == "Fault":
            raise RuntimeError("no such kind")
        try:
            _Config().load(parameters)
        except ValidationError as error:
            return list_errors(error)
        return []

    def prepare(self, claim: PreparingClaim) -> Sequence[PreparedDevice]:
        return [
            PreparedDevice.of(result, Edits({"GPU": result.device})) for result in claim.results
        ]

    def unprepare(self, claim: PreparedClaim) -> None:
        pass


class Silent:
    """A driver that has no method validate."""

    contract = Contract("silent.example.com", "silent")

    def discover(self) -> Inventory:
        return Inventory.of()

    def prepare(self, claim: PreparingClaim) -> Sequence[PreparedDevice]:
        return []

    def unprepare(self, claim: PreparedClaim) -> None:
        pass
