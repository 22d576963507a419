"""The pytest plugin: fixtures for tests of a driver, there as soon as the package is installed.

Loaded by every pytest of the environment, so that it imports what a fixture needs when it is asked.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from testing.clock import Clock


@pytest.fixture
def dra_clock() -> "Clock":
    """A clock that passes when told to, for whatever takes one as an argument."""
    from testing.clock import Clock

    return Clock()
