"""Errors of the benchmark.

DriverError
└─ BenchError             every error of this package
   ├─ NotStarted          a program under test, or the API server, did not come up
   └─ NotSeen             the driver did not do in time what was asked of it
"""

from api.errors import DriverError


class BenchError(DriverError):
    """The benchmark cannot go on."""


class NotStarted(BenchError):
    """A program did not come up; the message says where its log is."""


class NotSeen(BenchError):
    """The driver under test did not answer in time."""
