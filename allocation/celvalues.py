"""The values that Kubernetes adds to CEL: quantities and semantic versions.

Both are protobuf messages of one type, since a Python value can't be anything else to the library;
an expression that compares the two is refused when it runs, not when it is compiled.
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

_TYPE: Final = "kubernetes.Value"
_QUANTITY: Final = "quantity"
_SEMVER: Final = "semver"
_MAX_INT: Final = 2**63 - 1
Value: TypeAlias = Any
"""A message of the one type; its text is canonical, so that equal values are equal."""


class Values:
    """Makes the values, and the functions on them, for one environment of CEL."""

    def __init__(self) -> None:
        """Register the type of the values."""
        self.pool = descriptor_pool.DescriptorPool()
        described = descriptor_pb2.FileDescriptorProto(
            name="kubernetes/value.proto", package="kubernetes", syntax="proto3"
        )
        message = described.message_type.add(name="Value")
        for number, name in enumerate((_QUANTITY, _SEMVER), start=1):
            text = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
            message.field.add(name=name, number=number, type=text)
        self.pool.Add(described)
        self._message = message_factory.GetMessageClass(self.pool.FindMessageTypeByName(_TYPE))
        self.type = cel.Type(_TYPE)

    def quantity(self, given: object) -> Value:
        """Return a quantity; ValueError if it is none."""
        return self._of_number(quantity(given))

    def semver(self, text: str, normalize: bool = False) -> Value:
        """Return a semantic version; ValueError if it is none. Builds do not count."""
        text = _normalized(text) if normalize else text
        if wrong := semantic_version(text):
            raise ValueError(f"{text!r}: {wrong}")
        return self._message(semver=text.partition("+")[0])

    def _of_number(self, number: Fraction) -> Value:
        return self._message(quantity=str(number))

    def functions(self) -> list[Any]:
        """Return the declarations of Kubernetes' functions, with what they do."""
        kinds = cel.Type
        one, two = [self.type], [self.type, self.type]
        texts: list[tuple[str, Any, list[Any], Callable[..., Any]]] = [
            ("quantity", self.type, [kinds.STRING], self.quantity),
            ("isQuantity", kinds.BOOL, [kinds.STRING], is_quantity),
            ("sign", kinds.INT, one, lambda value: _sign(_number(value))),
            ("semver", self.type, [kinds.STRING], self.semver),
            ("semver", self.type, [kinds.STRING, kinds.BOOL], self.semver),
            ("isSemver", kinds.BOOL, [kinds.STRING], self._is_semver),
            ("isSemver", kinds.BOOL, [kinds.STRING, kinds.BOOL], self._is_semver),
        ]
        methods: list[tuple[str, Any, list[Any], Callable[..., Any]]] = [
            ("compareTo", kinds.INT, two, _compare),
            ("isGreaterThan", kinds.BOOL, two, lambda one, other: _compare(one, other) > 0),
            ("isLessThan", kinds.BOOL, two, lambda one, other: _compare(one, other) < 0),
            ("isInteger", kinds.BOOL, one, lambda value: _is_integer(_number(value))),
            ("asInteger", kinds.INT, one, lambda value: _integer(_number(value))),
            ("asApproximateFloat", kinds.DOUBLE, one, lambda value: float(_number(value))),
            ("add", self.type, two, self._add),
            ("add", self.type, [self.type, kinds.INT], self._add),
            ("sub", self.type, two, self._sub),
            ("sub", self.type, [self.type, kinds.INT], self._sub),
            ("major", kinds.INT, one, lambda value: _precedence(_version(value))[0]),
            ("minor", kinds.INT, one, lambda value: _precedence(_version(value))[1]),
            ("patch", kinds.INT, one, lambda value: _precedence(_version(value))[2]),
        ]
        return _declared(texts, is_member=False) + _declared(methods, is_member=True)

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


def _declared(
    functions: list[tuple[str, Any, list[Any], Callable[..., Any]]], *, is_member: bool
) -> list[Any]:
    overloads: dict[str, list[Any]] = {}
    for name, returned, parameters, implementation in functions:
        known = overloads.setdefault(name, [])
        overload = cel.Overload(
            f"{name}_{len(known)}", returned, parameters, is_member, implementation
        )
        known.append(overload)
    return [cel.FunctionDecl(name, known) for name, known in overloads.items()]


def _number(value: Value) -> Fraction:
    if not value.quantity:
        raise ValueError("no such overload: not a quantity")
    return _fraction(value.quantity)


@lru_cache(maxsize=1024)
def _fraction(text: str) -> Fraction:
    return Fraction(text)


def _either(value: Value | int) -> Fraction:
    return Fraction(value) if isinstance(value, int) else _number(value)


def _version(value: Value) -> str:
    if not value.semver:
        raise ValueError("no such overload: not a semantic version")
    return str(value.semver)


def _compare(one: Value, other: Value) -> int:
    if one.quantity:
        return _sign(_number(one) - _number(other))
    first, second = _precedence(_version(one)), _precedence(_version(other))
    return (first > second) - (first < second)


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
