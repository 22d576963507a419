"""Class and claim parameters: schema, bounds, defaults, and the messages users see.

The bounds are those of the CRDs beside this file; both are checked, since a CRD may be older than
the driver and parameters reach the plugin's tests and tools without an API server.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from marshmallow import (
    RAISE,
    Schema,
    ValidationError,
    fields,
    post_load,
    validate,
    validates_schema,
)

from api.errors import InvalidParameters
from api.names import (
    CLAIM_PARAMETERS_KIND,
    CLASS_PARAMETERS_KIND,
    DEVICE_TYPE,
    EXCLUSIVE,
    TIME_SLICED,
)
from api.objects import JSON, key_of
from api.schemas import list_errors

MAX_COUNT = 128
MAX_SPLIT = 16
MAX_CLIENTS = 64
LONGEST_MODEL = 63
"""Characters of a model that a selector of a claim or a class can name."""


@dataclass(frozen=True, slots=True)
class ClaimParameters:
    """What a claim wants.

    Attributes:
        count: number of devices, 1 to MAX_COUNT.
        split: children per device; 0 and 1 are the whole device.
        model: pattern that the device's model must match, see `matches`; None is any.
    """

    count: int = 1
    split: int = 0
    model: str | None = None

    def admits(self, model: str) -> bool:
        """Tell whether a device of this model may serve the claim."""
        return self.model is None or matches(self.model, model)


@dataclass(frozen=True, slots=True)
class DeviceSelector:
    """One `deviceSelector` entry: a device type and a pattern for the model."""

    type: str = DEVICE_TYPE
    name: str = "*"


class Policy(StrEnum):
    """Which of the nodes that can serve an Immediate claim gets it."""

    PACKED = "Packed"
    SPREAD = "Spread"


@dataclass(frozen=True, slots=True)
class ClassParameters:
    """Which devices a class offers, and how.

    Attributes:
        selectors: of devices; the class offers those that any of them matches.
        max_clients: most claims that may share a device; None if each claim has its devices alone.
        policy: None leaves the choice of the node to the controller.
    """

    selectors: tuple[DeviceSelector, ...] = (DeviceSelector(),)
    max_clients: int | None = None
    policy: Policy | None = None

    def admits(self, model: str) -> bool:
        """Tell whether a device of this model belongs to the class."""
        for selector in self.selectors:  # noqa: SIM110 - asked for every model of every node
            if matches(selector.name, model):
                return True
        return False


def matches(pattern: str, model: str) -> bool:
    """Tell whether a pattern is a model's own name, or a glob that matches it."""
    return model == pattern or fnmatchcase(model, pattern)


def parse_claim_parameters(obj: JSON, where: str = "") -> ClaimParameters:
    """Read a FakeClaimParameters object.

    Args:
        obj: the object; of one that is not stored by itself only `spec` is needed.
        where: what to call the object in messages, by default its namespace and name.

    Raises:
        InvalidParameters: with the object, every wrong field and its bounds.
    """
    loaded = _load(_ClaimParametersSchema(), obj, CLAIM_PARAMETERS_KIND, where)
    return ClaimParameters(**loaded)


def parse_class_parameters(obj: JSON, where: str = "") -> ClassParameters:
    """Read a DeviceClassParameters object.

    Args:
        obj: the object; of one that is not stored by itself only `spec` is needed.
        where: what to call the object in messages, by default its name.

    Raises:
        InvalidParameters: with the object and every wrong field.
    """
    loaded = _load(_ClassParametersSchema(), obj, CLASS_PARAMETERS_KIND, where)
    return ClassParameters(**loaded)


def check_together(
    wanted: ClaimParameters, offered: ClassParameters, claim: str, its_class: str
) -> None:
    """Check that a class offers devices in the way in which a claim wants them.

    Args:
        wanted: by the claim.
        offered: by the class.
        claim: what to call the claim in messages.
        its_class: what to call the class.

    Raises:
        InvalidParameters: the claim wants to split devices that claims share.
    """
    if wanted.split > 1 and offered.max_clients is not None:
        told = (
            f"spec.split: Devices of {its_class} are {TIME_SLICED}, which claims share whole; "
            f"leave it out, or use a class with sharing {EXCLUSIVE}."
        )
        raise InvalidParameters(f"{CLAIM_PARAMETERS_KIND} of {claim}", [told])


def _load(schema: Schema, obj: JSON, kind: str, where: str) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = schema.load(obj.get("spec") or {})
    except ValidationError as error:
        found = list_errors(error, "spec")
        raise InvalidParameters(f"{kind} {where or key_of(obj)}", found) from error
    return loaded


def _bounded(low: int, high: int, what: str, data_key: str | None = None) -> fields.Integer:
    message = f"{{input}} is out of bounds, {what} must be {low} to {high}."
    bounds = validate.Range(low, high, error=message)
    return fields.Integer(strict=True, validate=bounds, data_key=data_key)


class _SelectorSchema(Schema):
    model = fields.String(validate=validate.Length(1, LONGEST_MODEL))


class _ClaimParametersSchema(Schema):
    class Meta:
        unknown = RAISE

    count = _bounded(1, MAX_COUNT, "the number of devices")
    split = _bounded(0, MAX_SPLIT, "the number of children of each device")
    selector = fields.Nested(_SelectorSchema())

    @post_load
    def flatten(self, data: Mapping[str, Any], **_: object) -> dict[str, Any]:
        flat = {k: v for k, v in data.items() if k != "selector"}
        return flat | dict(data.get("selector") or {})


class _DeviceSelectorSchema(Schema):
    type = fields.String(required=True, validate=validate.Equal(DEVICE_TYPE))
    name = fields.String(required=True, validate=validate.Length(1, LONGEST_MODEL))

    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> DeviceSelector:
        return DeviceSelector(**data)


class _ClassParametersSchema(Schema):
    class Meta:
        unknown = RAISE

    selectors = fields.List(
        fields.Nested(_DeviceSelectorSchema()),
        data_key="deviceSelector",
        validate=validate.Length(min=1),
    )
    sharing = fields.String(validate=validate.OneOf([EXCLUSIVE, TIME_SLICED]))
    max_clients = _bounded(
        1, MAX_CLIENTS, "the number of claims that share a device", data_key="maxClients"
    )
    policy = fields.String(
        data_key="allocationPolicy", validate=validate.OneOf([each.value for each in Policy])
    )

    @validates_schema
    def check_sharing(self, data: Mapping[str, Any], **_: object) -> None:
        shared = data.get("sharing") == TIME_SLICED
        if shared and "max_clients" not in data:
            told = f"It is missing, {TIME_SLICED} devices have a largest number of clients."
        elif "max_clients" in data and not shared:
            told = f"It has a meaning only with sharing {TIME_SLICED}."
        else:
            return
        raise ValidationError(told, "maxClients")

    @post_load
    def flatten(self, data: Mapping[str, Any], **_: object) -> dict[str, Any]:
        flat = {name: value for name, value in data.items() if name != "sharing"}
        if "selectors" in flat:
            flat["selectors"] = tuple(flat["selectors"])
        if "policy" in flat:
            flat["policy"] = Policy(flat["policy"])
        return flat
