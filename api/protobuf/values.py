"""The values of a message as JSON, and the other way; pure.

Names are those of the fields. What JSON writes in another way than its message has it, such as
times and quantities, stands in the two tables at the end.
"""

import base64
import json
import operator
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from api.objects import JSON
from api.rawjson import RawJson, encoded
from api.times import parse_time

_INLINED: Final = "inlined"
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


def as_json(message: Message) -> JSON:
    """Return the fields of a message that are set; ValueError if a value is none of JSON."""
    found: JSON = {}
    for field, value in message.ListFields():
        if field.name == _INLINED:
            found.update(as_json(value))
        elif (read := _read(field, value)) is not None:
            found[field.name] = read
    return found


def fill(message: Message, obj: JSON) -> None:
    """Set the fields of a message; those of the object that it has not are left out."""
    field: Any  # of either implementation of protobuf
    for field in message.DESCRIPTOR.fields:
        if field.name == _INLINED:
            fill(getattr(message, field.name), obj)
        elif (value := obj.get(field.name)) is not None:
            _fill_field(message, field, value)


def _read(field: FieldDescriptor, value: Any) -> Any:
    if isinstance(value, MutableMapping):
        return {key: _read(_of_map(field), each) for key, each in value.items()}
    if isinstance(value, MutableSequence):
        return [_read(field, each) for each in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Message):
        return _READ.get(value.DESCRIPTOR.full_name, as_json)(value)
    return value


def _fill_field(message: Message, field: FieldDescriptor, value: Any) -> None:
    holder = getattr(message, field.name)
    if isinstance(holder, MutableMapping):
        for key, each in value.items():
            _put(
                _of_map(field),
                each,
                partial(holder.__getitem__, key),
                partial(operator.setitem, holder, key),
            )
    elif isinstance(holder, MutableSequence):
        add: Any = getattr(holder, "add", None)  # only messages are added
        for each in value:
            _put(field, each, add, holder.append)
    else:
        _put(field, value, lambda: holder, partial(setattr, message, field.name))


def _put(
    field: FieldDescriptor, value: Any, made: Callable[[], Any], keep: Callable[[Any], object]
) -> None:
    """Fill the message that `made` gives, or keep a scalar."""
    if field.message_type is None:
        keep(base64.b64decode(value) if field.type == field.TYPE_BYTES else value)
        return
    message = made()
    message.SetInParent()
    _WRITE.get(field.message_type.full_name, fill)(message, value)


def _of_map(field: FieldDescriptor) -> FieldDescriptor:
    entry: Any = field.message_type
    value: FieldDescriptor = entry.fields_by_name["value"]
    return value


def _moment(time: Any) -> datetime:
    # fromtimestamp takes fewer years, and rounds
    return _EPOCH + timedelta(seconds=time.seconds, microseconds=time.nanos // 1000)


def _read_time(time: Any) -> str | None:
    return f"{_moment(time):%Y-%m-%dT%H:%M:%SZ}" if time.ListFields() else None


def _read_micro_time(time: Any) -> str | None:
    return f"{_moment(time):%Y-%m-%dT%H:%M:%S.%fZ}" if time.ListFields() else None


def _fill_time(time: Any, text: str) -> None:
    """Set a time, which is none if the text is none."""
    if (parsed := parse_time(text)) is not None:
        passed = parsed - _EPOCH
        time.seconds = passed // timedelta(seconds=1)
        time.nanos = passed.microseconds * 1000


def _read_raw(extension: Any) -> RawJson | None:
    return RawJson(extension.raw.decode()) if extension.raw else None


def _fill_raw(extension: Any, value: Any) -> None:
    extension.raw = encoded(value).encode()


def _fill_fields(fields: Any, value: Any) -> None:
    fields.Raw = encoded(value).encode()


def _fill_quantity(quantity: Any, value: object) -> None:
    quantity.string = str(value)


_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "kubernetes.meta.FieldsV1": lambda fields: json.loads(fields.Raw),
    "kubernetes.meta.MicroTime": _read_micro_time,
    "kubernetes.meta.Quantity": operator.attrgetter("string"),
    "kubernetes.meta.RawExtension": _read_raw,
    "kubernetes.meta.Time": _read_time,
}
_WRITE: Final[Mapping[str, Callable[[Any, Any], None]]] = {
    "kubernetes.meta.FieldsV1": _fill_fields,
    "kubernetes.meta.MicroTime": _fill_time,
    "kubernetes.meta.Quantity": _fill_quantity,
    "kubernetes.meta.RawExtension": _fill_raw,
    "kubernetes.meta.Time": _fill_time,
}
