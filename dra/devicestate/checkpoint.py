"""The node's own record of prepared claims, which survives the plugin and a reboot.

A JSON file with version and checksum, replaced as a whole. A claim is `preparing` before its driver
changes anything, and `prepared` with its devices and their edits, from which everything else can be
made again. Called by `state` under its lock; a file that cannot be trusted is reported, never
guessed at and never lost.
"""

import contextlib
import hashlib
import itertools
import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.contract import Contract
from api.objects import JSON, ClaimUID
from dra.devicestate import cdi
from dra.devicestate.codec import from_json, to_json
from dra.devicestate.files import Keep, read_regular, remove_temporaries, write_atomically
from dra.devicestate.prepared import Remake, unedited
from dra.driver import PreparedClaim
from dra.errors import (
    CheckpointCorrupt,
    CheckpointWriteFailed,
    DirectoryUnusable,
    InvalidCdiSpec,
    InvalidClaimUid,
)

FILE_NAME: Final = "checkpoint.json"
VERSION: Final = "v2"
FORMER: Final = "v1"
"""Of the releases before drivers had edits; it names devices only."""

PREPARING: Final = "preparing"
PREPARED: Final = "prepared"

_MODE: Final = 0o600


class Checkpoint:
    """The checkpoint file of one plugin directory."""

    def __init__(self, directory: Path, contract: Contract, remake: Remake | None = None) -> None:
        """Keep a file.

        Args:
            directory: that has it; it has to exist.
            contract: of the driver.
            remake: completes claims of a file of the former version, None if there never was one.
        """
        self._path = directory / FILE_NAME
        self._contract = contract
        self._remake = remake
        self._known: tuple[int, ...] = ()
        self._entries: dict[ClaimUID, _Entry] = {}

    @property
    def path(self) -> Path:
        """Where the file is, for messages."""
        return self._path

    def load(self) -> dict[ClaimUID, PreparedClaim]:
        """Return the prepared claims; none if there is no file.

        Raises:
            CheckpointCorrupt: the content is not what this driver wrote; the file is untouched.
            DirectoryUnusable: the file or its directory is not accessible.
        """
        try:
            remove_temporaries(self._path)
        except OSError as error:
            raise self._unreadable(error) from error
        return self.read()

    def read(self) -> dict[ClaimUID, PreparedClaim]:
        """Do the same as `load`, and leave alone what killed writers left behind.

        Raises:
            CheckpointCorrupt: the content is not what this driver wrote; the file is untouched.
            DirectoryUnusable: the file or its directory is not accessible.
        """
        known = self._identity()
        try:
            content = read_regular(self._path)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise self._unreadable(error) from error
        try:
            claims = self._parsed(content)
        except (ValueError, RecursionError) as error:
            raise CheckpointCorrupt(f"{self._path} is malformed: {error}") from error
        _check_usable(self._contract, claims.values(), self._path)
        self._known = known
        return claims

    def changed(self) -> bool:
        """Tell whether there is another file than was read or written last."""
        return self._identity() not in ((), self._known)

    def save(self, claims: Iterable[PreparedClaim], keep: Keep = Keep.NEW) -> None:
        """Replace the file.

        Args:
            claims: all of them.
            keep: what a power cut may leave; not ANYTHING.

        Raises:
            CheckpointWriteFailed: the old file is still there.
        """
        # most claims are those of the last time
        known = self._entries
        self._entries = {
            claim.uid: entry
            if (entry := known.get(claim.uid)) and entry.claim is claim
            else _Entry.of(claim)
            for claim in claims
        }
        content = _document(self._entries.values())
        self._write(self._path, content, keep)
        self._known = self._identity()

    def remove(self) -> None:
        """Remove the file, and its directory if nothing else is in it.

        In a pod the directory is a mount, which stays.

        Raises:
            CheckpointWriteFailed: the file cannot be removed.
        """
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise CheckpointWriteFailed(
                f"checkpoint {self._path} cannot be removed: {error.strerror or error}; make its "
                "directory writable for the plugin"
            ) from error
        with contextlib.suppress(OSError):
            self._path.parent.rmdir()

    def keep_aside(self) -> Path:
        """Copy a corrupt file to `checkpoint.json.corrupt-<n>`, for people to look at.

        A copy and no rename: until the file is replaced by a good one, the next start has to find
        it corrupt again and not missing.

        Raises:
            CheckpointWriteFailed: there is no copy.
        """
        names = (self._path.with_name(f"{FILE_NAME}.corrupt-{n}") for n in itertools.count(1))
        aside = next(name for name in names if not name.exists())
        self._write(aside, read_regular(self._path))
        return aside

    def _parsed(self, content: bytes) -> dict[ClaimUID, PreparedClaim]:
        document = from_json(_Document, json.loads(content), "the file")
        if document.checksum != checksum(document.data):
            raise ValueError("it does not match its checksum")
        if document.version == VERSION:
            return _claims(document.data, _claim)
        if document.version == FORMER and self._remake is not None:
            former = _claims(document.data, _former_claim)
            return {uid: self._remake(claim, None) for uid, claim in former.items()}
        raise ValueError(f"version {document.version!r} is not known")

    def _identity(self) -> tuple[int, ...]:
        """Return what tells a file from one that replaced it, nothing if there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return (found.st_ino, found.st_size, found.st_mtime_ns)

    def _unreadable(self, error: OSError) -> DirectoryUnusable:
        return DirectoryUnusable(
            f"checkpoint {self._path} cannot be read: {error.strerror or error}; make it "
            "accessible to the plugin, or set --kubelet-plugins-directory-path "
            "(KUBELET_PLUGINS_DIRECTORY_PATH) to another directory"
        )

    def _write(self, path: Path, content: bytes, keep: Keep = Keep.NEW) -> None:
        try:
            write_atomically(path, content, mode=_MODE, keep=keep)
        except OSError as error:
            raise CheckpointWriteFailed(
                f"checkpoint {path} cannot be written: {error.strerror or error}; make its "
                "directory writable for the plugin and see that the disk has space"
            ) from error


def render(claims: Iterable[PreparedClaim]) -> bytes:
    """Return the file's content for these claims."""
    return _document([_Entry.of(claim) for claim in claims])


