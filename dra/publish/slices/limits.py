"""What ResourceSlices can say: every limit of the API that an inventory has to keep.

Source: kubernetes pkg/apis/resource/validation/validation.go of 1.35 and later, which later ones
only widen. Two rules are ours: an attribute has one spelling, since it is random which of `model`
and `<driver>/model` a selector sees, and a consumed counter has to exist, since the scheduler
otherwise gives out nothing of the pool.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Final

from api.quantities import quantity
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

_LABEL: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(rf"{_LABEL.pattern}(?:\.{_LABEL.pattern})*")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL_VALUE: Final = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_PART: Final = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SEMVER: Final = re.compile(
    r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*)){2}"
    rf"(?:-{_PART}(?:\.{_PART})*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_NAME: Final = 63
_TEXT: Final = 64
_KEY: Final = 32
_KEYS: Final = 32
_POOL: Final = 253
_SETS: Final = 2
_COUNTERS: Final = 32
_TAINTS: Final = 16
_CONDITIONS: Final = 4
_VALUES: Final = 10
_INT64: Final = 2**63


def check(inventory: Inventory, driver: str, node: str) -> None:
    """Refuse an inventory that could not be published as it is.

    Raises:
        LimitExceeded: with each field and its limit.
    """
    problems = tuple(_problems(inventory, driver, node))
    if problems:
        raise LimitExceeded(problems)


def _problems(inventory: Inventory, driver: str, node: str) -> Iterator[str]:
    if not (len(driver) <= _NAME and _SUBDOMAIN.fullmatch(driver.lower())):
        yield f"driver name {driver!r} is no DNS subdomain of at most {_NAME} characters"
    names = [pool.name or node for pool in inventory.pools]
    yield from _repeated("pool", names)
    for pool, name in zip(inventory.pools, names, strict=True):
        yield from _pool(pool, name, driver)


def _pool(pool: Pool, name: str, driver: str) -> Iterator[str]:
    at = f"pool {name}"
    parts = name.split("/")
    if len(name) > _POOL or not all(_SUBDOMAIN.fullmatch(part) for part in parts):
        yield f"{at}: the name is no DNS subdomains, joined by /, of at most {_POOL} characters"
    yield from _repeated(f"{at}: device", [device.name for device in pool.devices])
    yield from _repeated(f"{at}: counter set", [each.name for each in pool.counters])
    for each in pool.counters:
        yield from _counter_set(each, f"{at}, counter set {each.name!r}")
    sets = {each.name: each for each in pool.counters}
    for device in pool.devices:
        yield from _device(device, f"{at}, device {device.name!r}", driver, sets)


def _counter_set(counters: CounterSet, at: str) -> Iterator[str]:
    yield from _label(counters.name, f"{at}: name")
    if not 1 <= len(counters.counters) <= _COUNTERS:
        yield f"{at}: {len(counters.counters)} counters, 1 to {_COUNTERS} are possible"
    for name, value in counters.counters.items():
        yield from _label(name, f"{at}: counter {name!r}")
        yield from _amount(value, f"{at}: counter {name!r}")


def _device(device: Device, at: str, driver: str, sets: Mapping[str, CounterSet]) -> Iterator[str]:
    yield from _label(device.name, f"{at}: name")
    keys = [*device.attributes, *device.capacity]
    if len(keys) > _KEYS:
        yield f"{at}: {len(keys)} attributes and capacities, at most {_KEYS} are possible"
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
    if slash and not (len(domain) <= _NAME and _SUBDOMAIN.fullmatch(domain.lower())):
        yield f"{at}: {key!r}: {domain!r} is no DNS subdomain of at most {_NAME} characters"
    if not (len(name) <= _KEY and _IDENTIFIER.fullmatch(name)):
        yield f"{at}: {key!r}: {name!r} is no C identifier of at most {_KEY} characters"


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
    if len(value.encode()) > _TEXT:
        yield f"{at}: {len(value.encode())} bytes, at most {_TEXT} are possible"
    if isinstance(value, Version) and not _SEMVER.fullmatch(value):
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
    if len(numbers) > _VALUES:
        yield f"{at}: {len(numbers)} valid values, at most {_VALUES} are possible"
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
    if len(consumed) > _SETS:
        yield f"{at}: consumes of {len(consumed)} counter sets, at most {_SETS} are possible"
    yield from _repeated(f"{at}: consumed counter set", [each.counter_set for each in consumed])
    for each in consumed:
        here = f"{at}: counter set {each.counter_set!r}"
        if each.counter_set not in sets:
            yield f"{here} is not one of the pool"
            continue
        if not 1 <= len(each.counters) <= _COUNTERS:
            yield f"{here}: {len(each.counters)} counters, 1 to {_COUNTERS} are possible"
        for name, value in each.counters.items():
            if name not in sets[each.counter_set].counters:
                yield f"{here} has no counter {name!r}"
            yield from _amount(value, f"{here}, counter {name!r}")


def _taints(taints: Sequence[Taint], at: str) -> Iterator[str]:
    if len(taints) > _TAINTS:
        yield f"{at}: {len(taints)} taints, at most {_TAINTS} are possible"
    for taint in taints:
        if not _is_label_name(taint.key):
            yield f"{at}: taint {taint.key!r}: the key is no label name"
        if not (len(taint.value) <= _NAME and _LABEL_VALUE.fullmatch(taint.value)):
            yield f"{at}: taint {taint.key!r}: {taint.value!r} is no label value"


def _conditions(device: Device, at: str) -> Iterator[str]:
    good, bad = device.binding_conditions, device.binding_failure_conditions
    for name, given in (("binding conditions", good), ("binding failure conditions", bad)):
        if len(given) > _CONDITIONS:
            yield f"{at}: {len(given)} {name}, at most {_CONDITIONS} are possible"
        for each in given:
            if not _is_label_name(each):
                yield f"{at}: {name}: {each!r} is no label name"
    if bool(good) != bool(bad):
        yield f"{at}: binding conditions and binding failure conditions need each other"
    for each in sorted(set(good) & set(bad)):
        yield f"{at}: {each!r} is a binding condition and a binding failure condition"


def _is_label_name(text: str) -> bool:
    domain, slash, name = text.rpartition("/")
    if slash and not (len(domain) <= _POOL and _SUBDOMAIN.fullmatch(domain)):
        return False
    return 0 < len(name) <= _NAME and _LABEL_VALUE.fullmatch(name) is not None


def _label(text: str, at: str) -> Iterator[str]:
    if not (len(text) <= _NAME and _LABEL.fullmatch(text)):
        yield f"{at} is no DNS label of at most {_NAME} characters"


def _amount(text: str, at: str) -> Iterator[str]:
    try:
        quantity(text)
    except ValueError as error:
        yield f"{at}: {error}"


def _repeated(what: str, names: Sequence[str]) -> Iterator[str]:
    for name, number in Counter(names).items():
        if number > 1:
            yield f"{what} {name!r} is there {number} times"
