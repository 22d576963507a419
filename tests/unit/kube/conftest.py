import pytest

from testing.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)
