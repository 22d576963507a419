"""What the code of a driver raises, as errors that say where; with its traceback in the log."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from api.errors import DriverError
from dra.errors import DriverFailed
from ops.logs import get_logger

_LOG = get_logger("driver")


@contextmanager
def driver_code(method: str, of: object) -> Iterator[None]:
    """Turn what a driver's own code raises, an exit included, into an error of ours.

    Args:
        method: of the driver.
        of: what it is called for.

    Raises:
        DriverFailed: it raised something of its own.
        DriverError: it raised this.
    """
    try:
        yield
    except DriverError:
        raise
    except BaseException as error:
        _LOG.error("Driver failed", method=method, of=of, exc=error)
        raise DriverFailed(f"the driver failed in {method} of {of}: {said(error)}") from error


def said(error: BaseException) -> str:
    """Return kind and text of an error, also of one whose text cannot be had or written."""
    text = "".join(traceback.format_exception_only(error)).strip()
    return text.encode(errors="backslashreplace").decode()
