"""The raw extensions of a ResourceClaim as they were sent, read from its protobuf; pure.

JSON shows them without white space and with some characters escaped, while the API server refuses
whatever would change a byte of those in spec and allocation. Protobuf carries the bytes themselves.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from api.errors import UnknownMessage, UnreadableProtobuf
from api.objects import JSON
from api.protobuf.envelope import decoded
from api.rawjson import Change, Path, RawJson, rewritten

Texts: TypeAlias = Mapping[Path, Sequence[str]]
"""The texts at each path, in order."""

_DATA: Final = ("status", "devices", "*", "data")
_PARAMETERS: Final = ("devices", "config", "*", "opaque", "parameters")
_PATHS: Final[Sequence[Path]] = (
    ("spec", *_PARAMETERS),
    ("status", "allocation", *_PARAMETERS),
    _DATA,
)


def read(data: bytes) -> Texts | None:
    """Return the texts of a claim, None if it is not in protobuf."""
    try:
        claim = decoded(data)
    except (UnreadableProtobuf, UnknownMessage):
        return None
    return {path: _values(claim, path) for path in _PATHS}


def with_texts(claim: JSON, texts: Texts | None) -> JSON:
    """Return a claim whose raw extensions are RawJson, as sent.

    Where that is not known parameters are written as Python's encoder does by default, since the
    API server takes all others in a patch.
    """
    for path in _PATHS:
        values = _values(claim, path)
        found = (texts or {}).get(path, ())
        if len(found) != len(values):
            found = [] if path == _DATA else [json.dumps(value) for value in values]
        if found:
            claim = rewritten(claim, path, _taken(found))
    return claim


def _taken(texts: Sequence[str]) -> Change:
    """Return what puts one text after another in the place of values."""
    left = map(RawJson, texts)
    return lambda _value: next(left)


def _values(claim: JSON, path: Path) -> list[Any]:
    found: list[Any] = []
    rewritten(claim, path, found.append)
    return found
