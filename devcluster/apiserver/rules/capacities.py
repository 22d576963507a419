"""Rules of what devices have a certain amount of, and of how much of it a share may take.

Source: kubernetes pkg/apis/resource/validation/validation.go, validateRequestPolicy.
"""

from fractions import Fraction
from typing import Any, Final

from api.limits import MAX_VALID_VALUES
from api.objects import JSON
from api.quantities import is_quantity, quantity
from devcluster.apiserver import fielderrors
from devcluster.apiserver.rules.entries import Check, Errors

_SHAPE_TEXT: Final = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)


def quantity_errors(path: str, holder: Any) -> Errors:
    """Return what is wrong with the `value` of a counter or capacity."""
    if "value" in holder and not is_quantity(holder["value"]):
        yield fielderrors.bad_value(f"{path}.value", holder["value"], _SHAPE_TEXT)


def capacity_errors(*, shared: bool) -> Check:
    """Return the check of the capacity of a device, of which several claims may have shares."""

    def check(path: str, capacity: Any) -> Errors:
        yield from quantity_errors(path, capacity)
        policy, here = capacity.get("requestPolicy"), f"{path}.requestPolicy"
        if policy is not None and not shared:
            yield fielderrors.not_allowed(here, "allowMultipleAllocations must be true")
        elif policy is not None and is_quantity(capacity.get("value")):
            shown = str(capacity["value"])
            yield from _policy_errors(here, policy, quantity(shown), shown)

    return check


def _policy_errors(path: str, policy: JSON, value: Fraction, shown: str) -> Errors:
    values, bounds = policy.get("validValues") or [], policy.get("validRange")
    given = {"default": policy.get("default"), **dict(enumerate(values)), **(bounds or {})}
    wrong = [each for each in given.values() if each is not None and not is_quantity(each)]
    if wrong:
        yield fielderrors.bad_value(path, wrong[0], _SHAPE_TEXT)
    elif values and bounds is not None:
        yield fielderrors.not_allowed(
            path,
            'exactly one policy can be specified, cannot specify "validValues" and "validRange" at '
            "the same time",
        )
    elif (values or bounds is not None) and policy.get("default") is None:
        kind = "validValues" if values else "validRange"
        yield fielderrors.required(f"{path}.default", f"required when {kind} is defined")
    elif values:
        yield from _value_errors(f"{path}.validValues", values, policy["default"], (value, shown))
    elif bounds is not None:
        yield from _range_errors(f"{path}.validRange", bounds, policy["default"], (value, shown))


def _value_errors(path: str, values: list[Any], default: Any, most: tuple[Fraction, str]) -> Errors:
    if len(values) > MAX_VALID_VALUES:
        yield fielderrors.too_many(path, len(values), MAX_VALID_VALUES)
        return
    numbers = [quantity(value) for value in values]
    for index, (value, number) in enumerate(zip(values, numbers, strict=True)):
        here = f"{path}[{index}]"
        if index and number < numbers[index - 1]:
            yield fielderrors.bad_value(here, value, "values must be sorted in ascending order")
        if number > most[0]:
            why = f"option is larger than capacity value: {most[1]}"
            yield fielderrors.bad_value(here, value, why)
        if number in numbers[:index]:
            yield fielderrors.duplicate(here, value)
    if quantity(default) not in numbers:
        why = "default value is not valid according to the requestPolicy"
        yield fielderrors.bad_value(path, default, why)


def _range_errors(path: str, bounds: JSON, default: Any, most: tuple[Fraction, str]) -> Errors:
    if bounds.get("min") is None:
        yield fielderrors.required(f"{path}.min", "required when validRange is defined")
        return
    least, usual = quantity(bounds["min"]), quantity(default)
    if least > most[0]:
        why = f"min is larger than capacity value: {most[1]}"
        yield fielderrors.bad_value(f"{path}.min", bounds["min"], why)
    if usual < least:
        why = f"default is less than min: {bounds['min']}"
        yield fielderrors.bad_value(f"{path}.default", default, why)
    if bounds.get("max") is not None:
        yield from _max_errors(path, bounds, default, most)
    if bounds.get("step") is not None:
        yield from _step_errors(path, bounds, default, most)


def _max_errors(path: str, bounds: JSON, default: Any, most: tuple[Fraction, str]) -> Errors:
    highest = quantity(bounds["max"])
    if quantity(bounds["min"]) > highest:
        why = f"min is larger than max: {bounds['max']}"
        yield fielderrors.bad_value(f"{path}.max", bounds["min"], why)
    if highest > most[0]:
        why = f"max is larger than capacity value: {most[1]}"
        yield fielderrors.bad_value(f"{path}.max", bounds["max"], why)
    if quantity(default) > highest:
        why = f"default is more than max: {bounds['max']}"
        yield fielderrors.bad_value(f"{path}.default", default, why)


def _step_errors(path: str, bounds: JSON, default: Any, most: tuple[Fraction, str]) -> Errors:
    step, least = quantity(bounds["step"]), quantity(bounds["min"])
    here = f"{path}.step"
    if step <= 0:
        yield fielderrors.bad_value(here, bounds["step"], "must be greater than zero")
        return
    if least + step > most[0]:
        why = f"one step {least + step} is larger than capacity value: {most[1]}"
        yield fielderrors.bad_value(here, bounds["step"], why)
    for value in (default, bounds.get("max")):
        if value is not None and (quantity(value) - least) % step:
            why = (
                f"value is not a multiple of a given step ({bounds['step']}) from ({bounds['min']})"
            )
            yield fielderrors.bad_value(here, value, why)
