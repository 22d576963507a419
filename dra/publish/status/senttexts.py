"""The raw extensions of a ResourceClaim as they were sent, read from its protobuf; pure.

JSON shows them without white space and with some characters escaped, while the API server refuses
whatever would change a byte of those in spec and allocation. Protobuf carries the bytes themselves.
Of the messages only the numbers of the fields on the way are known, which never change.
Source: k8s.io/api resource/v1/generated.proto (v1beta1 and v1beta2 have the same numbers);
apimachinery pkg/runtime/generated.proto, Unknown and RawExtension.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from api.objects import JSON
from api.rawjson import Change, Path, RawJson, rewritten

Texts: TypeAlias = Mapping[Path, Sequence[str]]
"""The texts at each path, in order."""

_MAGIC: Final = b"k8s\x00"
_OBJECT: Final = 2
_DATA: Final = ("status", "devices", "*", "data")
_PARAMETERS: Final = ("devices", "config", "*", "opaque", "parameters")
_NUMBERS: Final[Mapping[Path, Sequence[int]]] = {
    ("spec", *_PARAMETERS): (2, 1, 3, 2, 1, 2, 1),
    ("status", "allocation", *_PARAMETERS): (3, 1, 1, 2, 3, 1, 2, 1),
    _DATA: (3, 4, 5, 1),
}


def read(data: bytes) -> Texts | None:
    """Return the texts of a claim, None if it is not in protobuf."""
    if not data.startswith(_MAGIC):
        return None
    try:
        return {
            path: [text.decode() for text in _walk(data[len(_MAGIC) :], (_OBJECT, *numbers))]
            for path, numbers in _NUMBERS.items()
        }
    except (DecodeError, UnicodeDecodeError):
        return None


def with_texts(claim: JSON, texts: Texts | None) -> JSON:
    """Return a claim whose raw extensions are RawJson, as sent.

    Where that is not known parameters are written as Python's encoder does by default, since the
    API server takes all others in a patch.
    """
    for path in _NUMBERS:
        values: list[Any] = []
        rewritten(claim, path, values.append)
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


def _walk(message: bytes, numbers: Sequence[int]) -> Iterator[bytes]:
    """Yield the fields at the end of a way of numbers, of every entry of repeated ones."""
    parsed = Empty()
    parsed.ParseFromString(message)
    fields = UnknownFieldSet(parsed)
    for field in (fields[index] for index in range(len(fields))):
        if field.field_number == numbers[0] and isinstance(field.data, bytes):
            if len(numbers) == 1:
                yield field.data
            else:
                yield from _walk(field.data, numbers[1:])
