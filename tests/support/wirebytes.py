"""Protobuf written by hand, so that tests of a codec have another one to compare with."""

from collections.abc import Sequence

Field = tuple[int, "int | str | bytes | Fields"]
Fields = Sequence[Field]


def message(*fields: Field) -> bytes:
    """Return a message of numbered fields: varints, texts, bytes and messages."""
    return b"".join(_field(number, value) for number, value in fields)


def enveloped(api_version: str, kind: str, *fields: Field) -> bytes:
    """Return an object as Kubernetes sends it."""
    return b"k8s\x00" + message((1, [(1, api_version), (2, kind)]), (2, list(fields)))


def _field(number: int, value: int | str | bytes | Fields) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value % (1 << 64))
    if isinstance(value, str):
        value = value.encode()
    data = value if isinstance(value, bytes) else message(*value)
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
