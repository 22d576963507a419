"""The file driver with devices whose health is what the Node or a file says."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dra.driver import DeviceHealth
from dra.inventory import Inventory
from dra.simulation import SwitchedHealth
from drivers.file.driver import FileDriver


class SwitchedFiles(FileDriver):
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
        self._health = SwitchedHealth(self.contract.driver_name, names, file=health_file)

    def discover(self) -> Inventory:
        """Return the files, unhealthy ones with their taint."""
        (pool,) = super().discover().pools
        tainted = (replace(each, taints=self._health.taints(each.name)) for each in pool.devices)
        return Inventory.of(*tainted)

    def node_changed(self, annotations: Mapping[str, str]) -> None:
        """Take in what the Node says."""
        self._health.node_changed(annotations)

    def start(self, publish: Callable[[], None]) -> None:
        """Publish after each change."""
        self._health.start(publish)

    def health(self) -> Iterator[Sequence[DeviceHealth]]:
        """Tell kubelets how the files are."""
        return self._health.health()
