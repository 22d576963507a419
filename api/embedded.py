"""Parameters that stand in a claim or in a class, as in Kubernetes 1.31.

The API server has checked nothing of them.
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from api.errors import InvalidParameters, UnknownParametersKind
from api.names import CLAIM_PARAMETERS_KIND, CLASS_PARAMETERS_KIND
from api.objects import JSON
from api.parameters import (
    ClaimParameters,
    ClassParameters,
    parse_claim_parameters,
    parse_class_parameters,
)
from api.resources import CLAIM_PARAMETERS

_FIELDS: Final = frozenset({"apiVersion", "kind", "metadata", "spec"})
_T = TypeVar("_T")


def claim_parameters(parameters: JSON, where: str) -> ClaimParameters:
    """Read what a claim carries.

    Args:
        parameters: a whole FakeClaimParameters object, but for its metadata.
        where: what to call it in messages, such as `in spec.devices.config[0] of …`.

    Raises:
        UnknownParametersKind: it is something else.
        InvalidParameters: with every wrong field.
    """
    return _read(parameters, where, CLAIM_PARAMETERS_KIND, parse_claim_parameters)


def class_parameters(parameters: JSON, where: str) -> ClassParameters:
    """Read what a class carries: a whole DeviceClassParameters object, but for its metadata.

    Raises:
        UnknownParametersKind: it is something else.
        InvalidParameters: with every wrong field.
    """
    return _read(parameters, where, CLASS_PARAMETERS_KIND, parse_class_parameters)


def _read(parameters: JSON, where: str, kind: str, parse: Callable[[JSON, str], _T]) -> _T:
    found = tuple(parameters.get(name) for name in ("apiVersion", "kind"))
    if found != (CLAIM_PARAMETERS.api_version, kind):
        raise UnknownParametersKind(
            f"the parameters {where} have apiVersion {found[0]} and kind {found[1]}, which this "
            f"driver cannot read; use {CLAIM_PARAMETERS.api_version} and {kind}"
        )
    misplaced = list(_misplaced(parameters, kind))
    try:
        read = parse(parameters, where)
    except InvalidParameters as error:
        raise InvalidParameters(f"{kind} {where}", [*misplaced, *error.problems]) from error
    if misplaced:
        raise InvalidParameters(f"{kind} {where}", misplaced)
    return read


def _misplaced(parameters: JSON, kind: str) -> Iterator[str]:
    for name in sorted(set(parameters) - _FIELDS):
        yield f"{name}: Unknown field; settings belong into its spec"
    spec = parameters.get("spec")
    if kind == CLAIM_PARAMETERS_KIND and isinstance(spec, dict) and "count" in spec:
        yield (
            "spec.count: It has no meaning in a claim of Kubernetes 1.31; remove it and set "
            "spec.devices.requests[].count"
        )
