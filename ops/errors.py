"""Errors of running a program.

DriverError            (api.errors)
└─ ConfigError         a flag, its environment variable or the machine has to change first
"""

from api.errors import DriverError


class ConfigError(DriverError):
    """A program cannot run as configured; the message names the flag, its env and the remedy."""
