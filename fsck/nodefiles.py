"""The files of the node that fsck runs on, read and never changed.

The plugin alone writes them, and repairs them within a minute while it runs.
"""

from pathlib import Path

from api.contract import Contract
from api.errors import DriverError
from api.invariants import NodeFiles
from api.objects import NodeName
from dra.devicestate.directory import CdiDirectory
from dra.errors import CheckpointCorrupt
from dra.places import CDI_SETTING, PLUGINS_SETTING
from dra.publish.nas import shown_devices
from plugin.fakes import Fakes, find_node


class WrongPlace(DriverError):
    """The files of the node are not where they were looked for."""


def node_of(contract: Contract, cdi_root: Path, directory: Path, node: str) -> NodeName:
    """Return the node whose files these directories have.

    Args:
        contract: of the driver.
        cdi_root: of the CDI files.
        directory: of the plugin.
        node: what the user says; empty is to be found.

    Raises:
        WrongPlace: they have none, or those of another node.
    """
    prefix = contract.cdi_file_prefix
    if not any(name.startswith(prefix) for name in _names(cdi_root, CDI_SETTING)):
        raise _wrong(cdi_root, f"has no CDI file of this driver, {prefix}…", CDI_SETTING)
    if not _names(directory, PLUGINS_SETTING):
        raise _wrong(directory, "is empty", PLUGINS_SETTING)
    written = find_node(contract, CdiDirectory(cdi_root, contract).read_common())
    if node and written not in ("", node):
        raise WrongPlace(
            f"the CDI files in {cdi_root} are those of node {written}, not of {node}; give "
            f"--node-name {written} (env NODE_NAME), or the directory of {node} with {CDI_SETTING}"
        )
    if not (node or written):
        raise WrongPlace(
            f"the CDI files in {cdi_root} do not tell their node; give --node-name (env NODE_NAME) "
            "as kubectl get nodes shows it"
        )
    return NodeName(node or written)


def read_files(contract: Contract, cdi_root: Path, directory: Path, node: NodeName) -> NodeFiles:
    """Return what the CDI directory and the plugin's own directory hold.

    Raises:
        DirectoryUnusable: the checkpoint cannot be read.
        CdiWriteFailed: the CDI directory cannot be read.
    """
    fakes = Fakes(contract, node)
    try:
        read = fakes.checkpoint(directory).read()
    except CheckpointCorrupt:
        return NodeFiles(checkpoint=None)
    claims = [claim for claim in read.values() if claim.devices]
    found = fakes.directory(cdi_root).compare(claims)
    prepared = {claim.uid: shown_devices(claim) for claim in claims}
    return NodeFiles(prepared, found.missing, found.wrong, found.surplus)


def _names(directory: Path, setting: str) -> list[str]:
    try:
        return [path.name for path in directory.iterdir()]
    except OSError as error:
        raise _wrong(directory, f"cannot be read: {error.strerror or error}", setting) from error


def _wrong(directory: Path, why: str, setting: str) -> WrongPlace:
    return WrongPlace(
        f"{directory} {why}; give the directory that the plugin of this node has with {setting}, "
        "or start the plugin if that is the one"
    )
