"""What users write about their GPUs: GpuConfig, as opaque parameters of a claim or a class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from api.objects import JSON
from api.schemas import list_errors

API_VERSION: Final = "gpu.resource.example.com/v1alpha1"
KIND: Final = "GpuConfig"


class Strategy(StrEnum):
    """How those who share a GPU do so."""

    TIME_SLICING = "TimeSlicing"
    SPACE_PARTITIONING = "SpacePartitioning"


class Interval(StrEnum):
    """How long each has the GPU in turn."""

    DEFAULT = "Default"
    SHORT = "Short"
    MEDIUM = "Medium"
    LONG = "Long"


@dataclass(frozen=True, slots=True)
class GpuConfig:
    """How a GPU is shared.

    Attributes:
        strategy: in turn, or each a part.
        interval: of time slicing.
        partitions: of space partitioning.
    """

    strategy: Strategy = Strategy.TIME_SLICING
    interval: Interval = Interval.DEFAULT
    partitions: int = 1


def gpu_config(parameters: JSON) -> GpuConfig:
    """Return what parameters say, with defaults for what they leave out.

    Raises:
        ValidationError: of marshmallow; `errors` tells beforehand.
    """
    config: GpuConfig = _GpuConfigSchema().load(parameters)
    return config


def errors(parameters: JSON) -> Sequence[str]:
    """Return what is wrong with parameters, each with the path of its field."""
    return schema_errors(_GpuConfigSchema(), parameters)


def schema_errors(schema: Schema, parameters: JSON) -> Sequence[str]:
    """Return what a schema has against parameters, each with the path of its field."""
    try:
        schema.load(parameters)
    except ValidationError as error:
        return list_errors(error)
    return []


def exactly(text: str) -> fields.String:
    """Return a field that has one value only, such as the kind of an object."""
    message = f"{{input}} is unknown, it must be {text}."
    return fields.String(required=True, validate=validate.Equal(text, error=message))


def _one_of(choices: type[StrEnum], what: str, *, required: bool = False) -> fields.String:
    message = f"unknown {what}: {{input}}, it must be one of {{choices}}."
    return fields.String(required=required, validate=validate.OneOf([*choices], error=message))


class _TimeSlicingSchema(Schema):
    interval = _one_of(Interval, "time-slice interval")


class _SpacePartitioningSchema(Schema):
    partitionCount = fields.Integer(  # noqa: N815 - of the API
        strict=True, validate=validate.Range(0, error="{input} is less than 0.")
    )


class _SharingSchema(Schema):
    strategy = _one_of(Strategy, "GPU sharing strategy", required=True)
    timeSlicingConfig = fields.Nested(_TimeSlicingSchema, allow_none=True)  # noqa: N815
    spacePartitioningConfig = fields.Nested(_SpacePartitioningSchema, allow_none=True)  # noqa: N815

    @validates_schema(skip_on_field_errors=True)
    def check_strategy(self, data: Mapping[str, Any], **_: object) -> None:
        """Refuse the settings of the strategy that was not chosen: they would be ignored."""
        other = {
            Strategy.TIME_SLICING: "spacePartitioningConfig",
            Strategy.SPACE_PARTITIONING: "timeSlicingConfig",
        }[data["strategy"]]
        if data.get(other) is not None:
            raise ValidationError(f"It does not go with the strategy {data['strategy']}.", other)


class _GpuConfigSchema(Schema):
    apiVersion = exactly(API_VERSION)  # noqa: N815
    kind = exactly(KIND)
    sharing = fields.Nested(_SharingSchema, allow_none=True)

    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> GpuConfig:
        sharing = data.get("sharing") or {}
        slicing = sharing.get("timeSlicingConfig") or {}
        partitioning = sharing.get("spacePartitioningConfig") or {}
        return GpuConfig(
            Strategy(sharing.get("strategy", Strategy.TIME_SLICING)),
            Interval(slicing.get("interval", Interval.DEFAULT)),
            # as with omitempty in Go, 0 is the same as nothing
            partitioning.get("partitionCount") or 1,
        )
