"""CEL selectors: whether an expression holds for a device, as Kubernetes' own environment says it.

What the library can't compile or do, and what can't be said to stay within the limit of cost, is
neither true nor false but unknown, with the reason.
Source: k8s.io/dynamic-resource-allocation cel/compile.go; see docs/adr/0012.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from cel_expr_python import cel
from cel_expr_python.ext import ext_bindings, ext_optional, ext_strings

from allocation.celtext import Text
from allocation.celvalues import Values
from api.objects import JSON

_CACHED: Final = 1024
_STRINGS_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class Selected:
    """What an expression says of a device.

    Attributes:
        holds: None if it can't be said.
        error: why evaluating failed, in Kubernetes as here: the attempt to allocate ends with it.
        invalid: whether the error is that it does not compile.
        unknown: why it can't be said here.
    """

    holds: bool | None = None
    error: str = ""
    invalid: bool = False
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Compiled:
    """An expression that can be evaluated, or why it can't.

    Attributes:
        text: what is seen in it.
        problem: why it can't be said of any device whether it holds.
        invalid: whether it is that it does not compile in Kubernetes either.
    """

    text: Text
    program: Any = None
    problem: str = ""
    invalid: bool = False


class Selectors:
    """Compiles expressions, and evaluates them for devices; what was compiled last is kept."""

    def __init__(self) -> None:
        """Make the environment of CEL that Kubernetes has for devices."""
        self._values = Values()
        kinds, self._compile = cel.Type, lru_cache(_CACHED)(self._compiled)
        within = kinds.Map(kinds.STRING, kinds.DYN)
        self._env = cel.NewEnv(
            descriptor_pool=self._values.pool,
            variables={
                "device.driver": kinds.STRING,
                "device.allowMultipleAllocations": kinds.BOOL,
                "device.attributes": kinds.Map(kinds.STRING, within),
                "device.capacity": kinds.Map(
                    kinds.STRING, kinds.Map(kinds.STRING, self._values.type)
                ),
            },
            extensions=[
                ext_bindings.ExtBindings(),
                ext_optional.ExtOptional(),
                ext_strings.ExtStrings(_STRINGS_VERSION),
            ],
            functions=self._values.functions(),
        )

    def compiled(self, expression: str) -> Compiled:
        """Return an expression compiled."""
        return self._compile(expression)

    def evaluate(self, expression: str, driver: str, device: JSON) -> Selected:
        """Tell whether an expression holds for a device of a driver."""
        found = self._compile(expression)
        if found.invalid:
            return Selected(error=found.problem, invalid=True)
        if found.problem:
            return Selected(unknown=found.problem)
        try:
            data = self._data(driver, device)
        except ValueError as error:
            return Selected(error=str(error))
        except _Ambiguous as error:
            return Selected(unknown=str(error))
        if name := found.text.compares_otherwise(_versions(device)):
            return Selected(unknown=f"how it compares the version {name} can't be told here")
        indexed = found.text.is_indexed
        plain = None if indexed else _evaluated(found.program, data)
        if plain is not None and indexed is None and not plain.error:
            return plain
        selected = _evaluated(found.program, _with_domains(data, found.text.domains | {driver}))
        if plain is not None and plain != selected:
            return Selected(unknown="it uses the domains of a device in more than one way")
        return selected

    def _compiled(self, expression: str) -> Compiled:
        text = Text.of(expression)
        if problem := text.unsupported:
            return Compiled(text, problem=problem)
        try:
            program = self._env.compile(expression)
        except (RuntimeError, ValueError, TypeError) as error:
            told = _first_line(error)
            if text.is_invalid(told):
                return Compiled(text, problem=told, invalid=True)
            return Compiled(text, problem=f"it does not compile here: {told}")
        if (returned := program.return_type().name()) not in ("BOOL", "DYN"):
            told = f"must evaluate to bool or the unknown type, not {returned.lower()}"
            return Compiled(text, problem=told, invalid=True)
        return Compiled(text, program)

    def _data(self, driver: str, device: JSON) -> dict[str, Any]:
        attributes: dict[str, dict[str, Any]] = {}
        for name, attribute in (device.get("attributes") or {}).items():
            _put(attributes, driver, name, self._value(name, attribute))
        capacity: dict[str, dict[str, Any]] = {}
        for name, each in (device.get("capacity") or {}).items():
            _put(capacity, driver, name, self._values.quantity(each["value"]))
        return {
            "device.driver": driver,
            "device.allowMultipleAllocations": bool(device.get("allowMultipleAllocations")),
            "device.attributes": attributes,
            "device.capacity": capacity,
        }

    def _value(self, name: str, attribute: Mapping[str, Any]) -> Any:
        for member in ("ints", "bools", "strings", "int", "bool", "string"):
            if attribute.get(member) is not None:
                return attribute[member]
        try:
            if attribute.get("versions") is not None:
                return [self._values.semver(each) for each in attribute["versions"]]
            if attribute.get("version") is not None:
                return self._values.semver(attribute["version"])
        except ValueError as error:
            raise ValueError(f"attribute {name}: parse semantic version: {error}") from error
        raise ValueError(f"attribute {name}: unsupported attribute value")


class _Ambiguous(Exception):
    """Kubernetes itself decides by chance."""


def _put(found: dict[str, dict[str, Any]], driver: str, name: str, value: Any) -> None:
    domain, slash, identifier = name.partition("/")
    inside = found.setdefault(domain if slash else driver, {})
    key = identifier if slash else domain
    if key in inside and inside[key] != value:
        raise _Ambiguous(f"{driver}/{key} is there twice, and which one counts is chance")
    inside[key] = value


def _versions(device: JSON) -> list[str]:
    attributes = device.get("attributes") or {}
    return [key.rpartition("/")[2] for key, each in attributes.items() if "version" in each]


def _with_domains(data: dict[str, Any], domains: frozenset[str]) -> dict[str, Any]:
    empty: dict[str, dict[str, Any]] = {domain: {} for domain in domains}
    both = ("device.attributes", "device.capacity")
    return {**data, **{variable: {**empty, **data[variable]} for variable in both}}


def _evaluated(program: Any, data: dict[str, Any]) -> Selected:
    try:
        value = program.eval(data=data)
        found = value.plain_value()
    except (RuntimeError, ValueError, TypeError) as error:
        return Selected(unknown=f"it can't be evaluated here: {_first_line(error)}")
    if isinstance(found, bool):
        return Selected(found)
    if value.type().name() != "ERROR":
        return Selected(error=f"CEL result of type {value.type().name().lower()} is no bool")
    return Selected(error=_runtime_error(str(found)))


def _runtime_error(text: str) -> str:
    if key := re.search(r"Key not found in map : \"(.*)\"", text):
        return f"no such key: {key[1]}"
    return text.partition(": ")[2] or text


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].removeprefix("INVALID_ARGUMENT: ERROR: ").strip()
