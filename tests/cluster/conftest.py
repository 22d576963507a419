import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.embedded import Embedded, embedded


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[Embedded]:
    # pytest's own temporary directories make socket paths too long
    with tempfile.TemporaryDirectory(prefix="dra-") as path, embedded(Path(path), nodes=2) as it:
        yield it


@pytest.fixture
def cluster(shared_cluster: Embedded) -> Iterator[Embedded]:
    """A cluster of two nodes on which nothing is allocated, before and after the test."""
    shared_cluster.settled()
    yield shared_cluster
    shared_cluster.settled()
