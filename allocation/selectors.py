"""CEL selectors: whether an expression holds for a device, as Kubernetes' own environment says it.

What the library can't compile or do, and what can't be said to stay within the limit of cost, is
neither true nor false but unknown, with the reason.
Source: k8s.io/dynamic-resource-allocation cel/compile.go; see docs/adr/0012.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from cel_expr_python import cel
from cel_expr_python.ext import ext_bindings, ext_optional, ext_strings

from allocation.celvalues import Values
from api.objects import JSON

_CACHED: Final = 1024
_STRINGS_VERSION: Final = 2
_MAX_COST: Final = 1_000_000
_MAX_ELEMENTS: Final = 64
"""Of a list or map of a device."""

_LITERAL: Final = re.compile(
    r'(?P<raw>[rR]?)(?:"""(?P<a>.*?)"""|\'\'\'(?P<b>.*?)\'\'\''
    r'|"(?P<c>(?:[^"\\\n]|\\.)*)"|\'(?P<d>(?:[^\'\\\n]|\\.)*)\')|//[^\n]*',
    re.DOTALL,
)
_MACRO: Final = re.compile(r"\.\s*(all|exists|exists_one|existsOne|map|filter|transform\w+)\s*\(")
_TWO_VARIABLES: Final = re.compile(r"\.\s*(?:all|exists\w*|transform\w+)\s*\(\s*\w+\s*,\s*\w+\s*,")
_UNDECLARED: Final = re.compile(r"undeclared reference to '([\w.]+)'")
_ELSEWHERE: Final = re.compile(
    r"(?:cidr|containsCIDR|containsIP|distinct|family|find|findAll|first|flatten|format|includes|"
    r"getEscapedPath|getHost|getHostname|getPort|getQuery|getScheme|ip|isCIDR|isGlobalUnicast|isIP|"
    r"isLinkLocalMulticast|isLinkLocalUnicast|isLoopback|isSorted|isURL|isUnspecified|jsonpatch|"
    r"last|lists|masked|max|min|prefixLength|range|reverse|sets|slice|sort|sortBy|sum|transformList|"
    r"transformMap|transformMapEntry|url|validate)(?:\..*)?|device"
)
"""What Kubernetes has and the library has not; and `device` as a whole, which is missing here."""

_HELD: Final = re.compile(r"\bhas\s*\(\s*device\s*\.\s*\w+\s*\)")
_FORMATTED: Final = re.compile(r"\.\s*format\s*\(|\bstrings\s*\.\s*quote\s*\(")
_DOMAINS: Final = re.compile(r"\bdevice\s*\.\s*(?:attributes|capacity)\b")
_INDEXED: Final = re.compile(r"\s*(?:\[|\.\s*\??\s*(?P<name>\w+)\b(?!\s*\())")


_MAP: Final = (
    r"device\s*\.\s*attributes\s*"
    r'(?:\[\s*\??\s*(?:""|device\s*\.\s*driver)\s*\]|\.\s*\??\s*\w+)'
)
_NAMING: Final = re.compile(
    rf"\bin\s+{_MAP}(?!\s*[.\[])|\b{_MAP}\s*(?:,|\[|\.\s*\??\s*\w+\b(?!\s*\())"
)
_WHOLE: Final = re.compile(r"\bsize\s*\(")
_WORD: Final = re.compile(r"\w+")


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
        problem: why it can't be said of any device whether it holds.
        invalid: whether it is that it does not compile in Kubernetes either.
        domains: what the expression may index attributes and capacity with.
        is_indexed: whether it does nothing else with these; None if it does other things only.
        names: what it says of attributes depends on those named so only; None if on all.
    """

    program: Any
    problem: str = ""
    invalid: bool = False
    domains: frozenset[str] = frozenset()
    is_indexed: bool | None = True
    names: frozenset[str] | None = None


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
        plain = None if found.is_indexed else _evaluated(found.program, data)
        if plain is not None and found.is_indexed is None and not plain.error:
            return plain
        selected = _evaluated(found.program, _with_domains(data, found.domains | {driver}))
        if plain is not None and plain != selected:
            return Selected(unknown="it uses the domains of a device in more than one way")
        return selected

    def _compiled(self, expression: str) -> Compiled:
        bare = _LITERAL.sub('""', expression)
        if problem := _unsupported(bare):
            return Compiled(None, problem)
        try:
            program = self._env.compile(expression)
        except (RuntimeError, ValueError, TypeError) as error:
            text = _first_line(error)
            if _is_invalid(text, bare):
                return Compiled(None, text, invalid=True)
            return Compiled(None, f"it does not compile here: {text}")
        if (returned := program.return_type().name()) not in ("BOOL", "DYN"):
            text = f"must evaluate to bool or the unknown type, not {returned.lower()}"
            return Compiled(None, text, invalid=True)
        uses = [_INDEXED.match(bare, use.end()) for use in _DOMAINS.finditer(bare)]
        selected = {use["name"] for use in uses if use and use["name"]}
        domains = frozenset(selected.union(_texts(expression)))
        indexed = all(uses) if any(uses) else None if uses else True
        return Compiled(
            program, domains=domains, is_indexed=indexed, names=_names(expression, bare)
        )

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


def _unsupported(bare: str) -> str:
    """Return why an expression, its texts left out, can't be taken as Kubernetes takes it."""
    if _HELD.search(bare):
        return "has() of a member of device can't be told here"
    if _FORMATTED.search(bare):
        return "format() and quote() differ from those of Kubernetes"
    elements = max(_MAX_ELEMENTS, bare.count(","))
    loops = len(_MACRO.findall(bare))
    if loops > 1 and elements**loops * (bare.count(".") + 1) > _MAX_COST:
        return f"its cost can't be estimated here, and {loops} loops may exceed the limit"
    return ""


def _is_invalid(problem: str, bare: str) -> bool:
    """Tell whether what does not compile here does not compile in Kubernetes either."""
    if _TWO_VARIABLES.search(bare):
        return False
    if undeclared := _UNDECLARED.search(problem):
        return not _ELSEWHERE.fullmatch(undeclared[1])
    return "Syntax error" in problem or "no matching overload for '_" in problem


def _names(expression: str, bare: str) -> frozenset[str] | None:
    maps = len(re.findall(r"\bdevice\s*\.\s*attributes\b", bare))
    if _MACRO.search(bare) or _WHOLE.search(bare) or len(_NAMING.findall(bare)) != maps:
        return None
    return frozenset(_WORD.findall(expression))


def _texts(expression: str) -> Iterator[str]:
    for match in _LITERAL.finditer(expression):
        yield from (match[group] for group in "abcd" if match[group] is not None)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].removeprefix("INVALID_ARGUMENT: ERROR: ").strip()
