"""The kubelet's record of which claims it holds for which pods, on disk.

Written before the first call for a claim and after each answer, so that a restarted kubelet knows
what it has to unprepare, even for pods and claims that are gone meanwhile.
Source: kubernetes pkg/kubelet/cm/dra/state (its file has another layout).
"""

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType

from api.objects import JSON
from devcluster.kubelet.draclient import CdiDevice
from devcluster.kubelet.errors import CheckpointCorrupt
from dra.devicestate.files import Keep, write_atomically

_VERSION = "v1"


@dataclass(frozen=True, slots=True)
class Handle:
    """A driver to call for a claim, and the opaque data that it gets."""

    driver: str
    data: str = ""


@dataclass(frozen=True, slots=True)
class ClaimInfo:
    """A claim that this node has called drivers for, or is about to.

    Attributes:
        pods: uids of the pods on this node that use it.
        devices: what each driver returned.
    """

    namespace: str
    name: str
    uid: str
    handles: tuple[Handle, ...]
    pods: frozenset[str] = frozenset()
    devices: Mapping[str, tuple[CdiDevice, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )


class Checkpoint:
    """One file of held claims."""

    def __init__(self, path: Path) -> None:
        """Use the file at `path`; it need not exist."""
        self._path = path

    def load(self) -> list[ClaimInfo]:
        """Return what the last store wrote, nothing without a file.

        Raises:
            CheckpointCorrupt: not JSON, of another version, or not what was written.
        """
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        try:
            content = json.loads(text)
            if content["version"] != _VERSION:
                raise ValueError(f"version {content['version']!r} is not {_VERSION!r}")
            if content["checksum"] != _checksum(content["claims"]):
                raise ValueError("the checksum does not match")
            return [_claim(entry) for entry in content["claims"]]
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointCorrupt(
                f"checkpoint {self._path} cannot be read: {error}; "
                "remove the file once no pod of this node uses a claim"
            ) from error

    def store(self, claims: Iterable[ClaimInfo]) -> None:
        """Replace the file atomically."""
        entries = [_entry(claim) for claim in claims]
        content = {"version": _VERSION, "claims": entries, "checksum": _checksum(entries)}
        data = json.dumps(content).encode()
        write_atomically(self._path, data, mode=0o600, keep=Keep.NEW)


def _checksum(entries: object) -> int:
    return zlib.crc32(json.dumps(entries, sort_keys=True).encode())


def _entry(claim: ClaimInfo) -> JSON:
    return {
        "namespace": claim.namespace,
        "name": claim.name,
        "uid": claim.uid,
        "handles": [{"driver": h.driver, "data": h.data} for h in claim.handles],
        "pods": sorted(claim.pods),
        "devices": {
            driver: [{**asdict(d), "requests": sorted(d.requests)} for d in devices]
            for driver, devices in claim.devices.items()
        },
    }


def _claim(entry: JSON) -> ClaimInfo:
    return ClaimInfo(
        namespace=entry["namespace"],
        name=entry["name"],
        uid=entry["uid"],
        handles=tuple(Handle(h["driver"], h["data"]) for h in entry["handles"]),
        pods=frozenset(entry["pods"]),
        devices={
            driver: tuple(CdiDevice(**{**d, "requests": frozenset(d["requests"])}) for d in devices)
            for driver, devices in entry["devices"].items()
        },
    )
