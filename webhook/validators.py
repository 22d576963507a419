"""Who says whether parameters are right: the same code that reads them when devices are prepared.

A validator returns what is wrong, each with the path of its field, as `dra.driver.Validates` does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from api.embedded import claim_parameters, class_parameters
from api.errors import InvalidParameters, UnknownParametersKind
from api.objects import JSON
from api.parameters import parse_claim_parameters, parse_class_parameters

Validator: TypeAlias = Callable[[JSON], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Classic:
    """What a driver with a controller takes in Kubernetes 1.31.

    Attributes:
        claims: in claims and their templates.
        classes: in DeviceClasses.
    """

    claims: Validator
    classes: Validator


@dataclass(frozen=True, slots=True)
class Validators:
    """The validators of several drivers, by their names.

    Attributes:
        structured: where kube-scheduler allocates.
        classic: in v1alpha3, instead of those.
    """

    structured: Mapping[str, Validator]
    classic: Mapping[str, Classic] = field(default_factory=dict)

    def find(self, driver: str, version: str, resource: str) -> Validator | None:
        """Return the one of a driver for a resource in a version; None if it is not ours."""
        classic = self.classic.get(driver) if version == "v1alpha3" else None
        if classic is None:
            return self.structured.get(driver)
        return classic.classes if resource == "deviceclasses" else classic.claims


def complaints_of(read: Callable[[JSON, str], object]) -> Validator:
    """Return the validator that a reader of parameters is, which raises what is wrong."""

    def validate(parameters: JSON) -> Sequence[str]:
        try:
            read(parameters, "here")
        except InvalidParameters as error:
            return error.problems
        except UnknownParametersKind as error:
            return [str(error)]
        return []

    return validate


FAKE_CLASSIC: Final = Classic(complaints_of(claim_parameters), complaints_of(class_parameters))
"""Of the fake driver."""

PARAMETERS: Final[Mapping[str, Validator]] = {
    "fakeclaimparameters": complaints_of(parse_claim_parameters),
    "deviceclassparameters": complaints_of(parse_class_parameters),
}
"""Of the objects that classic claims and classes refer to, by resource."""
