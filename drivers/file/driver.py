"""Lends the files /etc/dra/file1, file2, …: a pod that has one finds its own name in it.

The smallest driver that does something to its devices; docs/tutorial.md builds it step by step.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from api.contract import Contract
from dra.driver import Consumer, Edits, Mount, PreparedClaim, PreparedDevice, PreparingClaim, Result
from dra.inventory import Device, Inventory
from dra.run import run


class FileDriver:
    """Lend files: a pod that has one finds its own name in it.

    Args:
        files: how many files the node offers.
        directory: where they are, on the host and in containers.
    """

    contract = Contract("file.dra.example.com", "file")

    def __init__(self, files: int = 1, directory: Path = Path("/etc/dra")) -> None:
        self._devices = [Device(f"file{n}", {"index": n}) for n in range(1, files + 1)]
        self._directory = directory

    def discover(self) -> Inventory:
        """Return one device for each file; missing ones are made."""
        self._directory.mkdir(parents=True, exist_ok=True)
        for device in self._devices:
            (self._directory / device.name).touch()
        return Inventory.of(*self._devices)

    def prepare(self, claim: PreparingClaim) -> Sequence[PreparedDevice]:
        """Write the names of the claim's pods into its files."""
        return [self._lend(result, pods(claim.consumers)) for result in claim.results]

    def unprepare(self, claim: PreparedClaim) -> None:
        """Take the names of the claim's pods out of its files again."""
        gone = pods(claim.consumers)
        for result in claim.results:
            path = self._directory / result.device
            if path.exists():
                write(path, [name for name in read(path) if name not in gone])

    def _lend(self, result: Result, names: Sequence[str]) -> PreparedDevice:
        path = self._directory / result.device
        present = read(path) if path.exists() else []
        write(path, [*present, *(name for name in names if name not in present)])
        mount = Mount(str(path), str(path), ("bind", "ro"))
        return PreparedDevice.of(result, Edits(mounts=(mount,)))


def pods(consumers: Iterable[Consumer]) -> list[str]:
    """Return the names of the pods among the consumers of a claim."""
    return [consumer.name for consumer in consumers if consumer.resource == "pods"]


def read(path: Path) -> list[str]:
    """Return the lines of a file."""
    return path.read_text(encoding="utf-8").splitlines()


def write(path: Path, lines: Iterable[str]) -> None:
    """Replace the lines of a file in place: containers have mounted this very file."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    run(FileDriver)
