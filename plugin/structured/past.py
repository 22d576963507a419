"""The node's files where the classic kind was before: those of containers that still run stay.

Called by the composition root.
"""

from dataclasses import dataclass
from pathlib import Path

from dra.devicestate.checkpoint import Checkpoint
from dra.devicestate.directory import CdiDirectory
from plugin.fakes import Fakes


@dataclass(frozen=True, slots=True)
class FormerFiles:
    """A dra.structured.Files of the fake driver."""

    fakes: Fakes

    def directory(self, root: Path) -> CdiDirectory:
        """Return the CDI directory; it keeps a common device, which classic containers name."""
        former = self.fakes.directory(root)
        known = former.read_common() is not None
        return former if known else CdiDirectory(root, self.fakes.contract)

    def checkpoint(self, directory: Path) -> Checkpoint:
        """Return the checkpoint, which reads that of the classic kind."""
        return self.fakes.checkpoint(directory)
