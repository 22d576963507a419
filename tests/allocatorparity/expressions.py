"""Selectors by chance: what they compare, and how, rarely makes sense."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from allocation.gates import Gates
from api.objects import JSON
from tests.allocatorparity.generator import DOMAIN, NODES, Generator

OWN: Final = "device.attributes[device.driver]"
REFERENCES: Final = (
    f"{OWN}.size",
    f"{OWN}.model",
    f"{OWN}.healthy",
    f"{OWN}.firmware",
    f"{OWN}['size']",
    f"{OWN}.none",
    "device.attributes['other.example.com'].size",
    "device.attributes['nowhere.example.com'].size",
    f"{OWN}.?size.orValue(3)",
    f"{OWN}.?none.orValue('x')",
    "device.driver",
    "device.allowMultipleAllocations",
)
LITERALS: Final = (
    "1",
    "2",
    "0",
    "-1",
    "1u",
    "1.0",
    "1.5",
    "'m1'",
    "'M2'",
    "''",
    "true",
    "false",
    "null",
    "[1, 2]",
    "['m1', 'x']",
    "{'a': 1}",
    "quantity('4Gi')",
    "quantity('1500m')",
    "semver('1.0.0')",
    "semver('2.0.0-rc.1')",
    "b'm1'",
    "duration('1h')",
)
OPERATORS: Final = ("==", "!=", "<", "<=", ">", ">=", "in", "+", "-", "*", "/", "%", "&&", "||")
METHODS: Final = (
    "{}.startsWith('m')",
    "{}.endsWith('2')",
    "{}.contains('1')",
    "{}.matches('^[mM][0-9]$')",
    "{}.lowerAscii() == 'm2'",
    "{}.upperAscii().size() == 2",
    "{}.split('').size() > 1",
    "{}.replace('m', 'M') == 'M1'",
    "{}.substring(1) == '1'",
    "{}.charAt(0) == 'm'",
    "{}.indexOf('1') == 1",
    "{}.trim() == 'm1'",
    "{}.isGreaterThan(semver('1.0.0'))",
    "{}.isLessThan(semver('1.2.0'))",
    "{}.compareTo(semver('1.2.0')) == 0",
    "{}.compareTo(quantity('4Gi')) >= 0",
    "{}.major() == 1",
    "{}.size() == 2",
    "size({}) == 2",
    "int({}) == 1",
    "string({}) == '1'",
    "double({}) > 1.0",
    "type({}) == int",
    "dyn({}) == 1",
    "{}.exists(x, x == 1)",
    "[{}, 1].all(x, x == 1)",
    "[{}].map(x, x == 'm1')[0]",
    "[1, 2].filter(x, x == {}).size() == 1",
    "{} in [1, 'm1', true]",
    "optional.of({}).hasValue()",
    "cel.bind(x, {}, x == x)",
    "has({})",
    "!{}",
    "-{} < 0",
)
MEMORY: Final = "device.capacity[device.driver].memory"
CAPACITIES: Final = (
    f"{MEMORY}.compareTo(quantity('4Gi')) == 0",
    f"{MEMORY} == quantity('8Gi')",
    f"{MEMORY} in [quantity('4Gi'), quantity('8G')]",
    f"{MEMORY}.isGreaterThan(quantity('4Gi'))",
    f"{MEMORY}.isInteger()",
    f"{MEMORY}.asInteger() > 4294967296",
    f"{MEMORY}.asApproximateFloat() > 1.0",
    f"{MEMORY}.sub(quantity('4Gi')).isLessThan(quantity('1'))",
    f"{MEMORY}.add(1).compareTo({MEMORY}) == 1",
    f"sign({MEMORY}) == 1",
    f"has({MEMORY})",
    "device.capacity[device.driver].?cores.hasValue()",
    "'memory' in device.capacity[device.driver]",
    "device.capacity[device.driver].exists(c, c == 'memory')",
    "device.capacity.exists(d, d == device.driver)",
    "device.attributes.size() > 1",
)


def case(random: Random) -> JSON:
    """Return a case of one device, which is chosen by an expression."""
    expression = Expressions(random).expression()
    found = Generator(random).device()
    body = {"deviceClassName": "any", "allocationMode": "ExactCount", "count": 1}
    selectors = [{"cel": {"expression": expression}}]
    request = {"name": "r", "exactly": {**body, "selectors": selectors}}
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": DOMAIN, "pool": pool, "nodeName": NODES[0], "devices": [found]}
    claim = {"metadata": {"name": "c"}, "spec": {"devices": {"requests": [request]}}}
    return {
        "gates": dict(Gates().named),
        "slices": [{"metadata": {"name": "s"}, "spec": spec}],
        "classes": [{"metadata": {"name": "any"}, "spec": {}}],
        "allocated": [],
        "claims": [claim],
    }


@dataclass(frozen=True, slots=True)
class Expressions:
    """Makes expressions, the same for the same seed."""

    random: Random

    def expression(self, depth: int = 2) -> str:
        """Return an expression."""
        kinds: list[Callable[[int], str]] = [self._comparison, self._method, self._capacity]
        if depth:
            kinds += [self._joined, self._joined, self._chosen, self._bound]
        return self.random.choice(kinds)(depth - 1)

    def _value(self) -> str:
        of = REFERENCES if self.random.random() < 0.7 else LITERALS
        return self.random.choice(of)

    def _comparison(self, _: int) -> str:
        operator = self.random.choice(OPERATORS)
        compared = f"{self._value()} {operator} {self._value()}"
        return compared if operator not in ("+", "-", "*", "/", "%") else f"({compared}) == 1"

    def _method(self, _: int) -> str:
        return self.random.choice(METHODS).replace("{}", self._value())

    def _capacity(self, _: int) -> str:
        return self.random.choice(CAPACITIES)

    def _joined(self, depth: int) -> str:
        sign = self.random.choice(("&&", "||"))
        return f"({self.expression(depth)}) {sign} ({self.expression(depth)})"

    def _chosen(self, depth: int) -> str:
        parts = (self.expression(depth) for _ in range(3))
        return "({}) ? ({}) : ({})".format(*parts)

    def _bound(self, depth: int) -> str:
        inner = self.expression(depth).replace(OWN, "own")
        return f"cel.bind(own, {OWN}, {inner})"
