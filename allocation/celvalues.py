"""The values that Kubernetes adds to CEL: quantities and semantic versions.

Both are protobuf messages, since a Python value can't be anything else to the library. It tells
messages from each other when it compiles, but not when it looks for the implementation of a
function: one serves both, and refuses what it can't compare.
Sources: k8s.io/apiserver/pkg/cel/library quantity.go and semverlib.go.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final, TypeAlias

from cel_expr_python import cel
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from api.quantities import is_quantity, quantity
from api.validation import semantic_version

_PACKAGE: Final = "kubernetes"
_QUANTITY: Final = "Quantity"
_SEMVER: Final = "Semver"
_MAX_INT: Final = 2**63 - 1
Value: TypeAlias = Any
"""A message; its text is canonical, so that equal values are equal."""

_Function: TypeAlias = tuple[str, Any, list[Any], Callable[..., Any] | None]
"""Name, what it returns, parameters, and what it does: None if an overload before does it."""


class Values:
    """Makes the values, and the functions on them, for one environment of CEL."""

    def __init__(self) -> None:
        """Register the types of the values."""
        self.pool = descriptor_pool.DescriptorPool()
        described = descriptor_pb2.FileDescriptorProto(
            name="kubernetes/values.proto", package=_PACKAGE, syntax="proto3"
        )
        for name in (_QUANTITY, _SEMVER):
            text = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
            described.message_type.add(name=name).field.add(name="text", number=1, type=text)
        self.pool.Add(described)
        self._quantity, self._semver = map(self._message, (_QUANTITY, _SEMVER))
        self.type = cel.Type(f"{_PACKAGE}.{_QUANTITY}")
        self._version = cel.Type(f"{_PACKAGE}.{_SEMVER}")

    def quantity(self, given: object) -> Value:
        """Return a quantity; ValueError if it is none."""
        return self._of_number(quantity(given))

    def semver(self, text: str, normalize: bool = False) -> Value:
        """Return a semantic version; ValueError if it is none. Builds do not count."""
        text = _normalized(text) if normalize else text
        if wrong := semantic_version(text):
            raise ValueError(f"{text!r}: {wrong}")
        return self._semver(text=text.partition("+")[0])

    def functions(self) -> list[Any]:
        """Return the declarations of Kubernetes' functions, with what they do."""
        kinds, number, version = cel.Type, self.type, self._version
        functions: list[_Function] = [
            ("quantity", number, [kinds.STRING], self.quantity),
            ("isQuantity", kinds.BOOL, [kinds.STRING], is_quantity),
            ("sign", kinds.INT, [number], lambda value: _sign(_number(value))),
            ("semver", version, [kinds.STRING], self.semver),
            ("semver", version, [kinds.STRING, kinds.BOOL], self.semver),
            ("isSemver", kinds.BOOL, [kinds.STRING], self._is_semver),
            ("isSemver", kinds.BOOL, [kinds.STRING, kinds.BOOL], self._is_semver),
        ]
        methods: list[_Function] = [
            ("isInteger", kinds.BOOL, [number], lambda value: _is_integer(_number(value))),
            ("asInteger", kinds.INT, [number], lambda value: _integer(_number(value))),
            ("asApproximateFloat", kinds.DOUBLE, [number], lambda value: float(_number(value))),
            ("add", number, [number, number], self._add),
            ("add", number, [number, kinds.INT], self._add),
            ("sub", number, [number, number], self._sub),
            ("sub", number, [number, kinds.INT], self._sub),
            ("major", kinds.INT, [version], lambda value: _precedence(_text(value, _SEMVER))[0]),
            ("minor", kinds.INT, [version], lambda value: _precedence(_text(value, _SEMVER))[1]),
            ("patch", kinds.INT, [version], lambda value: _precedence(_text(value, _SEMVER))[2]),
        ]
        for name, returned, does in _COMPARING:
            methods.append((name, returned, [number, number], does))
            methods.append((name, returned, [version, version], None))
        return _declared(functions, is_member=False) + _declared(methods, is_member=True)

    def _message(self, name: str) -> Any:
        found = self.pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")
        return message_factory.GetMessageClass(found)

    def _of_number(self, number: Fraction) -> Value:
        return self._quantity(text=str(number))

    def _is_semver(self, text: str, normalize: bool = False) -> bool:
        try:
            self.semver(text, normalize)
        except ValueError:
            return False
        return True

    def _add(self, one: Value, other: Value | int) -> Value:
        return self._of_number(_number(one) + _either(other))

    def _sub(self, one: Value, other: Value | int) -> Value:
        return self._of_number(_number(one) - _either(other))


def _declared(functions: list[_Function], *, is_member: bool) -> list[Any]:
    overloads: dict[str, list[Any]] = {}
    for name, returned, parameters, does in functions:
        known = overloads.setdefault(name, [])
        implemented = {} if does is None else {"impl": does}
        known.append(
            cel.Overload(f"{name}_{len(known)}", returned, parameters, is_member, **implemented)
        )
    return [cel.FunctionDecl(name, known) for name, known in overloads.items()]


def _text(value: Value, kind: str) -> str:
    if value.DESCRIPTOR.name != kind:
        raise ValueError(f"no such overload: {value.DESCRIPTOR.name}, not {kind}")
    return str(value.text)


def _number(value: Value) -> Fraction:
    return _fraction(_text(value, _QUANTITY))


@lru_cache(maxsize=1024)
def _fraction(text: str) -> Fraction:
    return Fraction(text)


def _either(value: Value | int) -> Fraction:
    return Fraction(value) if isinstance(value, int) else _number(value)


def _compare(one: Value, other: Value) -> int:
    if one.DESCRIPTOR.name == _QUANTITY:
        return _sign(_number(one) - _number(other))
    first, second = _precedence(_text(one, _SEMVER)), _precedence(_text(other, _SEMVER))
    return (first > second) - (first < second)


_COMPARING: Final[tuple[tuple[str, Any, Callable[..., Any]], ...]] = (
    ("compareTo", cel.Type.INT, _compare),
    ("isGreaterThan", cel.Type.BOOL, lambda one, other: _compare(one, other) > 0),
    ("isLessThan", cel.Type.BOOL, lambda one, other: _compare(one, other) < 0),
)


def _sign(number: Fraction) -> int:
    return (number > 0) - (number < 0)


def _is_integer(number: Fraction) -> bool:
    return number.denominator == 1 and abs(number) <= _MAX_INT


def _integer(number: Fraction) -> int:
    if not _is_integer(number):
        raise ValueError("cannot convert value to integer")
    return int(number)


def _precedence(version: str) -> tuple[int, int, int, tuple[tuple[int, int, str], ...]]:
    """Return what versions are ordered by; one without a pre-release comes after those with."""
    core, dash, release = version.partition("-")
    major, minor, patch = map(int, core.split("."))
    parts = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in release.split("."))
    return major, minor, patch, parts if dash else ((2, 0, ""),)


def _normalized(text: str) -> str:
    parts = [_without_zeros(part) for part in text.removeprefix("v").split(".", 2)]
    if len(parts) < 3 and set(parts[-1]) & {"+", "-"}:
        raise ValueError("short version cannot contain PreRelease/Build meta data")
    return ".".join([*parts, "0", "0"][: max(3, len(parts))])


def _without_zeros(part: str) -> str:
    if len(part) < 2:
        return part
    stripped = part.lstrip("0")
    return stripped if stripped[:1].isdigit() else f"0{stripped}"
