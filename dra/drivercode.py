"""What the code of a driver raises and returns, as errors that say where and what.

What it raised is in the log with its traceback.
"""

import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from api.errors import DriverError
from api.objects import JSON
from dra.driver import PreparedClaim, PreparedDevice, Result, Validates
from dra.errors import DriverFailed, WrongDevices
from ops.logs import get_logger

DeviceKey: TypeAlias = tuple[str, str, str | None]
"""Pool, device and share."""

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


def complaints(driver: Validates, parameters: JSON, of: object) -> list[str]:
    """Return what a driver has against parameters, each with the path of its field.

    Args:
        driver: whose parameters they are.
        parameters: as the user wrote them.
        of: what has them.

    Raises:
        DriverError: its code failed.
    """
    with driver_code("validate", of):
        return [f"{each}" for each in driver.validate(parameters)]


def said(error: BaseException) -> str:
    """Return kind and text of an error, also of one whose text cannot be had or written."""
    text = "".join(traceback.format_exception_only(error)).strip()
    return text.encode(errors="backslashreplace").decode()


def listed(returned: object, claim: PreparedClaim) -> tuple[PreparedDevice, ...]:
    """Return what a driver returned from `prepare`.

    Raises:
        WrongDevices: it is no sequence of prepared devices.
    """
    found = tuple(returned) if isinstance(returned, Iterable) else ()
    wrong = {type(each).__name__ for each in found if not isinstance(each, PreparedDevice)}
    if isinstance(returned, Iterable) and not wrong:
        return found
    what = " and ".join(sorted(wrong)) or type(returned).__name__
    raise WrongDevices(
        f"the driver returned {what} from prepare of {claim}: it has to return a PreparedDevice "
        "for each of claim.results"
    )


def check_devices(claim: PreparedClaim) -> None:
    """Check that a driver prepared each device that was allocated, and no other.

    Raises:
        WrongDevices: naming claim and devices.
    """
    allocated = allocated_of(claim)
    prepared = {key_of(device) for device in claim.devices}
    if allocated == prepared:
        _check_requests(claim)
        return
    surplus, missing = names_of(prepared - allocated), names_of(allocated - prepared)
    what = " and ".join(
        filter(None, (surplus and f"returned {surplus}", missing and f"left out {missing}"))
    )
    raise WrongDevices(
        f"the driver {what} of {claim}: prepare has to return each device of claim.results"
    )


def _check_requests(claim: PreparedClaim) -> None:
    """Check that containers, which name requests, get what serves these."""
    for device in claim.devices:
        served = {result.request for result in claim.results if key_of(result) == key_of(device)}
        wrong = ", ".join(sorted(set(device.requests) - served))
        if wrong:
            raise WrongDevices(
                f"the driver returned {names_of([key_of(device)])} of {claim} for request {wrong}, "
                f"it was allocated for {', '.join(sorted(served))}; PreparedDevice.of(result, "
                "edits) has the right one"
            )


def allocated_of(claim: PreparedClaim) -> set[DeviceKey]:
    """Return the devices that a claim was given."""
    return {key_of(result) for result in claim.results}


def key_of(device: Result | PreparedDevice) -> DeviceKey:
    """Return what a device is, whatever request it serves and whatever parameters it has."""
    return device.pool, device.device, device.share_id


def names_of(devices: Iterable[DeviceKey]) -> str:
    """Return devices for people."""
    found = sorted(
        f"{pool}/{device}" + (f"/{share}" if share else "") for pool, device, share in devices
    )
    return ", ".join(found)
