"""Between the stored form of an object and that of a version; JSON kept as the text it was sent as.

Pure; `devcluster.apiserver.kinds.Kind` has a Conversion where what is stored is not what is served.
A raw extension, such as the parameters of a driver, is stored as the text that its creator sent and
compared as such, so clients see that an object is unchanged only if they send the same text.
Source: apimachinery pkg/runtime/extension.go.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from api.conversion import converted
from api.objects import JSON
from api.rawjson import Change, Path, RawJson, rewritten
from api.resources import Resource

_DECODER: Final = json.JSONDecoder()
_BLANKS: Final = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class Conversion:
    """How a version is stored.

    Attributes:
        served: the resource in that version.
        stored: the resource in the version that is stored.
        texts: fields that are stored as their text.
    """

    served: Resource
    stored: Resource
    texts: tuple[Path, ...] = ()

    def store(self, obj: JSON) -> JSON:
        """Return a served object in its stored form."""
        return converted(self._with_texts(obj, _text), self.stored)

    def serve(self, obj: JSON, *, as_sent: bool = False) -> JSON:
        """Return a stored object in its served form, its texts as RawJson or what they say."""
        return converted(self._with_texts(obj, RawJson if as_sent else _parsed), self.served)

    def sort(self, obj: JSON) -> JSON:
        """Return a served object whose texts will have their fields in order, as Go's maps have."""
        return self._with_texts(obj, lambda value: json.loads(json.dumps(value, sort_keys=True)))

    def _with_texts(self, obj: JSON, change: Change) -> JSON:
        for path in self.texts:
            obj = rewritten(obj, path, change)
        return obj


def loads(data: bytes, texts: Sequence[Path]) -> Any:
    """Return parsed JSON in which the objects at some paths are RawJson.

    Raises:
        ValueError: it is no JSON.
    """
    parsed = json.loads(data)
    if not texts:
        return parsed
    text = data.decode(json.detect_encoding(data))
    return _kept(text, _skip(text, 0), texts)


def _kept(text: str, at: int, paths: Sequence[Path]) -> Any:
    value, end = _DECODER.raw_decode(text, at)
    if () in paths:
        return RawJson(text[at:end])
    for key, start in _members(text, at) if paths else ():
        inner = [path[1:] for path in paths if path[0] == (key if isinstance(key, str) else "*")]
        if inner and isinstance(value, dict | list):
            value[key] = _kept(text, start, inner)
    return value


def _members(text: str, at: int) -> Iterator[tuple[Any, int]]:
    """Yield name or index, and the beginning, of each value in an object or array of valid JSON."""
    kind, index = text[at], 0
    while kind in "{[":
        at = _skip(text, at + 1)
        if text[at] in "}]":
            return
        key: Any = index
        if kind == "{":
            key, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        yield key, at
        at = _skip(text, _DECODER.raw_decode(text, at)[1])
        index += 1
        if text[at] in "}]":
            return


def _skip(text: str, at: int) -> int:
    match = _BLANKS.match(text, at)
    return match.end() if match else at


def _text(value: Any) -> str:
    if isinstance(value, RawJson):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
