"""The driver that is measured: devices that are made up, each of which is one variable."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from api.contract import Contract
from dra.driver import Edits, PreparedClaim, PreparedDevice, PreparingClaim
from dra.inventory import Device, Inventory
from dra.run import run


class MadeUp:
    """Give variables to containers.

    Args:
        num_devices: how many devices the node has.
        grow: named pipe that the number of devices is read from, once.
    """

    contract = Contract("bench.dra.example.com", "bench")

    def __init__(self, num_devices: int = 8, grow: str = "") -> None:
        self._count = num_devices
        self._grow = grow

    def discover(self) -> Inventory:
        """Return the devices."""
        numbers = range(self._count)
        return Inventory.of(*(Device(f"device-{number}", {"index": number}) for number in numbers))

    def prepare(self, claim: PreparingClaim) -> Sequence[PreparedDevice]:
        """Return the variables of a claim's devices."""
        return [
            PreparedDevice.of(result, Edits(env={"BENCH_DEVICE": result.device}))
            for result in claim.results
        ]

    def unprepare(self, claim: PreparedClaim) -> None:
        """There is nothing to undo."""

    def start(self, publish: Callable[[], None]) -> None:
        """Wait for another number of devices."""
        if self._grow:
            threading.Thread(target=self._follow, args=(publish,), daemon=True).start()

    def _follow(self, publish: Callable[[], None]) -> None:
        self._count = int(Path(self._grow).read_text(encoding="ascii"))
        publish()


if __name__ == "__main__":
    run(MadeUp)
