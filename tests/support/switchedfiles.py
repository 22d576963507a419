"""The file driver with devices whose health is what the Node or a file says."""

from pathlib import Path

from dra.inventory import Inventory
from dra.simulation import Switched, SwitchedHealth, tainted
from drivers.file.driver import FileDriver


class SwitchedFiles(Switched, FileDriver):
    """Lend files as long as they are well.

    Args:
        files: how many files the node offers.
        directory: where they are, on the host and in containers.
        health_file: says how they are, beside the annotations of the Node.
    """

    def __init__(
        self, files: int = 2, directory: Path = Path("/etc/dra"), health_file: Path | None = None
    ) -> None:
        super().__init__(files, directory)
        names = (device.name for device in self._devices)
        self.switched = SwitchedHealth(self.contract.driver_name, names, file=health_file)

    def discover(self) -> Inventory:
        """Return the files, unhealthy ones with their taint."""
        return tainted(super().discover(), self.switched.taints)
