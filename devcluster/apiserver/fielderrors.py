"""Fields that a validation refuses, with the texts and cause reasons of Kubernetes.

Source: k8s.io/apimachinery/pkg/util/validation/field/errors.go.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

WRONG_TYPE: Final = "FieldValueTypeInvalid"
"""Reason of a value whose JSON type is not that of the field."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that a validation refuses.

    Attributes:
        path: as in `spec.claims[0].name`.
        text: what is wrong, without the path, as in `Required value`.
        reason: of the Status cause.
    """

    path: str
    text: str
    reason: str = "FieldValueInvalid"

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


def required(path: str, detail: str = "") -> FieldError:
    """Return the error of a missing field."""
    text = f"Required value: {detail}" if detail else "Required value"
    return FieldError(path, text, "FieldValueRequired")


def bad_value(path: str, value: object, why: str) -> FieldError:
    """Return the error of a field with a wrong value."""
    return FieldError(path, f"Invalid value: {_shown(value)}: {why}", "FieldValueInvalid")


def immutable(path: str, value: object) -> FieldError:
    """Return the error of a field that was changed and may not be."""
    return bad_value(path, value, "field is immutable")


def unsupported(path: str, value: object, choices: Iterable[str]) -> FieldError:
    """Return the error of a value that is none of the choices."""
    listed = ", ".join(f'"{choice}"' for choice in sorted(choices))
    text = f"Unsupported value: {_shown(value)}: supported values: {listed}"
    return FieldError(path, text, "FieldValueNotSupported")


def not_allowed(path: str, why: str) -> FieldError:
    """Return the error of a field that must not be set in this state."""
    return FieldError(path, f"Forbidden: {why}", "FieldValueForbidden")


def duplicate(path: str, value: object) -> FieldError:
    """Return the error of an entry that is there twice."""
    return FieldError(path, f"Duplicate value: {_shown(value)}", "FieldValueDuplicate")


def unknown_reference(path: str, value: object) -> FieldError:
    """Return the error of a name that nothing has."""
    return FieldError(path, f"Not found: {_shown(value)}", "FieldValueNotFound")


def too_many(path: str, count: int, most: int) -> FieldError:
    """Return the error of a list with more than `most` entries."""
    text = f"Too many: {count}: must have at most {most} items"
    return FieldError(path, text, "FieldValueTooMany")


def too_long(path: str, most: int) -> FieldError:
    """Return the error of a text, or of a list of resource.k8s.io, that is longer than `most`."""
    return FieldError(path, f"Too long: may not be longer than {most}", "FieldValueTooLong")


def too_many_bytes(path: str, most: int) -> FieldError:
    """Return the error of a text with more than `most` bytes, in the words of 1.32 and later."""
    return FieldError(path, f"Too long: may not be more than {most} bytes", "FieldValueTooLong")


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
