"""The terms of a CEL expression that all have to hold, to try each by itself."""

from collections.abc import Iterator
from typing import Final

_OPENING: Final = "([{"
_CLOSING: Final = ")]}"
_QUOTES: Final = ('"""', "'''", '"', "'")


def terms(expression: str) -> tuple[str, ...]:
    """Return what `&&` connects at the top; the whole if something else does, too."""
    found, start, depth = [], 0, 0
    for index, mark in _marks(expression):
        depth += (mark in _OPENING) - (mark in _CLOSING)
        if depth == 0 and mark in ("||", "?"):
            return (expression.strip(),)
        if depth == 0 and mark == "&&":
            found.append(expression[start:index].strip())
            start = index + len(mark)
    return (*found, expression[start:].strip())


def _marks(text: str) -> Iterator[tuple[int, str]]:
    """Yield places of brackets and operators outside of literals."""
    index = 0
    while index < len(text):
        if quote := next((each for each in _QUOTES if text.startswith(each, index)), ""):
            raw = text[max(0, index - 2) : index].lower().endswith(("r", "br", "rb"))
            index = _end(text, index + len(quote), quote, raw=raw)
        elif text[index : index + 2] in ("&&", "||"):
            yield index, text[index : index + 2]
            index += 2
        else:
            if text[index] in f"{_OPENING}{_CLOSING}?":
                yield index, text[index]
            index += 1


def _end(text: str, index: int, quote: str, *, raw: bool) -> int:
    """Return the place behind a literal that began before `index`."""
    while index < len(text) and not text.startswith(quote, index):
        index += 1 if raw or text[index] != "\\" else 2
    return index + len(quote)
