import logging
from collections.abc import Iterator

import pytest

from ops import logs


@pytest.fixture
def kept_logging() -> Iterator[None]:
    """Give the process its own handlers and levels back after a test of `configure`."""
    loggers = [logging.getLogger(), *map(logging.getLogger, logs._LIBRARIES)]
    before = [(log, log.handlers[:], log.level, log.propagate) for log in loggers]
    yield
    for log, handlers, level, propagate in before:
        log.handlers[:] = handlers
        log.setLevel(level)
        log.propagate = propagate
