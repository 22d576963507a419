"""Whether values are what their dataclasses declare: drivers are run, not always type-checked."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from functools import cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints


def wrong_types(kind: Any, value: object, where: str) -> Iterator[str]:
    """Yield what in a value is not of the declared type, each with its path.

    A list is as good as a tuple.
    """
    if _fits(kind)(value):
        return
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    fitting = next((each for each in kinds if _is(each, value)), None)
    if fitting is None:
        names = " or ".join(_name(each) for each in kinds)
        yield f"{where} is {type(value).__name__}, it must be {names}"
    elif fitting is not Any:
        for part, inner, path in _parts(fitting, value):
            yield from wrong_types(part, inner, f"{where}{path}")


@cache
def _fits(kind: Any) -> Callable[[Any], bool]:
    """Return what tells whether a value is of a type with all of its parts.

    It says nothing of where, so that thousands of devices take some milliseconds.
    """
    args = get_args(kind)
    if kind is Any:
        return lambda _: True
    if get_origin(kind) in (Union, UnionType):
        any_of = [_fits(each) for each in args]
        return lambda value: any(fits(value) for fits in any_of)
    if is_dataclass(kind):
        hints = _hints(cast(type, kind)).items()
        fields = [(attrgetter(name), _fits(hint)) for name, hint in hints]
        return lambda value: _is(kind, value) and all(fits(of(value)) for of, fits in fields)
    if not args:
        return lambda value: isinstance(value, kind)
    parts = [_fits(each) for each in args if each is not ...]
    if get_origin(kind) is tuple:
        return lambda value: _is(kind, value) and all(map(parts[0], value))
    return lambda value: (
        _is(kind, value) and all(map(parts[0], value)) and all(map(parts[1], value.values()))
    )


def _parts(kind: Any, value: Any) -> Iterator[tuple[Any, object, str]]:
    """Yield type, value and path of what a value is made of."""
    args = get_args(kind)
    if is_dataclass(kind):
        for name, hint in _hints(cast(type, kind)).items():
            yield hint, getattr(value, name), f".{name}"
    elif isinstance(value, tuple | list):
        for index, each in enumerate(value):
            yield args[0], each, f"[{index}]"
    elif isinstance(value, Mapping) and args:
        for name, each in value.items():
            yield args[0], name, f": name {name!r}"
            yield args[1], each, f"[{name!r}]"


def _is(kind: Any, value: object) -> bool:
    if kind is Any:
        return True
    origin = get_origin(kind) or kind
    return isinstance(value, tuple | list if origin is tuple else origin)


def _name(kind: Any) -> str:
    if kind is NoneType:
        return "None"
    origin = get_origin(kind) or kind
    return f"tuple of {_name(get_args(kind)[0])}" if origin is tuple else str(origin.__name__)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
