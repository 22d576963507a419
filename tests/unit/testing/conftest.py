"""A driver whose program runs on the node of `testing`."""

import threading
from collections.abc import Iterator, Sequence

import pytest

from api.contract import Contract
from api.objects import JSON
from dra.driver import (
    DeviceHealth,
    Edits,
    Mount,
    PreparedClaim,
    PreparedDevice,
    PreparingClaim,
)
from dra.inventory import Device, Inventory
from testing.node import Node


class Lamps:
    """Lends two lamps.

    Attributes:
        calls: method and claim of each call.
        error: of the next calls, if it is not empty.
    """

    contract = Contract("lamp.example.com", "lamp")

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.error = ""
        self.ended = threading.Event()

    def discover(self) -> Inventory:
        return Inventory.of(Device("lamp0"), Device("lamp1"))

    def prepare(self, claim: PreparingClaim) -> Sequence[PreparedDevice]:
        self._called("prepare", claim)
        return [
            PreparedDevice.of(
                r, Edits({"LAMP": r.device}, (Mount(f"/host/{r.device}", "/dev/lamp"),))
            )
            for r in claim.results
        ]

    def unprepare(self, claim: PreparedClaim) -> None:
        self._called("unprepare", claim)

    def health(self) -> Iterator[Sequence[DeviceHealth]]:
        yield [DeviceHealth("", "lamp0", True), DeviceHealth("", "lamp1", None)]
        self.ended.wait(10)

    def _called(self, method: str, claim: PreparingClaim | PreparedClaim) -> None:
        self.calls.append((method, claim.name))
        if self.error:
            raise ValueError(self.error)


@pytest.fixture
def lamps(dra_node: Node) -> Iterator[Lamps]:
    driver = Lamps()
    with dra_node.running(driver):
        yield driver
        driver.ended.set()


@pytest.fixture
def claim(lamps: Lamps, dra_node: Node) -> JSON:
    return dra_node.allocate(Lamps.contract.driver_name, "lamp0")
