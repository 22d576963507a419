from pathlib import Path

import pytest

from tests.support.pluginrig import PluginRig


@pytest.fixture
def rig(tmp_path: Path) -> PluginRig:
    return PluginRig(tmp_path)
