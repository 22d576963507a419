"""The node's own record of prepared claims, which survives the plugin and a reboot.

A JSON file with version and checksum, replaced as a whole. Called by `state` under its lock;
a file that cannot be trusted is reported, never guessed at and never lost.
"""

import contextlib
import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, post_load, validate

from api.contract import Contract
from api.devices import PreparedDevice
from api.objects import JSON, ClaimUID, DeviceID
from api.schemas import describe_errors
from dra.devicestate import cdi
from dra.devicestate.files import read_regular, remove_temporaries, write_atomically
from dra.devicestate.prepared import PreparedClaim
from dra.errors import (
    CheckpointCorrupt,
    CheckpointWriteFailed,
    DirectoryUnusable,
    InvalidCdiSpec,
    InvalidClaimUid,
)

FILE_NAME: Final = "checkpoint.json"
VERSION: Final = "v1"

_LONGEST_ID: Final = 128
"""Characters of a device's id, as long as published objects take."""

_MODE: Final = 0o600


class Checkpoint:
    """The checkpoint file of one plugin directory."""

    def __init__(self, directory: Path, contract: Contract) -> None:
        """Keep the file in `directory`, which has to exist."""
        self._path = directory / FILE_NAME
        self._contract = contract

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
        try:
            content = read_regular(self._path)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise self._unreadable(error) from error
        claims = _parse(content, self._path)
        _check_usable(self._contract, claims.values(), self._path)
        return claims

    def save(self, claims: Iterable[PreparedClaim]) -> None:
        """Replace the file.

        Raises:
            CheckpointWriteFailed: the old file is still there.
        """
        self._write(self._path, render(claims))

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

    def _unreadable(self, error: OSError) -> DirectoryUnusable:
        return DirectoryUnusable(
            f"checkpoint {self._path} cannot be read: {error.strerror or error}; make it "
            "accessible to the plugin, or set --kubelet-plugins-directory-path "
            "(KUBELET_PLUGINS_DIRECTORY_PATH) to another directory"
        )

    def _write(self, path: Path, content: bytes) -> None:
        try:
            write_atomically(path, content, mode=_MODE, durable=True)
        except OSError as error:
            raise CheckpointWriteFailed(
                f"checkpoint {path} cannot be written: {error.strerror or error}; make its "
                "directory writable for the plugin and see that the disk has space"
            ) from error


def render(claims: Iterable[PreparedClaim]) -> bytes:
    """Return the file's content for these claims."""
    data = {"claims": {claim.uid: _claim_json(claim) for claim in claims}}
    document = {"version": VERSION, "checksum": checksum(data), "data": data}
    return (json.dumps(document, indent=2) + "\n").encode()


def checksum(data: JSON) -> str:
    """Return the checksum of the file's `data`, which white space and order do not change."""
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def _parse(content: bytes, path: Path) -> dict[ClaimUID, PreparedClaim]:
    try:
        document = _DocumentSchema().load(json.loads(content))
    except ValidationError as error:
        raise CheckpointCorrupt(f"{path} is malformed: {describe_errors(error)}") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointCorrupt(f"{path} is no JSON: {error}") from error
    if document["checksum"] != checksum(document["data"]):
        raise CheckpointCorrupt(f"{path} does not match its checksum")
    try:
        claims = _DataSchema().load(document["data"])["claims"]
    except ValidationError as error:
        raise CheckpointCorrupt(f"{path} is malformed: {describe_errors(error, 'data')}") from error
    return {
        ClaimUID(uid): PreparedClaim(uid=ClaimUID(uid), **claim) for uid, claim in claims.items()
    }


def _check_usable(contract: Contract, claims: Iterable[PreparedClaim], path: Path) -> None:
    """Check that files and published objects can hold claims, else the plugin cannot start."""
    for claim in claims:
        if any(len(device.id) > _LONGEST_ID for device in claim.devices):
            raise CheckpointCorrupt(
                f"{path} has a claim that cannot be: the id of a device of {claim} is too long"
            )
        try:
            cdi.claim_file(contract, claim.uid)
            cdi.validate(cdi.claim_spec(contract, claim))
        except (InvalidClaimUid, InvalidCdiSpec) as error:
            raise CheckpointCorrupt(f"{path} has a claim that cannot be: {error}") from error


def _claim_json(claim: PreparedClaim) -> JSON:
    return {
        "namespace": claim.namespace,
        "name": claim.name,
        "label": claim.label,
        "devices": [{"uuid": d.id, "parentUUID": d.parent} for d in claim.devices],
    }


class _DocumentSchema(Schema):
    version = fields.String(required=True, validate=validate.Equal(VERSION))
    checksum = fields.String(required=True)
    data = fields.Dict(required=True)


class _DeviceSchema(Schema):
    uuid = fields.String(required=True)
    parent = fields.String(required=True, allow_none=True, data_key="parentUUID")

    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> PreparedDevice:
        return PreparedDevice(DeviceID(data["uuid"]), data["parent"])


class _ClaimSchema(Schema):
    namespace = fields.String(required=True)
    name = fields.String(required=True)
    label = fields.String(required=True)
    devices = fields.List(fields.Nested(_DeviceSchema()), required=True)

    @post_load
    def freeze(self, data: Mapping[str, Any], **_: object) -> dict[str, Any]:
        return {**data, "devices": tuple(data["devices"])}


class _DataSchema(Schema):
    claims = fields.Dict(fields.String(), fields.Nested(_ClaimSchema()), required=True)