@dataclass(frozen=True, slots=True)
class _Entry:
    """A claim as it stands in the file, and as it is summed up; made once for many files."""

    claim: PreparedClaim
    text: str
    canonical: str

    @classmethod
    def of(cls, claim: PreparedClaim) -> "_Entry":
        entry, uid = _claim_json(claim), json.dumps(claim.uid)
        return cls(claim, f"{uid}: {json.dumps(entry)}", f"{uid}:{_canonical(entry)}")


def _document(entries: Collection[_Entry]) -> bytes:
    ordered = sorted(entries, key=lambda entry: entry.claim.uid)
    digest = _digest(f'{{"claims":{{{",".join(entry.canonical for entry in ordered)}}}}}')
    data = f'{{"claims": {{{", ".join(entry.text for entry in entries)}}}}}'
    return f'{{"version": "{VERSION}", "checksum": "{digest}", "data": {data}}}\n'.encode()


def checksum(data: JSON) -> str:
    """Return the checksum of the file's `data`, which white space and order do not change."""
    return _digest(_canonical(data))


def _canonical(data: JSON) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def _digest(canonical: str) -> str:
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def _check_usable(contract: Contract, claims: Iterable[PreparedClaim], path: Path) -> None:
    """Check that files and published objects can hold claims, else the plugin cannot start."""
    for claim in claims:
        try:
            if claim.devices:
                cdi.check_claim(contract, claim)
            else:
                cdi.claim_file(contract, claim.uid)
        except (InvalidClaimUid, InvalidCdiSpec) as error:
            raise CheckpointCorrupt(f"{path} has a claim that cannot be: {error}") from error


@dataclass(frozen=True, slots=True)
class _Document:
    version: str
    checksum: str
    data: JSON


@dataclass(frozen=True, slots=True)
class _FormerDevice:
    uuid: str
    parentUUID: str | None  # noqa: N815


@dataclass(frozen=True, slots=True)
class _FormerClaim:
    namespace: str
    name: str
    label: str
    devices: tuple[_FormerDevice, ...]


def _claims(
    data: JSON, read: Callable[[ClaimUID, Any], PreparedClaim]
) -> dict[ClaimUID, PreparedClaim]:
    entries = data.get("claims")
    if not isinstance(entries, dict) or len(data) > 1:
        raise ValueError("data must have claims by uid and nothing else")
    return {ClaimUID(uid): read(ClaimUID(uid), entry) for uid, entry in entries.items()}


def _claim_json(claim: PreparedClaim) -> JSON:
    entry: JSON = to_json(claim)
    del entry["uid"]
    return {"state": PREPARED if claim.devices else PREPARING, **entry}


def _claim(uid: ClaimUID, entry: Any) -> PreparedClaim:
    where = f"claim {uid}"
    fields = dict(from_json(dict[str, Any], entry, where))
    state = fields.pop("state", None)
    claim = from_json(PreparedClaim, {**fields, "uid": uid}, where)
    if state != (PREPARED if claim.devices else PREPARING):
        raise ValueError(f"{where} is {state!r} with {len(claim.devices)} devices")
    return claim


def _former_claim(uid: ClaimUID, entry: Any) -> PreparedClaim:
    """Read a claim that names its devices, or children of devices, by their ids alone."""
    found = from_json(_FormerClaim, entry, f"claim {uid}")
    devices = tuple(unedited(device.uuid, device.parentUUID) for device in found.devices)
    if not devices:
        raise ValueError(f"claim {uid} has no devices")
    return PreparedClaim(uid, found.namespace, found.name, found.label, devices)
