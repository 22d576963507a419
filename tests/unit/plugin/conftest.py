import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pluginrig import PluginRig


@pytest.fixture
def rig(tmp_path: Path) -> PluginRig:
    return PluginRig(tmp_path)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory whose path leaves room for the names of sockets."""
    with tempfile.TemporaryDirectory(prefix="p") as name:
        yield Path(name)
