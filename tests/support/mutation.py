"""Random damage to JSON and to bytes: the same seed does the same damage."""

import copy
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, TypeAlias

from api.objects import JSON

Place: TypeAlias = tuple[Any, Any]
"""A container and the key or index of one of its values."""

TEXTS = (
    "",
    "..",
    "../../../canary/file",
    "/etc/passwd",
    "a/b",
    "a\0b",
    "\n",
    "uid\n",
    "-uid",
    "common",
    "%s%n{0}",
    "[",
    "*",
    "\u202egnp\N{PILE OF POO}",
    "é" * 40,
    "a" * 65536,
    "uid-leaving",
    "Ready",
    "fake",
)
VALUES = (
    None,
    True,
    False,
    0,
    -1,
    1,
    17,
    129,
    2**31,
    2**63,
    10**30,
    1.5,
    1e308,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"a": {"b": []}},
)
_DEEP = 200


def mutated(chance: Random, tree: JSON) -> JSON:
    """Return a copy of an object with one to four things in it changed."""
    changed = copy.deepcopy(tree)
    for _ in range(chance.randint(1, 4)):
        places = list(_places(changed))
        if places:
            chance.choice(_CHANGES)(chance, chance.choice(places))
    return changed


def damaged(chance: Random, content: bytes) -> bytes:
    """Return bytes that are cut, flipped, spliced, or have nothing to do with the given ones."""
    return chance.choice(_DAMAGES)(chance, content)


def text(chance: Random) -> str:
    """Return a text that nobody should send."""
    if chance.random() < 0.7:
        return chance.choice(TEXTS)
    return "".join(chr(_code_point(chance)) for _ in range(chance.randint(1, 20)))


def value(chance: Random) -> Any:
    """Return a value of any type."""
    if chance.random() < 0.05:
        return _deep(chance.randint(1, _DEEP))
    return text(chance) if chance.random() < 0.4 else copy.deepcopy(chance.choice(VALUES))


def _places(tree: Any) -> Iterator[Place]:
    if isinstance(tree, dict | list):
        for key in tree if isinstance(tree, dict) else range(len(tree)):
            yield tree, key
            yield from _places(tree[key])


def _replace(chance: Random, place: Place) -> None:
    place[0][place[1]] = value(chance)


def _remove(_chance: Random, place: Place) -> None:
    del place[0][place[1]]


def _add(chance: Random, place: Place) -> None:
    container, key = place
    if isinstance(container, dict):
        container[text(chance)] = value(chance)
    else:
        container.insert(key, value(chance))


def _repeat(_chance: Random, place: Place) -> None:
    container, key = place
    if isinstance(container, list):
        container.extend(copy.deepcopy(container[key]) for _ in range(3))


def _rename(chance: Random, place: Place) -> None:
    container, key = place
    if isinstance(container, dict):
        container[text(chance)] = container.pop(key)


_CHANGES: tuple[Callable[[Random, Place], None], ...] = (
    _replace,
    _replace,
    _replace,
    _remove,
    _add,
    _repeat,
    _rename,
)


def _deep(levels: int) -> Any:
    tree: Any = 0
    for level in range(levels):
        tree = [tree] if level % 2 else {"a": tree}
    return tree


def _code_point(chance: Random) -> int:
    point = chance.randrange(0x110000)
    return 0x20 if 0xD800 <= point < 0xE000 else point


def _cut(chance: Random, content: bytes) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _flip(chance: Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _splice(chance: Random, content: bytes) -> bytes:
    where = chance.randrange(len(content) + 1)
    middle = content[chance.randrange(len(content) + 1) :][: chance.randint(1, 64)]
    return content[:where] + middle + content[where:]


def _noise(chance: Random, _content: bytes) -> bytes:
    return chance.randbytes(chance.choice((0, 1, 16, 4096)))


def _nested(chance: Random, _content: bytes) -> bytes:
    """Return brackets, as deep as JSON decoders can do without."""
    return chance.choice((b"[", b'{"a":')) * chance.choice((1, 900, 100_000))


_DAMAGES: tuple[Callable[[Random, bytes], bytes], ...] = (
    _cut,
    _flip,
    _flip,
    _flip,
    _splice,
    _noise,
    _nested,
)
