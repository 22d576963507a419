"""Health of devices, as plugins tell it, for the status of pods.

Source: kubernetes pkg/kubelet/cm/dra/healthinfo.go v1.37.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from api.objects import JSON

LEASE_SECONDS: Final = 30.0
"""For which a device is believed to be as it was told, if the plugin says nothing else."""

LONGEST_MESSAGE: Final = 1024
UNKNOWN: Final = "Unknown"

Device: TypeAlias = tuple[str, str]
"""Pool and name."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a device is.

    Attributes:
        state: Healthy, Unhealthy or Unknown.
        message: for people.
        lease: seconds for which that is true.
    """

    state: str = UNKNOWN
    message: str = ""
    lease: float = LEASE_SECONDS

    def as_json(self) -> JSON:
        """Return the fields of a ResourceHealth."""
        return {"health": self.state, **({"message": self.message} if self.message else {})}


class Reports:
    """What one connection to a plugin has told; thread-safe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Know nothing; `clock` is monotonic seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._told: dict[Device, tuple[Health, float]] = {}

    def tell(self, devices: Mapping[Device, Health]) -> bool:
        """Take in a list of devices; tell whether one of them is not as it was.

        A device that is not in it stays as it was until its lease is over.
        """
        now = self._clock()
        with self._lock:
            before = {device: health for device, (health, _) in self._told.items()}
            left = {device: told for device, told in self._told.items() if _holds(*told, now)}
            self._told = left | {device: (health, now) for device, health in devices.items()}
            return before != {device: health for device, (health, _) in self._told.items()}

    def of(self, device: Device) -> Health:
        """Return how a device is."""
        with self._lock:
            health, since = self._told.get(device, (Health(), 0.0))
        return health if _holds(health, since, self._clock()) else Health()


class DeviceHealth:
    """The health of all devices of a node; thread-safe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Know no driver; `clock` is monotonic seconds."""
        self._clock = clock
        self._reports: dict[str, Reports] = {}

    def opened(self, driver: str) -> Reports:
        """Return where a connection puts what it hears; it takes over from an older one."""
        reports = self._reports[driver] = Reports(self._clock)
        return reports

    def closed(self, driver: str, reports: Reports) -> None:
        """Forget what a connection has told, unless another one has taken over."""
        if self._reports.get(driver) is reports:
            self._reports.pop(driver, None)

    def of(self, driver: str, pool: str, device: str) -> Health:
        """Return how a device is; unknown if nobody says."""
        reports = self._reports.get(driver)
        return reports.of((pool, device)) if reports else Health()


def shortened(message: str) -> str:
    """Return a message in the length that is shown."""
    if len(message) <= LONGEST_MESSAGE:
        return message
    return f"{message[: LONGEST_MESSAGE - 3]}..."


def _holds(health: Health, since: float, now: float) -> bool:
    return now - since <= health.lease
