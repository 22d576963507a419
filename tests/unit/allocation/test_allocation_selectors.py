"""CEL selectors: what Kubernetes says of a device, or that it can't be told."""

import subprocess
import sys

import pytest

from allocation.selectors import Selectors
from api.objects import JSON
from tests.support.allocationworld import DRIVER, device

CARD = device(
    "card",
    attributes={
        "size": 2,
        "model": "A100",
        "healthy": True,
        "firmware": {"version": "1.2.0-rc.1+build"},
        "nodes": {"ints": [0, 1]},
        "other.example.com/size": "two",
    },
    capacity={"memory": "80Gi"},
    allowMultipleAllocations=True,
)
OWN = f'device.attributes["{DRIVER}"]'
MEMORY = f'device.capacity["{DRIVER}"].memory'
SELECTORS = Selectors()

HOLD = [
    f'device.driver == "{DRIVER}"',
    "device.allowMultipleAllocations",
    f"{OWN}.size == 2",
    f"{OWN}.size < 2.5",
    f"{OWN}['size'] in [1, 2]",
    f'"model" in {OWN}',
    f'"firmware" in {OWN}',
    f"has({OWN}.model)",
    f"!has({OWN}.none)",
    "!has(device.attributes['nowhere.example.com'].x)",
    "device.attributes[?'nowhere.example.com'].hasValue()",
    "!('nowhere.example.com' in device.attributes)",
    f"{OWN}.?none.orValue(7) == 7",
    f"cel.bind(a, {OWN}, a.size == 2 && a.healthy)",
    f"{OWN}.exists(name, name == 'size')",
    f"device.attributes.all(domain, domain in ['{DRIVER}', 'other.example.com'])",
    f"{OWN}.model.lowerAscii().startsWith('a1')",
    f"{OWN}.model.matches('^A[0-9]+$')",
    f"{OWN}.none == 1 || {OWN}.healthy",
    f"1 in {OWN}.nodes",
    f"{OWN}.size != device.attributes['other.example.com'].size",
    f"{MEMORY}.compareTo(quantity('80Gi')) == 0",
    f"{MEMORY} == quantity('81920Mi')",
    f"{MEMORY}.isGreaterThan(quantity('1G')) && {MEMORY}.isLessThan(quantity('1T'))",
    f"{MEMORY}.sub(quantity('79Gi')).add(1).asInteger() == 1073741825",
    "sign(quantity('-1')) == -1 && !isQuantity('80GB')",
    "quantity('1500m').asApproximateFloat() == 1.5 && !quantity('1500m').isInteger()",
    f"{OWN}.firmware.isLessThan(semver('1.2.0'))",
    f"{OWN}.firmware == semver('1.2.0-rc.1')",
    f"{OWN}.firmware.isGreaterThan(semver('1.2.0-beta'))",
    f"semver('1.2.0').compareTo({OWN}.firmware) == 1",
    f"has({OWN}.firmware) && {OWN}.firmware.major() == 1",
    f"{OWN}.?firmware.orValue(semver('0.0.0')).minor() == 2",
    f"cel.bind(own, {OWN}, own.firmware != semver('2.0.0') && own.model == 'A100')",
    "semver('1.10.3').major() == 1 && semver('1.10.3').minor() == 10",
    "semver('v01.2', true) == semver('1.2.0') && !isSemver('1.0')",
    "semver('1.0.0-2').compareTo(semver('1.0.0-10')) == -1",
]


