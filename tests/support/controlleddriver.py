"""A driver that does what a test says, by files in its directory; it writes down what it does.

`prepare` and `unprepare` hold `fail` or `block` as long as they are to; `health` holds what is
told of all devices. Each line of `calls` is `<method> <claim> <begun|done|failed>`.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from api.contract import Contract
from api.objects import JSON
from dra.driver import DeviceHealth, Edits, PreparedClaim, PreparedDevice, PreparingClaim, Result
from dra.inventory import Capacity, Device, Inventory, RequestPolicy

SHARED = "shared"
DEVICES = ("d0", "d1", "d2", "d3", SHARED)
ENV = "CONTROLLED_DEVICES"
_POLL_SECONDS = 0.05


class ControlledDriver:
    """Do what a test says.

    Args:
        directory: of the files.
    """

    contract: ClassVar[Contract] = Contract("controlled.dra.example.com", "controlled")

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def discover(self) -> Inventory:
        """Return the same devices always, one of which may be shared."""
        units = Capacity("4", RequestPolicy(default="1", minimum="1", step="1"))
        shared = Device(SHARED, {"name": SHARED}, {"units": units}, shared=True)
        return Inventory.of(*(Device(name, {"name": name}) for name in DEVICES[:-1]), shared)

    def prepare(self, claim: PreparingClaim) -> Sequence[PreparedDevice]:
        """Set a variable, and show the state of the devices in the claim."""
        self._obey("prepare", claim.name)
        ready = {"type": "Ready", "status": "True", "reason": "Prepared"}
        for result in claim.results:
            claim.publish_status(result, conditions=[ready], data={"claim": claim.name})
        env = {ENV: ",".join(result.device for result in claim.results)}
        return [PreparedDevice.of(result, Edits(env=env)) for result in claim.results]

    def unprepare(self, claim: PreparedClaim) -> None:
        """Do nothing but what the test says."""
        self._obey("unprepare", claim.name)

    def health(self) -> Iterator[Sequence[DeviceHealth]]:
        """Yield what the test says of all devices, after each change."""
        told: str | None = None
        while True:
            said = self._said("health")
            if said != told:
                told = said
                healthy = {"Healthy": True, "Unhealthy": False}.get(said)
                yield [DeviceHealth("", name, healthy, said) for name in DEVICES]
            time.sleep(_POLL_SECONDS)

    def metadata(self, result: Result) -> Mapping[str, JSON]:
        """Return what a slice says of a device."""
        return {"name": {"string": result.device}}

    def _obey(self, method: str, claim: str) -> None:
        self._note(f"{method} {claim} begun")
        self._while(method, "block")
        if self._said(method) == "fail":
            self._note(f"{method} {claim} failed")
            raise RuntimeError(f"{method} is to fail")
        self._note(f"{method} {claim} done")

    def _while(self, method: str, said: str) -> None:
        while self._said(method) == said:
            time.sleep(_POLL_SECONDS)

    def _said(self, about: str) -> str:
        path = self._directory / about
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def _note(self, line: str) -> None:
        with (self._directory / "calls").open("a", encoding="utf-8") as calls:
            calls.write(f"{line}\n")
