"""Errors of explaining: there is nothing to explain, or no way to."""

from api.errors import DriverError


class CannotLook(DriverError):
    """What is to be explained can't be read, or isn't there."""
