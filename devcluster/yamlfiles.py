"""The YAML files that come with this project, read by libyaml where PyYAML has it.

They are large, and every cluster reads them when it starts: libyaml takes a tenth of the time.
"""

from collections.abc import Iterator
from typing import Any, Final

import yaml

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def documents(text: str) -> Iterator[Any]:
    """Yield the documents of a text."""
    return iter(yaml.load_all(text, _LOADER))
