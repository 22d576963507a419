import pytest

from tests.support.apiserverrig import Rig


@pytest.fixture
def rig() -> Rig:
    """The core of an API server; tests of other parts have a rig of their own."""
    return Rig()
