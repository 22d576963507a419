"""Removes the sockets of instances that were killed: no successor has their names.

A restarted plugin replaces its sockets, but in a rolling update each instance has its own. The
kubelet would dial what a killed one left for ever. Called by the composition root before it serves.
"""

import socket
from collections.abc import Callable
from pathlib import Path

from api.contract import Contract
from dra.places import INSTANCE_SOCKET, Places, registration_names


def remove_abandoned(
    places: Places, contract: Contract, report: Callable[[Path], None] = lambda _: None
) -> None:
    """Remove what nobody serves any more; the registration goes first, so that a retry finds it.

    Args:
        places: of the instance that starts.
        contract: of the driver.
        report: told of each socket that was removed.
    """
    for plugin_socket in sorted(places.directory.path.glob(INSTANCE_SOCKET)):
        instance = plugin_socket.stem.removeprefix("dra-")
        registrations = (
            places.registrar.path / name for name in registration_names(contract, instance)
        )
        for path in (*registrations, plugin_socket):
            if _abandoned(path):
                path.unlink(missing_ok=True)
                report(path)


def _abandoned(path: Path) -> bool:
    """Tell whether this is a socket without a server; one that starts listens from the first."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.setblocking(False)
        try:
            caller.connect(str(path))
        except ConnectionRefusedError:
            return path.is_socket()
        except OSError:
            return False
    return False
