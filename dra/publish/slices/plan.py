"""From stored slices of a pool and wanted ones to writes that no reader can misunderstand.

A reader takes the slices of the newest generation, and calls the pool complete if they are as many
as they say. So after each write the slices of the newest generation are the wanted ones, or a part
of them that says so by its count:

- where more changes than one slice, all are written with a new generation, and what is left of the
  old one is deleted after that, the oldest first: readers do not look at it any more;
- where slices of the newest generation are only missing, they are added to it;
- where one slice is of other content, or is one too many, that alone is written or deleted.

The Go helper deletes first, so that a pool which shrinks is incomplete for a while; here it never
is. A pool that grows beyond a slice cannot be complete between two writes.
Source: k8s.io/dynamic-resource-allocation resourceslice/resourceslicecontroller.go; pools_*.go.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from api.objects import JSON

_BASE: Final = 58
_INDEX: Final = re.compile(r"(?P<index>[0-9a-f]{5,})-")
_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX: Final = 5


@dataclass(frozen=True, slots=True)
class Identity:
    """What is the same in all slices of a pool.

    Attributes:
        driver: name of it.
        node: name of the Node.
        pool: name of it.
        owner: owner reference of the slices.
    """

    driver: str
    node: str
    pool: str
    owner: JSON


@dataclass(frozen=True, slots=True)
class Create:
    """A slice to be created; `index` is its place in the pool."""

    index: int
    body: JSON


@dataclass(frozen=True, slots=True)
class Update:
    """A slice to be replaced as it was read; `index` is its place in the pool."""

    index: int
    body: JSON


@dataclass(frozen=True, slots=True)
class Delete:
    """A slice to be deleted as it was read."""

    stored: JSON


Write: TypeAlias = Create | Update | Delete
Same: TypeAlias = Callable[[int, JSON], bool]
"""Tells whether a stored slice has the content that is wanted at an index."""


def plan(
    identity: Identity, contents: Sequence[JSON], stored: Sequence[JSON], same: Same
) -> list[Write]:
    """Return the writes, in order, after which exactly the wanted slices are stored.

    Args:
        identity: of the pool.
        contents: of the wanted slices.
        stored: the slices of the pool.
        same: compares.
    """
    newest = max(map(generation_of, stored), default=0)
    matched = _match(identity, contents, stored, same)
    current = {
        index: each
        for index, each in matched.items()
        if generation_of(each) == newest and _is_current(identity, contents, each)
        if same(index, each)
    }
    kept = {_name(each) for each in current.values()}
    wrong = [x for x in stored if generation_of(x) == newest and _name(x) not in kept]
    missing = [index for index in range(len(contents)) if index not in current]
    if not stored or not _in_place(matched, wrong, missing):
        newest, missing = newest + 1, [*range(len(contents))]
    writer = _Writer(identity, contents, newest, {_name(each) for each in stored})
    return [
        *(writer.write(index, matched.get(index)) for index in missing),
        *_superfluous(matched, stored),
    ]


def generation_of(stored: JSON) -> int:
    """Return the generation of the pool that a slice belongs to."""
    return int(stored["spec"]["pool"].get("generation") or 0)


def names(identity: Identity, index: int, salt: int, taken: Collection[str]) -> Mapping[str, str]:
    """Return name and generateName of a new slice.

    The name is what the API server would make of generateName, but it follows from `salt`, so that
    a create whose answer was lost, or that another instance on the node makes as well, gives no
    second slice.
    """
    base = f"{index:05x}-{identity.driver.lower()}-{identity.node}-"[:_BASE]
    attempt = 0
    while (name := base + _suffix(f"{identity.pool} {salt} {index} {attempt}")) in taken:
        attempt += 1
    return {"name": name, "generateName": base}


def _suffix(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "".join(_LETTERS[each % len(_LETTERS)] for each in digest[:_SUFFIX])


def _match(
    identity: Identity, contents: Sequence[JSON], stored: Sequence[JSON], same: Same
) -> dict[int, JSON]:
    """Return for each index the stored slice to go on with: the newest, the equal, by name."""
    found: dict[int, list[JSON]] = {}
    for each in stored:
        index = _index(each)
        if index is None or index >= len(contents):
            continue
        # it cannot be changed
        if each["spec"].get("nodeName") == contents[index].get("nodeName"):
            found.setdefault(index, []).append(each)
    return {
        index: max(
            sorted(several, key=_name),
            key=lambda each, index=index: (  # type: ignore[misc]
                generation_of(each),
                _is_current(identity, contents, each) and same(index, each),
            ),
        )
        for index, several in found.items()
    }


def _index(stored: JSON) -> int | None:
    match = _INDEX.match(_name(stored))
    return int(match["index"], 16) if match else None


def _is_current(identity: Identity, contents: Sequence[JSON], stored: JSON) -> bool:
    owned = identity.owner in (stored["metadata"].get("ownerReferences") or [])
    return owned and stored["spec"]["pool"].get("resourceSliceCount") == len(contents)


def _in_place(matched: Mapping[int, JSON], wrong: Sequence[JSON], missing: Sequence[int]) -> bool:
    """Tell whether readers may see the writes one by one within the newest generation."""
    if not wrong:
        return True
    if len(wrong) > 1:
        return False
    return not missing or (len(missing) == 1 and matched.get(missing[0]) is wrong[0])


def _superfluous(matched: Mapping[int, JSON], stored: Sequence[JSON]) -> Iterator[Write]:
    used = {_name(each) for each in matched.values()}
    for each in sorted(stored, key=lambda each: (generation_of(each), _name(each))):
        if _name(each) not in used:
            yield Delete(each)


@dataclass(frozen=True, slots=True)
class _Writer:
    identity: Identity
    contents: Sequence[JSON]
    generation: int
    taken: Collection[str]

    def write(self, index: int, stored: JSON | None) -> Write:
        spec = self._spec(index)
        if stored is None:
            named = names(self.identity, index, self.generation, self.taken)
            meta = {**named, "ownerReferences": [self.identity.owner]}
            return Create(index, {"metadata": meta, "spec": spec})
        meta = {**stored["metadata"], "ownerReferences": [self.identity.owner]}
        return Update(index, {"metadata": meta, "spec": spec})

    def _spec(self, index: int) -> JSON:
        pool = {
            "name": self.identity.pool,
            "generation": self.generation,
            "resourceSliceCount": len(self.contents),
        }
        return {"driver": self.identity.driver, "pool": pool, **self.contents[index]}


def _name(stored: JSON) -> str:
    return str(stored["metadata"]["name"])