@pytest.mark.parametrize("expression", HOLD)
def test_expression_that_holds(expression: str) -> None:
    assert SELECTORS.evaluate(expression, DRIVER, CARD).holds is True


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        (f"{OWN}.none == 1", "no such key: none"),
        ("device.attributes['nowhere.example.com'].x == 1", "no such key: x"),
        (f"{OWN}.model > 1", "No matching overloads found : _>_(string, int64)"),
        (f"{OWN}.model", "CEL result of type string is no bool"),
        ("quantity('80GB').isInteger()", "'80GB' is no quantity"),
        ("semver('1.0').major() == 1", "'1.0': must be a string compatible with semver.org"),
        (f"{OWN}.firmware.isLessThan({MEMORY})", "no such overload: Quantity, not Semver"),
        ("1 / 0 == 1", "divide by zero"),
    ],
    ids=["key", "domain", "types", "no-bool", "quantity", "semver", "mixed", "division"],
)
def test_expression_that_fails(expression: str, error: str) -> None:
    found = SELECTORS.evaluate(expression, DRIVER, CARD)
    assert found.holds is None
    assert found.error.startswith(error)


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        (f"{MEMORY} >= quantity('1Gi')", "found no matching overload for '_>=_'"),
        ("device.driver == 1", "found no matching overload for '_==_'"),
        ("quantity('1') == semver('1.0.0')", "found no matching overload for '_==_'"),
        ("device.nope == 1", "undeclared reference to 'device.nope'"),
        ("math.abs(1) == 1", "undeclared reference to 'math"),
        ("true &&", "Syntax error: mismatched input '<EOF>'"),
        ("device.driver", "must evaluate to bool or the unknown type, not string"),
    ],
    ids=["quantity", "types", "values", "member", "function", "syntax", "no-bool"],
)
def test_expression_that_does_not_compile(expression: str, error: str) -> None:
    found = SELECTORS.evaluate(expression, DRIVER, CARD)
    assert (found.holds, found.invalid) == (None, True)
    assert error in found.error


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("[1, 2].sum() == 3", "it does not compile here: <input>:1:11: undeclared reference"),
        (f"{OWN}.all(key, value, key != '')", "it does not compile here"),
        ("cel.bind(d, device, d.driver == 'x')", "it does not compile here"),
        ("'%d'.format([1]) == '1'", "format() and quote() differ"),
        ("has(device.attributes)", "has() of a member of device"),
        (f"int({OWN}.healthy) == 1", "int() takes a bool here"),
        ("{'a': 1, 'b': 'x'}.a == 1", "whether a map is of one type"),
        (f"{OWN}.size in [1, 'x']", "whether a list is of one type"),
        (f"[{OWN}.size, 1].all(x, x == 1)", "whether a list is of one type"),
        (f"{OWN}.firmware == '1.2.0'", "how it compares the version firmware"),
        (f"{OWN}.firmware in ['1.2.0']", "how it compares the version firmware"),
        (f"{OWN}.exists(k, {OWN}[k] == 1)", "how it compares the version firmware"),
        (f"quantity('1') == {OWN}.size", "how it compares quantities or versions"),
        ("1 > 1.5", "it does not compile here"),
        (
            "[1, 2].exists(c, c == 1) && cel.bind(own, 'a', own == 'a')",
            "what bind() or optMap() name can't be told here",
        ),
        (
            "[1, 2].all(c, c == 2) || optional.of(5).optMap(v, v + 1).orValue(0) == 6",
            "what bind() or optMap() name can't be told here",
        ),
        ("true || double('x') > 1.0", "what is converted at compile time"),
        (
            "[1].all(a, [1].all(b, [1].all(c, [1].all(d, a == d))))",
            "its cost can't be estimated here, and 4 loops may exceed the limit",
        ),
    ],
    ids=[
        "function",
        "two-variables",
        "device",
        "format",
        "has",
        "bool-to-int",
        "map",
        "list",
        "list-of-attributes",
        "version-and-text",
        "version-in-list",
        "computed-key",
        "quantity-and-int",
        "numbers",
        "bind-after-a-loop",
        "opt-map-after-a-loop",
        "conversion",
        "cost",
    ],
)
def test_expression_that_cannot_be_told(expression: str, reason: str) -> None:
    found = SELECTORS.evaluate(expression, DRIVER, CARD)
    assert (found.holds, found.error) == (None, "")
    assert found.unknown.startswith(reason)


def test_attribute_under_both_of_its_names_is_unknown() -> None:
    twice = device("d", attributes={"size": 1, f"{DRIVER}/size": 2})
    found = SELECTORS.evaluate(f"{OWN}.size == 1", DRIVER, twice)
    assert found.unknown == f"{DRIVER}/size is there twice, and which one counts is chance"


@pytest.mark.parametrize(
    ("attribute", "error"),
    [
        ({"version": "1.0"}, "attribute a: parse semantic version: '1.0'"),
        ({}, "attribute a: unsupported attribute value"),
    ],
    ids=["version", "no-value"],
)
def test_attribute_that_cannot_be_read(attribute: JSON, error: str) -> None:
    broken = {"name": "d", "attributes": {"a": attribute}}
    assert SELECTORS.evaluate("true", DRIVER, broken).error.startswith(error)


def test_expression_is_compiled_once() -> None:
    assert SELECTORS.compiled("true") is SELECTORS.compiled("true")


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        (f"{OWN}.size == 1", {"size"}),
        (f"has({OWN}.size) && 'model' in {OWN}", {"size", "model"}),
        (f"cel.bind(a, {OWN}, a.size == 1)", {"size"}),
        (f"{OWN}.exists(name, name == 'size')", None),
        (f"size({OWN}) == 1", None),
        (f"{OWN} == device.attributes['other.example.com']", None),
    ],
    ids=["selected", "in", "bound", "loop", "size", "whole"],
)
def test_attributes_that_an_expression_depends_on(expression: str, names: set[str] | None) -> None:
    found = SELECTORS.compiled(expression).text.names
    known = {"size", "model", "healthy"}
    assert (None if found is None else found & known) == names


PROGRAM = """
import importlib, pkgutil, sys
import dra, drivers, plugin
for package in (dra, drivers, plugin):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
print(sorted(name for name in sys.modules if "cel" in name.split(".")[0].split("_")))
"""


def test_plugins_load_no_cel() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
