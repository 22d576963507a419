"""Where a process listens for TCP connections, as the kernel says.

Source: proc(5), /proc/pid/net/tcp and /proc/pid/fd.
"""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_LISTEN = "0A"


def listeners(pid: int) -> set[tuple[str, int]]:
    """Return the addresses and ports that a process listens on, of IPv4 and IPv6."""
    own = set(_sockets(Path(f"/proc/{pid}/fd")))
    return {
        (_address(local.partition(":")[0]), int(local.partition(":")[2], 16))
        for table in ("tcp", "tcp6")
        for local, state, inode in _entries(Path(f"/proc/{pid}/net/{table}"))
        if state == _LISTEN and inode in own
    }


def _sockets(descriptors: Path) -> Iterator[str]:
    for entry in descriptors.iterdir():
        with suppress(FileNotFoundError):
            target = os.readlink(entry)
            if target.startswith("socket:["):
                yield target.removeprefix("socket:[").removesuffix("]")


def _entries(table: Path) -> Iterator[tuple[str, str, str]]:
    for line in table.read_text(encoding="ascii").splitlines()[1:]:
        words = line.split()
        yield words[1], words[3], words[9]


def _address(text: str) -> str:
    """Return an address that the kernel prints in words of 32 bits, of the machine's byte order."""
    words = bytes.fromhex(text)
    packed = struct.pack(f">{len(words) // 4}I", *struct.unpack(f"={len(words) // 4}I", words))
    return socket.inet_ntop(socket.AF_INET6 if len(packed) == 16 else socket.AF_INET, packed)
