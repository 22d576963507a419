from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fakedriver import short_directory


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory whose path leaves room for the names of sockets."""
    with short_directory() as path:
        yield path
