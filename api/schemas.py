"""What the marshmallow schemas of the boundary have in common."""

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import ValidationError


def describe_errors(error: ValidationError, root: str = "") -> str:
    """Return marshmallow's nested messages as one line.

    Args:
        error: what a schema raised.
        root: path that the schema's document has in its object, e.g. `spec`.

    Returns:
        `spec.count: Must be …; spec.mdoel: Unknown field.`, in the order of the schema.
    """
    return "; ".join(list_errors(error, root))


def list_errors(error: ValidationError, root: str = "") -> list[str]:
    """Return the same one by one, each with the path of its field."""
    return [f"{path}: {text}" for path, text in _flatten(error.messages, root)]


def _flatten(node: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping):
        for name, inner in node.items():
            here = path if name in ("_schema", "value") else f"{path}.{name}" if path else str(name)
            yield from _flatten(inner, here)
    else:
        yield path or "object", " ".join(str(text) for text in node)
