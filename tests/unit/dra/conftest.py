from pathlib import Path

import pytest

from tests.support.pluginrig import PluginRig


@pytest.fixture
def rig(short_path: Path) -> PluginRig:
    return PluginRig(short_path)
