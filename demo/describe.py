"""Prints parts of a custom object the way `kubectl describe` does, for machines without kubectl.

Source: k8s.io/kubectl pkg/describe/describe.go, printUnstructuredContent and smartLabelFor; columns
are aligned as Go's text/tabwriter aligns them.
"""

import re
from collections.abc import Iterator

from api.objects import JSON

_ACRONYMS = {"API", "URL", "UID", "OSB", "GUID"}
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|-")
_PADDING = 2

_Line = tuple[str, str | None]
"""A label with its indent, and its value; None for a line that has no value."""


def section(obj: JSON, *path: str) -> str:
    """Return the part of a description under a path of field names, with its headings."""
    inner: object = obj
    for name in path:
        inner = inner.get(name) if isinstance(inner, dict) else None
    headings = [f"{'  ' * level}{label(name)}:" for level, name in enumerate(path)]
    if inner is None:
        return "\n".join(headings[:-1])
    body = _content(inner, len(path)) if isinstance(inner, dict) else _items(inner, len(path))
    return "\n".join([*headings, *_aligned(list(body))])


def label(field: str) -> str:
    """Return a field's name as kubectl shows it: `parentUUID` is `Parent UUID`."""
    if not all(c.isalpha() or c == "-" for c in field):
        return field
    words = _WORDS.findall(field)
    return " ".join(w.upper() if w.upper() in _ACRONYMS else w[:1].upper() + w[1:] for w in words)


def _content(obj: JSON, level: int) -> Iterator[_Line]:
    for field in sorted(obj):
        indent, value = "  " * level, obj[field]
        if isinstance(value, dict):
            yield f"{indent}{label(field)}:", None
            yield from _content(value, level + 1)
        elif isinstance(value, list):
            yield f"{indent}{label(field)}:", None
            yield from _items(value, level + 1)
        else:
            yield f"{indent}{label(field)}:", _scalar(value)


def _items(values: object, level: int) -> Iterator[_Line]:
    for value in values if isinstance(values, list) else []:
        if isinstance(value, dict):
            yield from _content(value, level)
        else:
            yield f"{'  ' * level}{_scalar(value)}", None


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "<nil>" if value is None else str(value)


def _aligned(lines: list[_Line]) -> Iterator[str]:
    """Pad the labels of each run of lines with values to one width."""
    run: list[tuple[str, str]] = []
    for text, value in [*lines, ("", None)]:
        if value is not None:
            run.append((text, value))
            continue
        width = max((len(left) for left, _ in run), default=0) + _PADDING
        yield from (f"{left:<{width}}{right}".rstrip() for left, right in run)
        run = []
        if text:
            yield text
