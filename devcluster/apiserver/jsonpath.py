"""The JSONPath of printer columns: `.status.conditions[?(@.type=="Ready")].status` and the like.

Understood are fields, also as `['a.b']` and with escaped dots, indices, slices with `*`, and
filters that compare one field with a literal. Anything else is refused when the CRD is written.
Source: k8s.io/client-go/util/jsonpath, as far as additionalPrinterColumns use it.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

Step = Callable[[Any], Iterator[Any]]
"""Takes one value; yields those that it leads to."""

_TOKEN: Final = re.compile(
    r"""\.(?P<field>(?:\\.|[^.\[\]\s])+)
    |\[(?P<index>-?\d+)\]
    |(?P<all>\[\*\])
    |\['(?P<quoted>[^']+)'\]
    |\[\?\(\s*@\.(?P<key>[\w.\-/]+)\s*(?P<operator>==|!=)\s*(?P<literal>"[^"]*"|'[^']*'|[\w.\-]+)\s*\)\]
    """,
    re.VERBOSE,
)


class BadPath(ValueError):
    """The text is no JSONPath of the kind understood here."""


def parse(text: str) -> Callable[[Any], list[Any]]:
    """Return a function from an object to all values at a path.

    Args:
        text: with or without the leading dot and braces.

    Raises:
        BadPath: it cannot be read.
    """
    path = text.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    if not path.startswith((".", "[")):
        path = f".{path}"
    steps = tuple(_steps(path))

    def find(obj: Any) -> list[Any]:
        found = [obj]
        for step in steps:
            found = [inner for value in found for inner in step(value)]
        return found

    return find


def _steps(path: str) -> Iterator[Step]:
    position = 0
    while position < len(path):
        token = _TOKEN.match(path, position)
        if token is None:
            raise BadPath(f"JSONPath {path!r} cannot be read from column {position + 1} on")
        yield _step(token)
        position = token.end()


def _step(token: re.Match[str]) -> Step:
    if token["field"] is not None:
        name = re.sub(r"\\(.)", r"\1", token["field"])
        return _every if name == "*" else _field(name)
    if token["quoted"] is not None:
        return _field(token["quoted"])
    if token["index"] is not None:
        return _index(int(token["index"]))
    return _every if token["all"] else _where(token["key"], token["operator"], token["literal"])


def _field(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _index(index: int) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list) and -len(value) <= index < len(value):
            yield value[index]

    return step


def _every(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _where(key: str, operator: str, literal: str) -> Step:
    find, wanted = parse(key), _literal(literal)

    def step(value: Any) -> Iterator[Any]:
        for item in value if isinstance(value, list) else ():
            found = find(item)
            if found and (found[0] == wanted) == (operator == "=="):
                yield item

    return step


def _literal(text: str) -> Any:
    if text[0] in "\"'":
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        return text
