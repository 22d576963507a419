"""JSON of any depth, as values that all other code can handle.

The API server takes objects of up to 10,000 levels, e.g. in the opaque parameters of a claim, so
any user can make one. Python's decoder, encoder and comparison end in a RecursionError at some
hundred levels, fewer the deeper the caller stands. So what lies too deep is read as null, and
whoever validates the object says what is wrong with it. Called by transport.py and watch.py.
Source: sigs.k8s.io/json, which sets the API server's limit.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final

LEVELS: Final = 200
"""Kubernetes' own objects have fewer than 30."""

_ONE_KIND: Final = bytes.maketrans(b"{}", b"[]")
_OTHERS: Final = bytes(set(range(256)) - set(b'[]{}"'))
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_OPENING: Final = b"[{"
_CLOSING: Final = b"]}"


def decode_json(
    text: bytes, make: Callable[[list[tuple[str, Any]]], dict[str, Any]] | None = None
) -> Any:
    """Return the value, with null in place of lists and objects below LEVELS levels of them.

    Args:
        text: in UTF-8.
        make: makes an object of its members; by default of several of a name the last one counts.

    Raises:
        ValueError: it is not JSON.
    """
    return json.loads(_cut(text) if _is_deep(text) else text, object_pairs_hook=make)


def _is_deep(text: bytes) -> bool:
    """Tell it without a look at each token, which takes longer than to parse."""
    if text.count(b"{") + text.count(b"[") <= LEVELS:
        return False
    unescaped = text.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in text else text
    quoted = unescaped.translate(_ONE_KIND, _OTHERS).replace(b'""', b"")
    brackets = b"".join(quoted.split(b'"')[::2])
    for _ in range(LEVELS):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def _cut(text: bytes) -> bytes:
    kept, level, start = [], 0, 0
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first in _OPENING:
            level += 1
            if level == LEVELS + 1:
                kept.append(text[start : token.start()] + b"null")
        elif first in _CLOSING:
            level -= 1
            if level == LEVELS:
                start = token.end()
    # what does not end again is no JSON without its end either
    return b"".join([*kept, text[start:]] if level <= LEVELS else kept)
