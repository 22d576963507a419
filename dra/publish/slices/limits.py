"""What ResourceSlices can say: every limit of the API that an inventory has to keep.

Source: kubernetes pkg/apis/resource/validation/validation.go of 1.35 and later, which later ones
only widen. Two rules are ours: an attribute has one spelling, since it is random which of `model`
and `<driver>/model` a selector sees, and a consumed counter has to exist, since the scheduler
otherwise gives out nothing of the pool.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from fractions import Fraction
from typing import Final

from api import limits, validation
from api.quantities import quantity
from api.times import parse_time
from dra.errors import LimitExceeded
from dra.inventory import (
    Attribute,
    Capacity,
    Consumption,
    CounterSet,
    Device,
    Inventory,
    Pool,
    RequestPolicy,
    Taint,
    Version,
)
from dra.publish.slices.typed import wrong_types

_INT64: Final = 2**63


def check(inventory: Inventory, driver: str, node: str) -> None:
    """Refuse an inventory that could not be published as it is.

    Raises:
        LimitExceeded: with each field and its limit.
    """
    wrong = tuple(wrong_types(Inventory, inventory, "inventory"))
    problems = wrong or tuple(_problems(inventory, driver, node))
    if problems:
        raise LimitExceeded(problems)


def _problems(inventory: Inventory, driver: str, node: str) -> Iterator[str]:
    yield from _domain(driver, f"driver name {driver!r}")
    names = [pool.name or node for pool in inventory.pools]
    yield from _repeated("pool", names)
    for pool, name in zip(inventory.pools, names, strict=True):
        yield from _pool(pool, name, driver)


def _pool(pool: Pool, name: str, driver: str) -> Iterator[str]:
    at = f"pool {name}"
    if len(name) > limits.MAX_POOL_NAME or any(map(validation.subdomain, name.split("/"))):
        most = f"of at most {limits.MAX_POOL_NAME} characters"
        yield f"{at}: the name is no DNS subdomains, joined by /, {most}"
    yield from _repeated(f"{at}: device", [device.name for device in pool.devices])
    yield from _repeated(f"{at}: counter set", [each.name for each in pool.counters])
    for each in pool.counters:
        yield from _counter_set(each, f"{at}, counter set {each.name!r}")
    sets = {each.name: each for each in pool.counters}
    for device in pool.devices:
        yield from _device(device, f"{at}, device {device.name!r}", driver, sets)


def _counter_set(counters: CounterSet, at: str) -> Iterator[str]:
    yield from _label(counters.name, f"{at}: name")
    if not 1 <= len(counters.counters) <= limits.MAX_COUNTERS:
        yield f"{at}: {len(counters.counters)} counters, 1 to {limits.MAX_COUNTERS} are possible"
    for name, value in counters.counters.items():
        yield from _label(name, f"{at}: counter {name!r}")
        yield from _amount(value, f"{at}: counter {name!r}")


def _device(device: Device, at: str, driver: str, sets: Mapping[str, CounterSet]) -> Iterator[str]:
    yield from _label(device.name, f"{at}: name")
    keys = [*device.attributes, *device.capacity]
    yield from _most(keys, limits.MAX_ENTRIES, at, "attributes and capacities")
    for key in keys:
        yield from _key(key, at)
    for kind, names in (("attribute", device.attributes), ("capacity", device.capacity)):
        yield from _spellings(names, f"{at}: {kind}", driver)
    for name, value in device.attributes.items():
        yield from _attribute(value, f"{at}: attribute {name!r}")
    for name, given in device.capacity.items():
        yield from _capacity(given, f"{at}: capacity {name!r}", shared=device.shared)
    yield from _consumptions(device.consumes, at, sets)
    yield from _taints(device.taints, at)
    yield from _conditions(device, at)


def _key(key: str, at: str) -> Iterator[str]:
    domain, slash, name = key.rpartition("/")
    if slash:
        yield from _domain(domain, f"{at}: {key!r}: {domain!r}")
    if len(name) > limits.MAX_IDENTIFIER or validation.identifier(name):
        most = f"of at most {limits.MAX_IDENTIFIER} characters"
        yield f"{at}: {key!r}: {name!r} is no C identifier {most}"


def _spellings(names: Iterable[str], what: str, driver: str) -> Iterator[str]:
    own = f"{driver}/"
    given = set(names)
    for name in sorted(each for each in given if own + each in given):
        yield f"{what} {name!r} is also given as {own + name!r}, and means the same"


def _attribute(value: Attribute, at: str) -> Iterator[str]:
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        if not -_INT64 <= value < _INT64:
            yield f"{at}: {value} has more than 64 bits"
        return
    try:
        encoded = value.encode()
    except UnicodeEncodeError:
        yield f"{at}: {value!r} is no Unicode text"
        return
    yield from _most(encoded, limits.MAX_VALUE_BYTES, at, "bytes")
    if isinstance(value, Version) and validation.semantic_version(value):
        yield f"{at}: {str(value)!r} is no semantic version such as 1.2.3"


def _capacity(given: Capacity | str, at: str, *, shared: bool) -> Iterator[str]:
    capacity = Capacity(given) if isinstance(given, str) else given
    found = list(_amount(capacity.value, at))
    yield from found
    if capacity.policy is None:
        return
    if not shared:
        yield f"{at}: a request policy, which only a shared device can have"
    policy = capacity.policy
    texts = (policy.default, *policy.valid_values, policy.minimum, policy.maximum, policy.step)
    wrong = [each for text in texts if text for each in _amount(text, f"{at}: request policy")]
    yield from wrong
    if not (found or wrong):
        yield from _policy(policy, quantity(capacity.value), f"{at}: request policy")


def _policy(policy: RequestPolicy, value: Fraction, at: str) -> Iterator[str]:
    ranged = bool(policy.minimum or policy.maximum or policy.step)
    if policy.valid_values and ranged:
        yield f"{at}: has valid values and a range, one of them is possible"
    if (policy.valid_values or ranged) and not policy.default:
        yield f"{at}: has no default"
    elif policy.default and quantity(policy.default) > value:
        yield f"{at}: default {policy.default} is above the capacity"
    elif policy.valid_values:
        yield from _valid_values(policy, value, at)
    elif ranged:
        yield from _range(policy, value, at)


def _valid_values(policy: RequestPolicy, value: Fraction, at: str) -> Iterator[str]:
    numbers = [quantity(each) for each in policy.valid_values]
    yield from _most(numbers, limits.MAX_VALID_VALUES, at, "valid values")
    if numbers != sorted(set(numbers)):
        yield f"{at}: valid values are not ascending"
    if max(numbers) > value:
        yield f"{at}: a valid value is above the capacity"
    if quantity(policy.default) not in numbers:
        yield f"{at}: default {policy.default} is none of the valid values"


def _range(policy: RequestPolicy, value: Fraction, at: str) -> Iterator[str]:
    if not policy.minimum:
        yield f"{at}: a range has no minimum"
        return
    low, default = quantity(policy.minimum), quantity(policy.default)
    high = quantity(policy.maximum) if policy.maximum else value
    if not low <= default <= high <= value:
        yield f"{at}: not minimum <= default <= maximum <= capacity"
    if not policy.step:
        return
    step = quantity(policy.step)
    if step <= 0 or low + step > value:
        yield f"{at}: step {policy.step} is not above 0, or minimum and step exceed the capacity"
    elif (default - low) % step or (policy.maximum and (high - low) % step):
        yield f"{at}: default or maximum is no whole number of steps above the minimum"


def _consumptions(
    consumed: Sequence[Consumption], at: str, sets: Mapping[str, CounterSet]
) -> Iterator[str]:
    yield from _most(consumed, limits.MAX_CONSUMED_SETS, f"{at}: consumed", "counter sets")
    yield from _repeated(f"{at}: consumed counter set", [each.counter_set for each in consumed])
    for each in consumed:
        here = f"{at}: counter set {each.counter_set!r}"
        if each.counter_set not in sets:
            yield f"{here} is not one of the pool"
            continue
        if not 1 <= len(each.counters) <= limits.MAX_COUNTERS:
            yield f"{here}: {len(each.counters)} counters, 1 to {limits.MAX_COUNTERS} are possible"
        for name, value in each.counters.items():
            if name not in sets[each.counter_set].counters:
                yield f"{here} has no counter {name!r}"
            yield from _amount(value, f"{here}, counter {name!r}")


def _taints(taints: Sequence[Taint], at: str) -> Iterator[str]:
    yield from _most(taints, limits.MAX_TAINTS, at, "taints")
    for taint in taints:
        if validation.qualified(taint.key):
            yield f"{at}: taint {taint.key!r}: the key is no label name"
        if validation.label_value(taint.value):
            yield f"{at}: taint {taint.key!r}: {taint.value!r} is no label value"
        if taint.time_added is not None and parse_time(taint.time_added) is None:
            at_time = f"time_added {taint.time_added!r}"
            yield f"{at}: taint {taint.key!r}: {at_time} is no time of RFC 3339"


def _conditions(device: Device, at: str) -> Iterator[str]:
    good, bad = device.binding_conditions, device.binding_failure_conditions
    for name, given in (("binding conditions", good), ("binding failure conditions", bad)):
        yield from _most(given, limits.MAX_CONDITIONS, at, name)
        for each in given:
            if validation.qualified(each):
                yield f"{at}: {name}: {each!r} is no label name"
    if bool(good) != bool(bad):
        yield f"{at}: binding conditions and binding failure conditions need each other"
    for each in sorted(set(good) & set(bad)):
        yield f"{at}: {each!r} is a binding condition and a binding failure condition"


def _label(text: str, at: str) -> Iterator[str]:
    if validation.label(text):
        yield f"{at} is no DNS label of at most {validation.LABEL_LENGTH} characters"


def _amount(text: str, at: str) -> Iterator[str]:
    try:
        quantity(text)
    except ValueError as error:
        yield f"{at}: {error}"


def _repeated(what: str, names: Sequence[str]) -> Iterator[str]:
    for name, number in Counter(names).items():
        if number > 1:
            yield f"{what} {name!r} is there {number} times"


def _most(given: Sized, most: int, at: str, what: str) -> Iterator[str]:
    if len(given) > most:
        yield f"{at}: {len(given)} {what}, at most {most} are possible"


def _domain(name: str, at: str) -> Iterator[str]:
    if len(name) > limits.MAX_DRIVER_NAME or validation.subdomain(name.lower()):
        yield f"{at} is no DNS subdomain of at most {limits.MAX_DRIVER_NAME} characters"
