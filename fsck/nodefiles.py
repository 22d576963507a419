"""The files of the node that fsck runs on, read and never changed.

The plugin alone writes them, and repairs them within a minute while it runs.
"""

from pathlib import Path

from api.invariants import NodeFiles
from api.objects import NodeName
from plugin.cdi_directory import CdiDirectory
from plugin.checkpoint import Checkpoint
from plugin.errors import CheckpointCorrupt


def read_files(cdi_root: Path, directory: Path, node: NodeName) -> NodeFiles:
    """Return what the CDI directory and the plugin's own directory hold.

    Raises:
        DirectoryUnusable: the checkpoint cannot be read.
        CdiWriteFailed: the CDI directory cannot be read.
    """
    try:
        claims = Checkpoint(directory).read()
    except CheckpointCorrupt:
        return NodeFiles(checkpoint=None)
    found = CdiDirectory(cdi_root, node).survey(claims.values())
    prepared = {uid: claim.devices for uid, claim in claims.items()}
    return NodeFiles(prepared, found.missing, found.wrong, found.surplus)
