"""An explanation for programs."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def as_json(found: "DataclassInstance") -> str:
    """Return a dataclass as an indented object."""
    return json.dumps(asdict(found), indent=2)
