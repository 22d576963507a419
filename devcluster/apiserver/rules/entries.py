"""Lists, sets and maps of resource.k8s.io, checked entry by entry.

Source: kubernetes pkg/apis/resource/validation/validation.go, validateSlice, validateSet,
validateMap: with too many entries no single one is looked at.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from devcluster.apiserver import fielderrors
from devcluster.apiserver.fielderrors import FieldError

Errors: TypeAlias = Iterator[FieldError]
Check: TypeAlias = Callable[[str, Any], Errors]
"""Takes the path of an entry, and the entry."""


def item_errors(path: str, items: Sequence[Any] | None, most: int, check: Check) -> Errors:
    """Return what is wrong with a list."""
    if len(items or ()) > most:
        yield fielderrors.too_many(path, len(items or ()), most)
        return
    for index, item in enumerate(items or ()):
        yield from check(f"{path}[{index}]", item)


def set_errors(
    path: str, items: Sequence[Any] | None, most: int, check: Check, key: str = "name"
) -> Errors:
    """Return what is wrong with a list of which no two entries may be the same.

    Args:
        path: of the list.
        items: of it.
        most: how many it may have.
        check: of each.
        key: field that tells objects apart.
    """
    yield from item_errors(path, items, most, check)
    if len(items or ()) > most:
        return
    seen = set()
    for index, item in enumerate(items or ()):
        value = item.get(key) if isinstance(item, dict) else item
        if value in seen:
            yield fielderrors.duplicate(f"{path}[{index}]", value)
        seen.add(value)


def map_errors(
    path: str, entries: Mapping[str, Any] | None, most: int | None, keys: Check, check: Check
) -> Errors:
    """Return what is wrong with a map: `keys` looks at its keys, `check` at its values."""
    if most is not None and len(entries or ()) > most:
        yield fielderrors.too_many(path, len(entries or ()), most)
        return
    for key, value in (entries or {}).items():
        yield from keys(path, key)
        yield from check(f"{path}[{key}]", value)


def shaped(wrong: Callable[[str], str | None]) -> Check:
    """Return the check of a text, by a function that says what is wrong with it."""

    def check(path: str, text: Any) -> Errors:
        if not text:
            yield fielderrors.required(path)
        elif said := wrong(str(text)):
            yield fielderrors.bad_value(path, text, said)

    return check
