"""Values as JSON and back, by the types that their dataclasses declare.

Empty fields that may be left out are. What is read is exactly what the types say, since values come
from files that others can write to, and from drivers. Called by the checkpoint and the state.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, is_dataclass
from types import NoneType, UnionType
from typing import Any, Final, NewType, TypeVar, Union, get_args, get_origin

T = TypeVar("T")

_PLAIN: Final = frozenset({str, int, bool, NoneType})


def to_json(value: Any) -> Any:
    """Return a value of dataclasses, mappings, tuples and plain values as JSON."""
    if type(value) in _PLAIN:
        return value
    # what `fields` looks up, and much faster, which each call of the kubelet waits for
    known = getattr(type(value), "__dataclass_fields__", None)
    if known is not None:
        found = ((field, getattr(value, name)) for name, field in known.items())
        return {f.name: to_json(v) for f, v in found if v or not _is_default(f, v)}
    if isinstance(value, Mapping):
        return {key: to_json(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(each) for each in value]
    return value


def from_json(kind: type[T], value: Any, where: str = "") -> T:
    """Return the value of a dataclass that `to_json` was given.

    Raises:
        ValueError: with the path of what is not as the types say.
    """
    made: T = _read(kind, value, where)
    return made


def _is_default(field: "Field[Any]", value: Any) -> bool:
    if field.default_factory is not MISSING:
        return bool(value == field.default_factory())
    return field.default is not MISSING and bool(value == field.default)


def _read(kind: Any, value: Any, where: str) -> Any:
    if isinstance(kind, NewType):
        return _read(kind.__supertype__, value, where)
    if is_dataclass(kind):
        return _object(kind, value, where)
    origin, args = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, UnionType):
        rest = next(each for each in args if each is not NoneType)
        return None if value is None else _read(rest, value, where)
    if origin is tuple:
        entries = _of(list, value, where)
        return tuple(_read(args[0], each, f"{where}[{i}]") for i, each in enumerate(entries))
    if origin in (dict, Mapping):
        return {k: _read(args[1], v, f"{where}.{k}") for k, v in _of(dict, value, where).items()}
    return value if kind is Any else _of(kind, value, where)


def _object(kind: Any, value: Any, where: str) -> Any:
    hints = {name: field.type for name, field in kind.__dataclass_fields__.items()}
    entries = _of(dict, value, where)
    unknown = entries.keys() - hints.keys()
    if unknown:
        raise ValueError(f"{where} has unknown fields {', '.join(sorted(map(str, unknown)))}")
    made = {name: _read(hints[name], v, f"{where}.{name}") for name, v in entries.items()}
    try:
        return kind(**made)
    except TypeError as error:
        raise ValueError(f"{where} is incomplete: {error}") from error


def _of(kind: type[T], value: Any, where: str) -> T:
    """Return a value of exactly this type; True is no number."""
    if type(value) is not kind:
        raise ValueError(f"{where} must be {kind.__name__}, is {type(value).__name__}")
    return value
