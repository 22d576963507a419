"""Tables of cases, each row beside its name."""

from collections.abc import Mapping

import pytest


def cases(names: str | tuple[str, ...], rows: Mapping[str, object]) -> pytest.MarkDecorator:
    """Return the mark that runs a test once for each row; its key is the id of the case."""
    return pytest.mark.parametrize(names, [*rows.values()], ids=[*rows])
