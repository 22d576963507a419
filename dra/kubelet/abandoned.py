"""Removes the sockets of instances that were killed: no successor has their names.

A restarted plugin replaces its sockets, but in a rolling update each instance has its own. The
kubelet would dial what a killed one left for ever. Called by the composition root before it serves.
"""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from api.contract import Contract
from dra.places import INSTANCE_SOCKET, PLUGIN_SOCKET, Places, registration_names


def remove_abandoned(
    places: Places, contract: Contract, report: Callable[[Path], None] = lambda _: None
) -> None:
    """Remove what nobody serves any more, whichever kind of instance served it.

    Args:
        places: of the instance that starts.
        contract: of the driver.
        report: told of each socket that was removed.
    """
    for path in _sockets(places, contract):
        if _abandoned(path):
            path.unlink(missing_ok=True)
            report(path)


def _sockets(places: Places, contract: Contract) -> Iterator[Path]:
    """Name all sockets of the driver; a registration before the socket that it is found by."""
    registrar, own = places.registrar.path, places.directory.path
    yield registrar / contract.registration_socket
    yield own / PLUGIN_SOCKET
    for plugin_socket in sorted(own.glob(INSTANCE_SOCKET)):
        instance = plugin_socket.stem.removeprefix("dra-")
        yield from (registrar / name for name in registration_names(contract, instance))
        yield plugin_socket


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
