"""Applies the three kinds of patches to an object.

Pure; the caller validates and stores what comes out. `devcluster.apiserver.store` calls `Patch`,
`devcluster.apiserver.views.bodies` makes it from a request.
Source: RFC 7386 (merge patch), RFC 6902 (JSON patch), RFC 6901 (pointers); the strategic merge
patch is in `devcluster.apiserver.strategicmerge`.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from api.objects import JSON
from devcluster.apiserver.errors import BadRequest, Invalid
from devcluster.apiserver.strategicmerge import strategic_merge

MERGE: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"

_MOST_OPERATIONS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Patch:
    """What to change.

    Attributes:
        media_type: MERGE, JSON_PATCH or STRATEGIC.
        body: an object, of a JSON patch a list of operations.
    """

    media_type: str
    body: Any

    def apply(self, kind: str, obj: JSON) -> JSON:
        """Return a changed copy.

        Args:
            kind: of the object; the merge keys of a strategic merge patch depend on it.
            obj: as stored.

        Raises:
            BadRequest: the patch is malformed.
            Invalid: a test fails, or a path of a JSON patch leads nowhere.
        """
        patched = self._patched(kind, copy.deepcopy(obj))
        if not isinstance(patched, dict):
            raise BadRequest("the patch leaves no object")
        return patched

    def _patched(self, kind: str, obj: JSON) -> Any:
        if self.media_type == JSON_PATCH:
            if not isinstance(self.body, list):
                raise BadRequest("a JSON patch is a list of operations")
            return json_patch(obj, self.body)
        if not isinstance(self.body, dict):
            raise BadRequest("the patch is not an object")
        if self.media_type == STRATEGIC:
            return strategic_merge(kind, obj, self.body)
        return merge_patch(obj, self.body)


def merge_patch(target: Any, patch: Any) -> Any:
    """Return `target` with a JSON merge patch: null removes, objects merge, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def json_patch(target: Any, operations: Sequence[Any]) -> Any:
    """Return `target`, which may be changed, after all operations in order.

    Raises:
        BadRequest: an operation is malformed.
        Invalid: a test fails, or a path leads nowhere.
    """
    if len(operations) > _MOST_OPERATIONS:
        raise BadRequest(f"a JSON patch has at most {_MOST_OPERATIONS} operations")
    for operation in operations:
        name = operation.get("op") if isinstance(operation, dict) else None
        apply = _OPERATIONS.get(str(name))
        if apply is None or not isinstance(operation.get("path"), str):
            raise BadRequest(f"not an operation of a JSON patch: {operation}")
        target = apply(target, operation)
    return target


def _add(target: Any, operation: JSON) -> Any:
    return _insert(target, _pointer(operation, "path"), _value(operation))


def _remove(target: Any, operation: JSON) -> Any:
    return _take(target, _pointer(operation, "path"))[0]


def _replace(target: Any, operation: JSON) -> Any:
    path = _pointer(operation, "path")
    if not path:
        return _value(operation)
    _lookup(target, path)
    parent = _lookup(target, path[:-1])
    parent[_index(parent, path) if isinstance(parent, list) else path[-1]] = _value(operation)
    return target


def _test(target: Any, operation: JSON) -> Any:
    path = _pointer(operation, "path")
    if not _same(_lookup(target, path), operation.get("value")):
        raise Invalid(f"testing value {operation['path']} failed: the values differ")
    return target


def _move(target: Any, operation: JSON) -> Any:
    path, origin = _pointer(operation, "path"), _pointer(operation, "from")
    if path[: len(origin)] == origin and path != origin:
        raise Invalid("a value cannot be moved into itself")
    rest, value = _take(target, origin)
    return _insert(rest, path, value)


def _copy(target: Any, operation: JSON) -> Any:
    value = copy.deepcopy(_lookup(target, _pointer(operation, "from")))
    return _insert(target, _pointer(operation, "path"), value)


_OPERATIONS: Final[Mapping[object, Callable[[Any, JSON], Any]]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "test": _test,
    "move": _move,
    "copy": _copy,
}


def _value(operation: JSON) -> Any:
    if "value" not in operation:
        raise BadRequest(f"operation without a value: {operation}")
    return copy.deepcopy(operation["value"])


def _pointer(operation: JSON, key: str) -> list[str]:
    text = operation.get(key)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise BadRequest(f"not a JSON pointer: {text!r}")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _lookup(target: Any, path: Sequence[str]) -> Any:
    found = target
    for depth, part in enumerate(path):
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list):
            found = found[_index(found, path[: depth + 1])]
        else:
            raise _nowhere(path)
    return found


def _insert(target: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    parent = _lookup(target, path[:-1])
    if isinstance(parent, list):
        end = len(parent)
        parent.insert(end if path[-1] == "-" else _index(parent, path, end), value)
    elif isinstance(parent, dict):
        parent[path[-1]] = value
    else:
        raise _nowhere(path)
    return target


def _take(target: Any, path: Sequence[str]) -> tuple[Any, Any]:
    """Return the target without a value, and the value."""
    value = _lookup(target, path)
    if not path:
        return None, value
    parent = _lookup(target, path[:-1])
    del parent[_index(parent, path) if isinstance(parent, list) else path[-1]]
    return target, value


def _index(found: list[Any], path: Sequence[str], last: int | None = None) -> int:
    part = path[-1]
    highest = len(found) - 1 if last is None else last
    plain = part.isascii() and part.isdigit() and (part == "0" or not part.startswith("0"))
    if not plain or len(part) > len(str(highest)) or int(part) > highest:
        raise _nowhere(path)
    return int(part)


def _nowhere(path: Sequence[str]) -> Invalid:
    shown = "/".join(["", *path])
    return Invalid(f"the server rejected our request due to an error in our request: no {shown}")


def _same(left: Any, right: Any) -> bool:
    """Compare as JSON does: true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)
